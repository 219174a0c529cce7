/// Where one attempt installs: an entry as the attempt read it, and the mapping that it found before.
///
/// The entry maps a base page, or 2 MiB if it is of the second-lowest level. A site cannot outlive the read-side
/// section of its attempt. So what takes a site runs inside that section, which keeps the mapping, the entry's node and
/// the frame that it maps.
struct FaultSite: ~Escapable {
  /// The first address of the 2 MiB, or any address inside the base page.
  let address: VirtualAddress
  let mapping: VMATree.Mapping
  let ptep: PTEPointer
  let pte: PTE
  /// Whether it is an entry of the second-lowest level.
  let isHuge: Bool
  /// The attempt's. It has no size.
  let section: RCU.Section

  @_lifetime(copy section)
  init(
    address: VirtualAddress, mapping: VMATree.Mapping, ptep: PTEPointer, pte: PTE, isHuge: Bool = false,
    _ section: RCU.Section
  ) {
    self.address = address
    self.mapping = mapping
    self.ptep = ptep
    self.pte = pte
    self.isHuge = isHuge
    self.section = section
  }
}

extension FaultSite {
  /// Whether the mapping has no `anon_vma`, so that no private page may be installed.
  ///
  /// ORDERING [prepare-then-lock]: asked before the entry is locked. A mapping never loses its own: an operation that
  /// takes it away replaces the mapping, and `lock` finds that.
  @inline(__always)
  var lacksAnonVMA: Bool { mapping.value.anonVMA == .none }

  /// Replaces the entry by `new` if `lock` succeeds.
  @inline(__always)
  func install(_ new: PTE, validating validity: AnswerValidity? = nil) -> Fault.Outcome {
    if let refusal = lock(validating: validity) { return refusal }
    ptep.store(new)
    return .done
  }

  /// Locks the entry, if it still is as the attempt found it and the mapping is in force.
  ///
  /// Returns nil if so. The caller then stores to the entry, and nothing can stop it. Otherwise the entry is unlocked,
  /// and the result says how the attempt ends.
  ///
  /// ORDERING [lock-then-validate]: the fault locks the entry first. It reads the mapping's state and the frame's
  /// references after that. A fork that shared the frame may have ended before the lock. It left the entry as it was
  /// and its mapping live, so only the count tells.
  ///
  /// - Parameters:
  ///   - validity: of the backing's answer that the new entry depends on, if any. The answer must still hold.
  ///   - folio: if given, the entry's reference must be the frame's only one.
  @inline(__always)
  func lock(validating validity: AnswerValidity? = nil, asSoleUserOf folio: Frame? = nil) -> Fault.Outcome? {
    YieldPoint.faultBeforeInstall.reach()
    guard ptep.lock(pte) else { return .again }
    guard mapping.value.isLive else {
      ptep.store(pte)
      return .writeLocked
    }
    if let validity, !validity.holds {
      // The page moved after the backing answered: the fault asks again.
      ptep.store(pte)
      return .again
    }
    if let folio, folio.references > 1 {
      ptep.store(pte)
      return .again
    }
    return nil
  }

  /// The entry as the mapping's protection has it.
  ///
  /// It is writable only if both allow it. If the mapping allows nothing, it is protnone, and only a forced access
  /// installs it.
  func finish(_ pte: PTE, writable: Bool) -> PTE {
    let protection = mapping.value.attributes.protection
    if protection == .none { return pte.withoutAccess }
    return writable && protection.contains(.write) ? pte.with(PTELayout.writable) : pte
  }
}
