/// What a page-table entry says, for people and tests.
public struct EntryInformation: Equatable, Sendable, CustomStringConvertible {
  /// What an entry can be.
  public enum Kind: String, Sendable {
    /// Nothing is mapped.
    case none
    /// A page in a frame that has a descriptor.
    case normal
    /// A page in a frame that has no descriptor, or one that may not be used.
    case special
    /// The zero page.
    case zero
    /// 2 MiB, mapped by one entry.
    case huge
    /// A page that was written to the swap file.
    case swap
    /// A page that an operation has replaced for a while.
    case migration
    /// A guard marker: `Advice.guardInstall`.
    case guardMarker = "guard"
  }

  /// What the entry is.
  public var kind: Kind
  /// What the entry allows, possibly less than the mapping does. `none` if the entry is protnone or not present.
  public var protection: Protection
  /// Whether a store went through the entry since it was last clean.
  public var isDirty: Bool

  /// The kind, then `none`, `r` or `rw`, then `dirty` if it is. A kind that is not present stands alone.
  public var description: String {
    switch kind {
    case .none, .swap, .migration, .guardMarker: return kind.rawValue
    case .normal, .special, .zero, .huge:
      let permission = protection.contains(.write) ? "rw" : protection.contains(.read) ? "r" : "none"
      return "\(kind.rawValue) \(permission)\(isDirty ? " dirty" : "")"
    }
  }
}

/// What a mapping says, for people and tests: a line of `/proc/self/maps`.
public struct MappingInformation: Sendable {
  /// Page-aligned byte addresses.
  public var range: Range<VirtualAddress>
  /// What the program may do there.
  public var protection: Protection
  /// Whether stores are seen by other mappings.
  public var sharing: Sharing
}

extension AddressSpace {
  /// The mapping that holds `address` at this moment. O(log n) of the mappings, no lock.
  public func mapping(at address: VirtualAddress) -> MappingInformation? {
    RCU.read { section in
      mappings.entry(at: address, section).map {
        MappingInformation(range: $0.range, protection: $0.protection, sharing: $0.isShared ? .shared : .private)
      }
    }
  }

  /// The entry for `address` as it is at this moment. The call waits while a thread has the entry locked.
  public func entry(at address: VirtualAddress) -> EntryInformation {
    let (pte, isNormal, isHuge) = current(at: address)
    guard pte.isMapped else {
      let kind: EntryInformation.Kind =
        switch pte.nonPresentKind {
        case .swap: .swap
        case .migration: .migration
        case .guardMarker: .guardMarker
        case .busy, nil: .none
        }
      return EntryInformation(kind: kind, protection: .none, isDirty: false)
    }
    let protection: Protection = pte.isProtNone ? .none : pte.isWritable ? .readWrite : .read
    let kind: EntryInformation.Kind =
      isZeroPage(pte) ? .zero : !isNormal ? .special : isHuge ? .huge : .normal
    return EntryInformation(kind: kind, protection: protection, isDirty: pte.isDirty)
  }

  /// What the descriptor says of the frame behind `address`.
  ///
  /// Nil if no frame is mapped there, or a special one.
  public func frameInformation(at address: VirtualAddress) -> FrameInformation? {
    let (pte, isNormal, isHuge) = current(at: address)
    guard pte.isMapped, isNormal,
      var information = memory.frameInformation(of: isHuge ? pte.pfn + address.pageInHuge : pte.pfn)
    else { return nil }
    information.isExclusive = pte.isExclusive
    return information
  }

  /// The entry, whether it shows a normal page, and whether it maps 2 MiB.
  private func current(at address: VirtualAddress) -> (PTE, isNormal: Bool, isHuge: Bool) {
    guard address < VirtualAddress.limit else { return (.empty, false, false) }
    return RCU.read { section in
      while true {
        // An operation is about to empty an entry without a mapping.
        guard let mapping = mappings.find(address, section), let leaf = table.leaf(for: address, section) else {
          return (.empty, false, false)
        }
        let (pte, isHuge) = (leaf.ptep.waitUntilUnlocked(), !leaf.isLowestLevel)
        if isHuge, TableNode(link: pte) != nil { continue }
        guard pte.isMapped else { return (pte, false, isHuge) }
        if stillRules(mapping) {
          return (pte, isNormal(pte, at: isHuge ? address.hugeStart : address, in: mapping), isHuge)
        }
      }
    }
  }
}
