/// What `AddressSpace.withPage` lends a page for.
public enum PageAccess: Sendable {
  case read
  case write
}

/// The program's own loads and stores.
///
/// Each touches its bytes inside the read-side section in which it read the entry. So an entry may be emptied or write-protected at
/// any time, and after a grace period no access through the old one is left: that is this library's TLB.
extension AddressSpace {
  /// Loads an integer of 1, 2, 4 or 8 bytes. Aligned, it is loaded whole and with acquire ordering.
  ///
  /// - Throws: `segmentationViolation`, `busError`, `outOfMemory`.
  @inlinable
  public func load<T: FixedWidthInteger & BitwiseCopyable>(
    at address: VirtualAddress, as type: T.Type = T.self
  ) throws(PageError) -> T {
    let offset = address.pageOffset
    guard offset & (MemoryLayout<T>.size - 1) == 0 else { return try loadUnaligned(at: address) }
    while true {
      let value: T? = accessForLoad(address) { $0.load(fromByteOffset: offset, as: type) }
      if let value { return value }
      try faultForLoad(at: address)
    }
  }

  /// Stores an integer of 1, 2, 4 or 8 bytes. Aligned, it is stored whole and with release ordering.
  ///
  /// - Throws: `segmentationViolation`, `busError`, `outOfMemory`.
  @inlinable
  public func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at address: VirtualAddress) throws(PageError) {
    let offset = address.pageOffset
    guard offset & (MemoryLayout<T>.size - 1) == 0 else { return try storeUnaligned(value, at: address) }
    while true {
      let done: Void? = access(address, .store) { $0.store(value, toByteOffset: offset) }
      if done != nil { return }
      try faultForStore(at: address)
    }
  }

  /// Loads `count` bytes, faulting in what is needed.
  ///
  /// - Throws: `invalidArgument` for a negative count; `segmentationViolation`, `busError`, `outOfMemory`.
  public func load(at address: VirtualAddress, count: Int) throws(PageError) -> [UInt8] {
    guard count >= 0 else { throw .invalidArgument }
    // Before any memory is set aside for the answer: is there anything to answer with?
    guard count <= VirtualAddress.limit - VirtualAddress(0) else { throw .segmentationViolation }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(count, 1 << 20))
    for part in PageParts(from: address, count: count) {
      bytes += try copy(part)
    }
    return bytes
  }

  /// Loads as many bytes as `bytes` has room for.
  ///
  /// - Throws: as `load(at:count:)`; bytes before the failing page have been copied.
  public func load(at address: VirtualAddress, into bytes: inout MutableRawSpan) throws(PageError) {
    for part in PageParts(from: address, count: bytes.byteCount) {
      while !copy(part, into: &bytes) { try faultForLoad(at: part.address) }
    }
  }

  /// Stores bytes, breaking copy-on-write. Pages before a failing one stay written.
  ///
  /// - Throws: `segmentationViolation`, `busError`, `outOfMemory`.
  public func store(_ bytes: [UInt8], at address: VirtualAddress) throws(PageError) {
    try store(bytes.span.bytes, at: address)
  }

  /// Stores bytes, breaking copy-on-write. Pages before a failing one stay written.
  ///
  /// - Throws: `segmentationViolation`, `busError`, `outOfMemory`.
  public func store(_ bytes: RawSpan, at address: VirtualAddress) throws(PageError) {
    for part in PageParts(from: address, count: bytes.byteCount) {
      while !copy(part, from: bytes) { try faultForStore(at: part.address) }
    }
  }

  private func copy(_ part: PageParts.Part) throws(PageError) -> [UInt8] {
    while true {
      if let bytes = accessForLoad(part.address, { $0.copy(fromByteOffset: part.offset, count: part.count) }) {
        return bytes
      }
      try faultForLoad(at: part.address)
    }
  }

  /// Copies a part out, unless its entry does not pass, or its page is lost.
  private func copy(_ part: PageParts.Part, into bytes: inout MutableRawSpan) -> Bool {
    RCU.read { section in
      guard let frame = frame(part.address, accepting: .load, section) else { return false }
      frame.copy(into: &bytes, at: part.position, fromByteOffset: part.offset, count: part.count)
      return !frame.isLost
    }
  }

  /// Copies a part in, unless its entry does not pass.
  private func copy(_ part: PageParts.Part, from bytes: RawSpan) -> Bool {
    RCU.read { section in
      guard let frame = frame(part.address, accepting: .store, section) else { return false }
      frame.copy(from: bytes.extracting(part.position..<part.position + part.count), toByteOffset: part.offset)
      return true
    }
  }

  // MARK: Whole pages, in place

  /// Lends `body` the page that holds `address`, faulting it in first if need be: a read-side section and the entry, no pin at all.
  ///
  /// `body` runs inside a read-side section, which keeps the frame. So it must be short (at most some tens of microseconds),
  /// and must not block, fault, or wait for a grace period. It may find itself on a page that was unmapped meanwhile, as any access
  /// may.
  /// If it needs the page for longer, use a pin.
  ///
  /// - Parameters:
  ///   - address: anywhere in the page.
  ///   - access: for writing, copy-on-write is broken first and the page is dirty afterwards.
  ///   - body: what runs with the page.
  /// - Throws: `segmentationViolation`, `busError`, `outOfMemory`, as for a load or a store. If an image's real file is
  ///   truncated while `body` reads it, `body` sees zeroes, its result is dropped, and the call throws `busError`.
  @inlinable @inline(__always)
  public func withPage<Result: ~Copyable>(
    at address: VirtualAddress, for access: PageAccess, _ body: (PageBytes) -> Result
  ) throws(PageError) -> Result {
    try lendPage(at: address, access, body)
  }

  /// As the other `withPage`, for a closure that throws: its error is the call's.
  @inlinable @inline(__always)
  public func withPage<Result: ~Copyable>(
    at address: VirtualAddress, for access: PageAccess, _ body: (PageBytes) throws -> Result
  ) throws -> Result {
    try lendPage(at: address, access) { page in Swift.Result { try body(page) } }.get()
  }

  @inlinable @inline(__always)
  func lendPage<Result: ~Copyable>(
    at address: VirtualAddress, _ access: PageAccess, _ body: (PageBytes) -> Result
  ) throws(PageError) -> Result {
    let isWrite = access == .write
    while true {
      let result: Result? = RCU.read { section in
        guard let bytes = frame(address, accepting: isWrite ? .store : .load, section) else { return nil }
        let result = body(PageBytes(bytes, isWritable: isWrite))
        // A page of a real file that was truncated meanwhile: what `body` read were zeroes.
        if !isWrite, bytes.isLost { return nil }
        return result
      }
      switch consume result {
      case .some(let result): return result
      case .none: if isWrite { try faultForStore(at: address) } else { try faultForLoad(at: address) }
      }
    }
  }

  // MARK: One access

  /// Runs `body` with the bytes behind `address` inside a read-side section; nil where the entry does not pass.
  @inlinable @inline(__always)
  func access<Result>(_ address: VirtualAddress, _ test: PTETest, _ body: (FrameBytes) -> Result) -> Result? {
    RCU.read { section in
      guard let bytes = frame(address, accepting: test, section) else { return nil }
      return body(bytes)
    }
  }

  /// Runs `body` with the bytes behind `address` for a load. Returns nil if the entry does not pass, or if the bytes are a page
  /// of a real file that the file no longer has: then `body` read zeroes, and its result is dropped.
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
    guard let ptep = table.ptep(for: address, section) else {
      return frameOfHuge(address, accepting: test, section)
    }
    let pte = ptep.load()
    guard test.accepts(pte) else { return nil }
    YieldPoint.accessBetweenEntryAndBytes.reach()
    return frames.bytes(of: pte.pfn)
  }

  /// The same where an entry of 2 MiB may be.
  @usableFromInline @inline(never)
  func frameOfHuge(_ address: VirtualAddress, accepting test: PTETest, _ section: RCU.Section) -> FrameBytes? {
    guard let pte = table.hugePTEP(for: address, section)?.load(), pte.mapsHuge, test.accepts(pte) else { return nil }
    YieldPoint.accessBetweenEntryAndBytes.reach()
    return frames.bytes(of: pte.pfn + address.pageInHuge)
  }

  @usableFromInline @inline(never)
  func faultForLoad(at address: VirtualAddress) throws(PageError) {
    if FrameBytes.isAnyPageLost, RCU.read({ frame(address, accepting: .load, $0)?.isLost ?? false }) { throw .busError }
    try fault(at: address, .read)
  }

  @usableFromInline @inline(never)
  func faultForStore(at address: VirtualAddress) throws(PageError) { try fault(at: address, .write) }

  @usableFromInline
  func loadUnaligned<T: FixedWidthInteger>(at address: VirtualAddress) throws(PageError) -> T {
    T(littleEndianBytes: try load(at: address, count: MemoryLayout<T>.size))
  }

  @usableFromInline
  func storeUnaligned<T: FixedWidthInteger>(_ value: T, at address: VirtualAddress) throws(PageError) {
    try store(value.littleEndianBytes, at: address)
  }
}

/// An integer's bytes in memory, lowest first.
extension FixedWidthInteger {
  var littleEndianBytes: [UInt8] {
    (0..<MemoryLayout<Self>.size).map { UInt8(truncatingIfNeeded: self >> Self(8 * $0)) }
  }

  init(littleEndianBytes bytes: [UInt8]) {
    self = bytes.enumerated().reduce(0) { $0 | Self(truncatingIfNeeded: $1.element) << Self(8 * $1.offset) }
  }
}
