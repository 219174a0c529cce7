/// Loads and stores through a mirror.
extension Mirror {
  /// Loads an integer of 1, 2, 4 or 8 bytes. Aligned, it is loaded whole and with acquire ordering.
  ///
  /// - Throws:
  ///   - `badAddress` if the program could not load there, or if `address` is outside of the mirror's range.
  ///   - `outOfMemory` if a fault finds no memory.
  /// - Precondition: not inside a read-side section if the page may have to be faulted in. This holds for every access.
  @inlinable @inline(__always)
  public func load<T: FixedWidthInteger & BitwiseCopyable>(
    at address: VirtualAddress, as type: T.Type = T.self
  ) throws(PageError) -> T {
    let offset = address.pageOffset
    guard offset & (MemoryLayout<T>.size - 1) == 0 else { return try loadUnaligned(at: address) }
    return try read(at: address, isWord: true) { $0.load(fromByteOffset: offset, as: T.self) }
  }

  /// Stores an integer of 1, 2, 4 or 8 bytes. Aligned, it is stored whole and with release ordering.
  ///
  /// - Throws:
  ///   - `badAddress` if the program could not store there, or if `address` is outside of the mirror's range.
  ///   - `badAddress` if the mirror is for reading.
  ///   - `outOfMemory` if a fault finds no memory.
  @inlinable @inline(__always)
  public func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at address: VirtualAddress) throws(PageError) {
    let offset = address.pageOffset
    guard offset & (MemoryLayout<T>.size - 1) == 0 else { return try storeUnaligned(value, at: address) }
    try write(at: address) { $0.store(value, toByteOffset: offset) }
  }

  /// Loads `count` bytes. Those of one page are of one moment as far as the translation goes. Stores may race with the
  /// copy.
  ///
  /// - Throws:
  ///   - `invalidArgument` if the count is negative.
  ///   - what `load(at:as:)` throws.
  public func load(at address: VirtualAddress, count: Int) throws(PageError) -> [UInt8] {
    guard count >= 0 else { throw .invalidArgument }
    // Before any memory is set aside for the answer.
    guard count <= range.upperBound - range.lowerBound else { throw .badAddress }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(count, 1 << 20))
    for part in PageParts(from: address, count: count) {
      bytes += try read(at: part.address) { $0.copy(fromByteOffset: part.offset, count: part.count) }
    }
    return bytes
  }

  /// Loads as many bytes as `bytes` has room for.
  ///
  /// - Throws: as `load(at:as:)`. Bytes before the failing page have been copied.
  public func load(at address: VirtualAddress, into bytes: inout MutableRawSpan) throws(PageError) {
    for part in PageParts(from: address, count: bytes.byteCount) {
      try read(at: part.address) {
        $0.copy(into: &bytes, at: part.position, fromByteOffset: part.offset, count: part.count)
      }
    }
  }

  /// Stores bytes. Pages before a failing one stay written.
  ///
  /// - Throws: as `store(_:at:)`.
  public func store(_ bytes: [UInt8], at address: VirtualAddress) throws(PageError) {
    try store(bytes.span.bytes, at: address)
  }

  /// Stores the bytes of a span. Pages before a failing one stay written.
  ///
  /// - Throws: as `store(_:at:)`.
  public func store(_ bytes: RawSpan, at address: VirtualAddress) throws(PageError) {
    for part in PageParts(from: address, count: bytes.byteCount) {
      let bytes = bytes.extracting(part.position..<part.position + part.count)
      try write(at: part.address) { $0.copy(from: bytes, toByteOffset: part.offset) }
    }
  }

  /// Lends `body` the page that holds `address` inside a read-side section, as `AddressSpace.withPage` does.
  ///
  /// Operations wait for `body`. So it must be short (at most some tens of microseconds), and must not block,
  /// fault, or wait for a grace period.
  ///
  /// - Throws: as `load(at:as:)`, or as `store(_:at:)` for writing.
  @inlinable @inline(__always)
  public func withPage<Result>(
    at address: VirtualAddress, for access: PageAccess, _ body: (PageBytes) -> Result
  ) throws(PageError) -> Result {
    switch access {
    case .read: try readHeld(at: address) { body(PageBytes($0, isWritable: false)) }
    case .write: try write(at: address) { body(PageBytes($0, isWritable: true)) }
    }
  }

  /// Lends `body` the page that holds `address`, as the other `withPage` does. The closure may throw: its error is the
  /// call's.
  @inlinable @inline(__always)
  public func withPage<Result>(
    at address: VirtualAddress, for access: PageAccess, _ body: (PageBytes) throws -> Result
  ) throws -> Result {
    try withPage(at: address, for: access) { page in Swift.Result { try body(page) } }.get()
  }

  /// Lends `body` the page that holds `address` outside of any section. Returns its result if the translation was in
  /// force all the time, and nil if it was revoked meanwhile.
  ///
  /// No operation waits for `body`, which may take its time. It may find itself on a page that another program uses by
  /// now. So it must bear any contents, keep nothing from them but its result, and end. Bytes beside RAM, of an image
  /// or a device, are lent inside a section all the same.
  ///
  /// - Throws: as `load(at:as:)`.
  @inlinable @inline(__always)
  public func withPageOptimistically<Result>(
    at address: VirtualAddress, _ body: (PageBytes) -> Result
  ) throws(PageError) -> Result? {
    guard let page = table.page(of: address) else { throw .badAddress }
    if !table[page].allowsUnheldLoad {
      // Translated now, unless it is beside RAM.
      let isInRAM: Bool = try readHeld(at: address) { isPermanent($0) }
      if !isInRAM { return try readHeld(at: address) { body(PageBytes($0, isWritable: false)) } }
    }
    return table.readUnheld(page) { body(PageBytes($0, isWritable: false)) }
  }

  /// Lends `body` the page that holds `address` outside of any section, as the other `withPageOptimistically` does. The
  /// closure may throw: its error is the call's, unless the translation was revoked meanwhile.
  @inlinable @inline(__always)
  public func withPageOptimistically<Result>(
    at address: VirtualAddress, _ body: (PageBytes) throws -> Result
  ) throws -> Result? {
    try withPageOptimistically(at: address) { page in Swift.Result { try body(page) } }?.get()
  }

  // MARK: One access

  /// Runs `body` with the bytes behind `address`, again if a revocation came in between. `isWord`: see `readUnheld`.
  @inlinable @inline(__always)
  func read<Result>(
    at address: VirtualAddress, isWord: Bool = false, _ body: (FrameBytes) -> Result
  ) throws(PageError) -> Result {
    guard let page = table.page(of: address) else { throw .badAddress }
    if let result = table.readUnheld(page, isWord: isWord, body) { return result }
    return try readHeld(at: address, body)
  }

  /// Runs `body` with the bytes behind `address` inside a section.
  @inlinable @inline(never)
  func readHeld<Result>(at address: VirtualAddress, _ body: (FrameBytes) -> Result) throws(PageError) -> Result {
    guard let page = table.page(of: address) else { throw .badAddress }
    let held: Result? = RCU.read {
      let translation = table[page]
      guard translation.allowsLoad else { return nil }
      YieldPoint.mirrorBetweenTranslationAndBytes.reach()
      let bytes = translation.bytes
      let result = body(bytes)
      // A page of a real file that was truncated meanwhile: `body` read zeroes.
      return bytes.isLost ? nil : result
    }
    if let held { return held }
    while true {
      let result: Result? = RCU.read { section in
        guard let bytes = translate(page, at: address, for: .read, section) else { return nil }
        let result = body(bytes)
        return bytes.isLost ? nil : result
      }
      if let result { return result }
      try fault(at: address, for: .read)
    }
  }

  /// Runs `body` with the bytes behind `address` inside a section: a store.
  @inlinable @inline(__always)
  func write<Result>(at address: VirtualAddress, _ body: (FrameBytes) -> Result) throws(PageError) -> Result {
    guard access == .write, let page = table.page(of: address) else { throw .badAddress }
    let result: Result? = RCU.read {
      let translation = table[page]
      guard translation.allowsStore else { return nil }
      YieldPoint.mirrorBetweenTranslationAndBytes.reach()
      return body(translation.bytes)
    }
    if let result { return result }
    return try writeSlowly(page, at: address, body)
  }

  @inlinable @inline(never)
  func writeSlowly<Result>(
    _ page: Int, at address: VirtualAddress, _ body: (FrameBytes) -> Result
  ) throws(PageError) -> Result {
    while true {
      let result: Result? = RCU.read { section in
        guard let bytes = translate(page, at: address, for: .write, section) else { return nil }
        return body(bytes)
      }
      if let result { return result }
      try fault(at: address, for: .write)
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
