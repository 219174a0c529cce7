/// How a mirror comes by a translation: it looks at the entry, faults the page in, and looks again.
extension Mirror {
  /// The bytes that the entry of a page shows, if it allows the access. The mirror remembers them. The section keeps
  /// the bytes.
  ///
  /// They are good in this section whether or not they could be remembered. The access is one that has read the entry,
  /// as the program's own. So an access goes on while operations keep its page from being translated.
  @usableFromInline @inline(never)
  func translate(
    _ page: Int, at address: VirtualAddress, for access: PageAccess, _ section: RCU.Section
  ) -> FrameBytes? {
    // ORDERING [revoke-then-change]: (f1) of `Translations` before (f2). The entry is read once more, by a load that
    // comes after this mirror was added to the list. A fault locks its entry and then looks there (`MirrorList`).
    let before = table.sequenceIfQuiet()
    guard let leaf = space.table.leaf(for: address, section)?.reloaded(), leaf.isLowestLevel || leaf.pte.mapsHuge,
      (access == .write ? PTETest.store : .load).accepts(leaf.pte)
    else { return nil }
    YieldPoint.mirrorBetweenEntryAndClaim.reach()
    let bytes = space.frames.bytes(of: leaf.pfn(at: address))
    if let before {
      let translation = Translation(
        bytes, isWritable: self.access == .write && PTETest.store.accepts(leaf.pte), isPermanent: isPermanent(bytes))
      table.fill(page, with: translation, since: before, section)
    }
    return bytes
  }

  /// Whether bytes stay mapped as long as the machine: those of RAM, and the zero page.
  @usableFromInline
  func isPermanent(_ bytes: FrameBytes) -> Bool { space.memory.keepsBytes(bytes) }

  /// Faults the page in, as the program's own access would.
  ///
  /// - Throws:
  ///   - `badAddress` if the program would get a signal.
  ///   - `outOfMemory` if a fault finds no memory.
  @usableFromInline @inline(never)
  func fault(at address: VirtualAddress, for access: PageAccess) throws(PageError) {
    do throws(PageError) {
      try access == .write ? space.faultForStore(at: address) : space.faultForLoad(at: address)
    } catch {
      switch error {
      case .segmentationViolation, .busError, .busErrorOfFile: throw .badAddress
      default: throw error
      }
    }
  }
}
