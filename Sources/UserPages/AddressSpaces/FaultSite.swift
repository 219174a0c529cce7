/// Where a fault happens, as one attempt found it: a page, or the 2 MiB of an entry of the second-lowest level.
struct FaultSite {
  /// Where that begins, or for a page anywhere in it.
  let address: VirtualAddress
  let mapping: VMATree.Mapping
  let ptep: PTEPointer
  let pte: PTE
  /// Whether it is an entry of the second-lowest level.
  var isHuge = false
}

extension VMA {
  /// Whether a fault for `access` is in order here; a forced write only where it ends in a private copy.
  func permits(_ access: FaultAccess) -> Bool {
    switch access {
    case .read, .unshare: attributes.protection != .none
    case .write: attributes.protection.contains(.write)
    case .forcedRead: true
    case .forcedWrite: attributes.protection.contains(.write) || isPrivate
    }
  }
}

extension AddressSpace {
  /// The descriptor of the frame behind the site's entry, if it may be used.
  @inline(__always)
  func normalFrame(of site: FaultSite) -> Frame? { normalFrame(site.pte, at: site.address, in: site.mapping) }
}
