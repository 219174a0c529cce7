/// The program's own loads and stores.
///
/// Each touches its bytes inside the read-side section in which it read the entry. So an entry may be emptied or
/// write-protected at any time. After a grace period no access through the old entry is left: that is this library's
/// TLB.
extension AddressSpace {
  /// Loads an integer of 1, 2, 4 or 8 bytes. Aligned, it is loaded whole and with acquire ordering.
  ///
  /// Any thread may call. A fault may run a backing's code, a hook or a store, and may reclaim, on this thread.
  ///
  /// - Precondition: not inside a read-side section if the page may have to be faulted in.
  /// - Throws:
  ///   - `segmentationViolation` if no mapping is there, or it does not allow the access.
  ///   - `busError` if what the mapping shows is not there, as past the end of a file.
  ///   - `busErrorOfFile` if the file behind the page failed, with the step and the errno.
  ///   - `outOfMemory` if memory is lacking, after reclaim. `file` with `ENOMEM` if a file's call lacked it.
  /// - Complexity: four loads for a resident base page.
  @inlinable
  public func load<T: FixedWidthInteger & BitwiseCopyable>(
    at address: VirtualAddress, as type: T.Type = T.self
  ) throws(PageError) -> T {
    let offset = address.pageOffset
    guard offset & (MemoryLayout<T>.size - 1) == 0 else { return try loadUnaligned(at: address) }
    while true {
      let value = access(address, .load) { $0.loadUnlessLost(fromByteOffset: offset, as: type) }
      if let value, let value { return value }
      try faultForLoad(at: address)
    }
  }

  /// Stores an integer of 1, 2, 4 or 8 bytes. Aligned, it is stored whole and with release ordering.
  ///
  /// Any thread may call. A fault may run a backing's code, a hook or a store, and may reclaim, on this thread.
  ///
  /// - Precondition: not inside a read-side section if the page may have to be faulted in.
  /// - Throws: as `load(at:as:)`.
  /// - Complexity: four loads and a store for a resident base page.
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
  /// - Precondition: as `load(at:as:)`.
  /// - Throws: as `load(at:as:)`, and `invalidArgument` for a negative count.
  /// - Complexity: O(pages).
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
  /// - Precondition: as `load(at:as:)`.
  /// - Throws: as `load(at:count:)`. Bytes before the failing page have been copied.
  /// - Complexity: O(pages).
  public func load(at address: VirtualAddress, into bytes: inout MutableRawSpan) throws(PageError) {
    for part in PageParts(from: address, count: bytes.byteCount) {
      while !copy(part, into: &bytes) { try faultForLoad(at: part.address) }
    }
  }

  /// Stores bytes, breaking copy-on-write. Pages before a failing one stay written.
  ///
  /// - Precondition: as `load(at:as:)`.
  /// - Throws: as `load(at:as:)`.
  /// - Complexity: O(pages).
  public func store(_ bytes: [UInt8], at address: VirtualAddress) throws(PageError) {
    try store(bytes.span.bytes, at: address)
  }

  /// Stores bytes, breaking copy-on-write. Pages before a failing one stay written.
  ///
  /// - Precondition: as `load(at:as:)`.
  /// - Throws: as `load(at:as:)`.
  /// - Complexity: O(pages).
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

  @usableFromInline
  func loadUnaligned<T: FixedWidthInteger>(at address: VirtualAddress) throws(PageError) -> T {
    T(littleEndianBytes: try load(at: address, count: MemoryLayout<T>.size))
  }

  @usableFromInline
  func storeUnaligned<T: FixedWidthInteger>(_ value: T, at address: VirtualAddress) throws(PageError) {
    try store(value.littleEndianBytes, at: address)
  }
}
