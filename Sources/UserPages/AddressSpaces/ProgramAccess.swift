/// One access of the program: a read-side section, the entry that it finds there, and the frame's bytes.
///
/// An access that finds no entry that passes ends the section, faults, and is made again by its caller.
extension AddressSpace {
  /// Runs `body` with the bytes behind `address` inside a read-side section. Returns nil if the entry does not pass.
  @inlinable @inline(__always)
  func access<Result>(_ address: VirtualAddress, _ test: PTETest, _ body: (FrameBytes) -> Result) -> Result? {
    RCU.read { section in
      guard let bytes = frame(address, accepting: test, section) else { return nil }
      return body(bytes)
    }
  }

  /// Runs `body` with the bytes behind `address` for a load. Returns nil if the entry does not pass, or if the bytes
  /// are a page of a real file that the file no longer has. Then `body` read zeroes, and its result is dropped.
  ///
  /// Stores need no such look: a file's page is never writable in place.
  @inlinable @inline(__always)
  func accessForLoad<Result>(_ address: VirtualAddress, _ body: (FrameBytes) -> Result) -> Result? {
    RCU.read { section in
      guard let bytes = frame(address, accepting: .load, section) else { return nil }
      let result = body(bytes)
      return bytes.isLost ? nil : result
    }
  }

  /// The frame behind `address`, if its entry passes. The section keeps the frame.
  @inlinable @inline(__always)
  func frame(_ address: VirtualAddress, accepting test: PTETest, _ section: RCU.Section) -> FrameBytes? {
    guard address < VirtualAddress.limit else { return nil }
    guard let leaf = table.leaf(for: address, section), leaf.isLowestLevel else {
      return frameOfHuge(address, accepting: test, section)
    }
    guard test.accepts(leaf.pte) else { return nil }
    YieldPoint.accessBetweenEntryAndBytes.reach()
    return frames.bytes(of: leaf.pte.pfn)
  }

  /// The same where an entry of 2 MiB may be.
  @usableFromInline @inline(never)
  func frameOfHuge(_ address: VirtualAddress, accepting test: PTETest, _ section: RCU.Section) -> FrameBytes? {
    guard let leaf = table.leaf(for: address, section), leaf.mapsHuge, test.accepts(leaf.pte) else { return nil }
    YieldPoint.accessBetweenEntryAndBytes.reach()
    return frames.bytes(of: leaf.pfn(at: address))
  }

  @usableFromInline @inline(never)
  func faultForLoad(at address: VirtualAddress) throws(PageError) {
    if FrameBytes.isAnyPageLost, RCU.read({ frame(address, accepting: .load, $0)?.isLost ?? false }) {
      throw .pageOfFileIsLost
    }
    try fault(at: address, .read)
  }

  @usableFromInline @inline(never)
  func faultForStore(at address: VirtualAddress) throws(PageError) { try fault(at: address, .write) }
}
