/// What a page is borrowed for.
public enum PageAccess: Sendable {
  case read
  case write
}

/// The bytes of a page that is borrowed for a moment: see `AddressSpace.withPage(at:_:_:)`.
///
/// It can be neither copied nor kept: it ends with the closure that it was lent to, and the compiler holds to that. Offsets
/// count from the start of the page, whatever address it was asked for by. Others may write to the page meanwhile, so its
/// bytes are copied in and out, or loaded and stored whole.
@frozen
public struct BorrowedPage: ~Copyable, ~Escapable {
  @usableFromInline let bytes: FrameBytes
  /// Whether it was borrowed for writing.
  public let isWritable: Bool

  @inlinable @inline(__always)
  @_lifetime(immortal)
  init(_ bytes: FrameBytes, isWritable: Bool) {
    self.bytes = bytes
    self.isWritable = isWritable
  }

  /// Loads an aligned integer of 1, 2, 4 or 8 bytes, whole and with acquire ordering.
  @inlinable @inline(__always)
  public func load<T: FixedWidthInteger & BitwiseCopyable>(fromByteOffset offset: Int = 0, as type: T.Type) -> T {
    bytes.load(fromByteOffset: offset, as: type)
  }

  /// Stores an aligned integer of 1, 2, 4 or 8 bytes, whole and with release ordering.
  ///
  /// - Precondition: the page is borrowed for writing.
  @inlinable @inline(__always)
  public func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, toByteOffset offset: Int = 0) {
    precondition(isWritable, "a page that is borrowed for reading cannot be written to")
    bytes.store(value, toByteOffset: offset)
  }

  /// Copies bytes out, as many as `other` has room for.
  @inlinable
  public func copy(into other: inout MutableRawSpan, fromByteOffset offset: Int = 0) {
    bytes.copy(into: &other, fromByteOffset: offset)
  }

  /// Copies bytes in.
  ///
  /// - Precondition: the page is borrowed for writing.
  @inlinable
  public func copy(from other: RawSpan, toByteOffset offset: Int = 0) {
    precondition(isWritable, "a page that is borrowed for reading cannot be written to")
    bytes.copy(from: other, toByteOffset: offset)
  }
}

extension AddressSpace {
  /// Lends `body` the page that holds `address`, faulting it in first where needed: a read-side section and the entry, no
  /// pin at all.
  ///
  /// `body` runs inside a read-side section, which keeps the frame; so it must be short (some microseconds), and must not
  /// block, fault, or wait for a grace period. It may find itself on a page that was unmapped meanwhile, as any access may.
  /// What it needs for longer than that is for a pin.
  ///
  /// - Parameters:
  ///   - address: anywhere in the page.
  ///   - access: for writing, copy-on-write is broken first and the page is dirty afterwards.
  ///   - body: what runs with the page.
  /// - Throws: `segmentationViolation`, `busError`, `outOfMemory`, as for a load or a store. If an image's real file is
  ///   truncated while `body` reads it, `body` sees zeroes, its result is dropped, and the call throws `busError`.
  @inlinable @inline(__always)
  public func withPage<Result: ~Copyable>(
    at address: VirtualAddress, _ access: PageAccess, _ body: (borrowing BorrowedPage) -> Result
  ) throws(PageError) -> Result {
    let isWrite = access == .write
    while true {
      let result: Result? = RCU.read {
        guard let bytes = frame(address, accepting: isWrite ? .store : .load) else { return nil }
        let result = body(BorrowedPage(bytes, isWritable: isWrite))
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
}
