/// The bytes of a page, lent for as long as a pin or a reference is borrowed, or for one closure.
///
/// A program, a device or another holder may write to the page meanwhile, as on real hardware. So bytes are copied in
/// and out, or loaded and stored whole. A torn copy of racing bytes is possible, undefined behaviour is not. For
/// `pread(2)`, `O_DIRECT` or io_uring, which need an address, use `withUnsafeBytes` and `withUnsafeMutableBytes`.
/// Offsets count from the start of the page.
@frozen
public struct PageBytes: ~Escapable {
  @usableFromInline let frame: FrameBytes
  /// Whether the page was lent for writing.
  public let isWritable: Bool

  @inlinable @inline(__always)
  @_lifetime(immortal)
  init(_ frame: FrameBytes, isWritable: Bool) {
    self.frame = frame
    self.isWritable = isWritable
  }

  /// Loads an aligned integer of 1, 2, 4 or 8 bytes, whole and with acquire ordering.
  ///
  /// - Precondition: `offset` is aligned to the integer's size, and the bytes lie in the page.
  @inlinable @inline(__always)
  public func load<T: FixedWidthInteger & BitwiseCopyable>(fromByteOffset offset: Int = 0, as type: T.Type = T.self)
    -> T
  {
    frame.load(fromByteOffset: offset, as: type)
  }

  /// Stores an aligned integer of 1, 2, 4 or 8 bytes, whole and with release ordering.
  ///
  /// - Precondition: the page was lent for writing. `offset` is aligned to the integer's size, and the bytes lie in the
  ///   page.
  @inlinable @inline(__always)
  public func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, toByteOffset offset: Int = 0) {
    precondition(isWritable, "a page that was pinned or lent for reading cannot be stored to")
    frame.store(value, toByteOffset: offset)
  }

  /// Copies bytes out, as many as `bytes` has room for.
  ///
  /// - Precondition: they lie in the page.
  @inlinable
  public func copy(into bytes: inout MutableRawSpan, fromByteOffset offset: Int = 0) {
    frame.copy(into: &bytes, fromByteOffset: offset)
  }

  /// Copies `count` bytes out.
  ///
  /// - Precondition: they lie in the page.
  public func copy(fromByteOffset offset: Int = 0, count: Int) -> [UInt8] {
    frame.copy(fromByteOffset: offset, count: count)
  }

  /// Copies bytes in.
  ///
  /// - Precondition: the page was lent for writing, and the bytes fit into it from `offset` on.
  @inlinable
  public func copy(from bytes: RawSpan, toByteOffset offset: Int = 0) {
    precondition(isWritable, "a page that was pinned or lent for reading cannot be stored to")
    frame.copy(from: bytes, toByteOffset: offset)
  }

  /// Calls `body` with the address of the page's 4096 bytes, page-aligned: for `pwrite(2)`, `O_DIRECT`, registered
  /// buffers.
  ///
  /// The address is good as long as the pin, the reference or the closure that lent the page. Reading it through the
  /// pointer is a data race if the program or a device stores meanwhile. The kernel may read it then.
  @inlinable
  public func withUnsafeBytes<Result: ~Copyable, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(start: frame.address, count: Page.size))
  }

  /// Calls `body` with the address of the page's 4096 bytes, for `pread(2)` and other writers into the page.
  ///
  /// - Precondition: the page was lent for writing.
  @inlinable
  public func withUnsafeMutableBytes<Result: ~Copyable, Failure: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(isWritable, "a page that was pinned or lent for reading cannot be stored to")
    return try body(UnsafeMutableRawBufferPointer(start: frame.address, count: Page.size))
  }
}
