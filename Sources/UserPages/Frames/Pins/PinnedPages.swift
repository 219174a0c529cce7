import Glibc

/// A run of pages that stay put, pinned together and given back together.
///
/// Neighbours in one 2 MiB frame that were found behind one huge entry are held by a single count. The value can be
/// handed to another thread but not copied. It outlives its mapping and its address space. The machine must outlive it.
/// One page alone is a `PinnedPage`, which allocates nothing.
public struct PinnedPages: ~Copyable, Sendable {
  private let frames: HeldFrames
  /// Whether they were pinned for writing.
  public let isWritable: Bool

  init(_ frames: consuming HeldFrames, isWritable: Bool) {
    self.frames = frames
    self.isWritable = isWritable
  }

  deinit { frames.put() }

  /// How many pages there are: perhaps fewer than were asked for.
  public var count: Int { frames.count }

  /// Whether no page was pinned.
  public var isEmpty: Bool { frames.count == 0 }

  /// How many of the pages, from the first, are held by a list that scans read: no count of their frames shows them. 0
  /// with `longTerm`, and for an engine other than `slot`.
  public var listedCount: Int { frames.listed }

  /// The indices of the pages, in the order of their addresses.
  public var indices: Range<Int> { 0..<frames.count }

  /// The bytes of the page at `index`, for as long as the pins are borrowed.
  ///
  /// Swift 6.3 lets `let` pins with borrowed bytes end by themselves, but not by `release`. Before a `release`,
  /// use `withUnsafeBytes(at:_:)`.
  ///
  /// - Complexity: O(log n) in the number of huge entries that the range met. For a page that a list holds it is
  ///   O(index / 510).
  public subscript(index: Int) -> PageBytes {
    @_lifetime(borrow self)
    get { _overrideLifetime(PageBytes(frames[index].bytes, isWritable: isWritable), borrowing: self) }
  }

  /// The number of the frame behind the page at `index`.
  public func pfn(at index: Int) -> PFN { frames[index].pfn }

  /// The frame's bytes of the page at `index` as a device sees them: stores are not checked, and the value must not
  /// outlive the pins.
  package func deviceBytes(at index: Int) -> FrameBytes { frames[index].bytes }

  /// Calls `body` with the address of the 4096 bytes of the page at `index`. See `PageBytes.withUnsafeBytes(_:)`.
  public func withUnsafeBytes<Result: ~Copyable, Failure: Error>(
    at index: Int, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try self[index].withUnsafeBytes(body)
  }

  /// Calls `body` with the address of the 4096 bytes of the page at `index`, for writers into the page.
  ///
  /// - Precondition: the pages were pinned for writing.
  public func withUnsafeMutableBytes<Result: ~Copyable, Failure: Error>(
    at index: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try self[index].withUnsafeMutableBytes(body)
  }

  /// Calls `body` with an I/O vector over the pages, for `pwritev(2)`. Adjacent frames are one element.
  ///
  /// Nothing may store through it, although the type of C would let it.
  public func withUnsafeIOVectors<Result: ~Copyable, Failure: Error>(
    _ body: ([iovec]) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try body(vectors)
  }

  /// Calls `body` with an I/O vector over the pages, for `preadv(2)` and other writers into the pages.
  ///
  /// - Precondition: the pages were pinned for writing.
  public func withUnsafeMutableIOVectors<Result: ~Copyable, Failure: Error>(
    _ body: ([iovec]) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(isWritable, "pages that were pinned for reading cannot be stored to")
    return try body(vectors)
  }

  private var vectors: [iovec] {
    var vectors: [iovec] = []
    for index in indices {
      let address = frames[index].bytes.address
      if let last = vectors.last, last.iov_base + last.iov_len == address {
        vectors[vectors.count - 1].iov_len += Page.size
      } else {
        vectors.append(iovec(iov_base: address, iov_len: Page.size))
      }
    }
    return vectors
  }

  /// Gives the pages back (`unpin_user_pages`).
  ///
  /// - Parameter dirty: whether the holder stored to them.
  public consuming func release(dirty: Bool = false) {
    if dirty { frames.markDirty() }
  }
}
