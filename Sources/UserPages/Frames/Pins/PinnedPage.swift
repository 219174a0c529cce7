/// One page that stays put, held by a pin or a get.
///
/// The holder gives it back exactly once: by `release`, or at the end of the value's life. It can be handed to another
/// thread but not copied. It outlives its mapping and its address space. The machine must outlive it: the machine's end
/// checks that no page is held. Many pages at once are a `PinnedPages`.
///
/// A pin for reading lends no mutable bytes: asked for them, it traps, in release builds too. `isWritable` says what a
/// pin is for, and its type does not. The options may come from a program in C, a script or a table, as `FOLL_WRITE`
/// does. With a type for each access, pins, ranges of pins and `PageBytes` would all be two, and what holds any pin
/// would be generic.
@frozen
public struct PinnedPage: ~Copyable, Sendable {
  @usableFromInline let held: HeldFrame
  /// Whether it was pinned for writing.
  public let isWritable: Bool

  @inlinable @inline(__always)
  init(_ held: HeldFrame, isWritable: Bool) {
    self.held = held
    self.isWritable = isWritable
  }

  @inlinable @inline(__always)
  deinit { held.put() }

  /// The frame's number.
  @inlinable public var pfn: PFN { held.pfn }

  /// Loads an aligned integer of 1, 2, 4 or 8 bytes, whole and with acquire ordering.
  ///
  /// - Precondition: `offset` is aligned to the integer's size, and the bytes lie in the page.
  @inlinable @inline(__always)
  public func load<T: FixedWidthInteger & BitwiseCopyable>(fromByteOffset offset: Int = 0, as type: T.Type = T.self)
    -> T
  {
    held.bytes.load(fromByteOffset: offset, as: type)
  }

  /// Stores an aligned integer of 1, 2, 4 or 8 bytes, whole and with release ordering.
  ///
  /// - Precondition: the page was pinned for writing. `offset` is aligned to the integer's size, and the bytes lie in
  ///   the page.
  @inlinable @inline(__always)
  public func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, toByteOffset offset: Int = 0) {
    precondition(isWritable, "a page that was pinned for reading cannot be stored to")
    held.bytes.store(value, toByteOffset: offset)
  }

  /// Copies `count` bytes out.
  ///
  /// - Precondition: the bytes lie in the page.
  public func copy(fromByteOffset offset: Int = 0, count: Int) -> [UInt8] {
    held.bytes.copy(fromByteOffset: offset, count: count)
  }

  /// The bytes of the page, for as long as the pin is borrowed.
  ///
  /// Swift 6.3 lets a `let` pin with borrowed bytes end by itself, but not by `release`. Before a `release`, use
  /// `load`, `store`, `copy` or `withUnsafeBytes` of the pin itself.
  @inlinable public var bytes: PageBytes {
    @_lifetime(borrow self)
    get { _overrideLifetime(PageBytes(held.bytes, isWritable: isWritable), borrowing: self) }
  }

  /// The frame's bytes as a device sees them: stores are not checked, and the value must not outlive the pin.
  package var deviceBytes: FrameBytes { held.bytes }

  /// Calls `body` with the address of the page's 4096 bytes, page-aligned: for `pwrite(2)`, `O_DIRECT`, registered
  /// buffers.
  ///
  /// The address is good until the pin ends. Reading it through the pointer is a data race if the program or a device
  /// stores meanwhile. The kernel and `bytes` may read it then.
  @inlinable
  public func withUnsafeBytes<Result: ~Copyable, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(UnsafeRawBufferPointer(start: held.bytes.address, count: Page.size))
  }

  /// Calls `body` with the address of the page's 4096 bytes, for `pread(2)` and other writers into the page.
  ///
  /// - Precondition: the page was pinned for writing.
  @inlinable
  public func withUnsafeMutableBytes<Result: ~Copyable, Failure: Error>(
    _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(isWritable, "a page that was pinned for reading cannot be stored to")
    return try body(UnsafeMutableRawBufferPointer(start: held.bytes.address, count: Page.size))
  }

  /// The page as a span, for a holder that knows that nothing stores to the page meanwhile.
  @inlinable public var span: RawSpan {
    @_lifetime(borrow self)
    get {
      // The pin keeps the frame, so the bytes live as long as the borrow.
      _overrideLifetime(RawSpan(_unsafeStart: held.bytes.address, byteCount: Page.size), borrowing: self)
    }
  }

  /// The page as a mutable span, for a holder that knows that nothing else uses the page meanwhile.
  ///
  /// - Precondition: the page was pinned for writing.
  @inlinable public var mutableSpan: MutableRawSpan {
    @_lifetime(&self)
    mutating get {
      precondition(isWritable, "a page that was pinned for reading cannot be stored to")
      return _overrideLifetime(
        MutableRawSpan(_unsafeStart: held.bytes.address, byteCount: Page.size), mutating: &self)
    }
  }

  /// Gives the page back (`unpin_user_page`, `put_page`).
  ///
  /// - Parameter dirty: whether the holder stored to it (`unpin_user_pages_dirty_lock`).
  @inlinable @inline(__always)
  public consuming func release(dirty: Bool = false) {
    if dirty { held.markDirty() }
    held.put()
    discard self
  }
}
