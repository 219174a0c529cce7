/// Pages that are lent for one call: what a ``PageStore`` reads into and writes from.
///
/// They lie anywhere in memory, in the order of the file. It can be neither copied out of the call nor kept, and the
/// compiler holds to that. Each page has an address for system calls: see `PageBytes`.
public struct LentPages: ~Escapable {
  let frames: [FrameBytes]
  /// Whether the pages may be stored to.
  public let isWritable: Bool

  @_lifetime(immortal)
  init(_ frames: [FrameBytes], isWritable: Bool) {
    self.frames = frames
    self.isWritable = isWritable
  }

  /// Some of the pages.
  subscript(range: Range<Int>) -> LentPages {
    @_lifetime(borrow self)
    get { _overrideLifetime(LentPages(Array(frames[range]), isWritable: isWritable), borrowing: self) }
  }

  /// How many pages.
  public var count: Int { frames.count }

  /// The bytes of the page at `index`.
  public subscript(index: Int) -> PageBytes {
    @_lifetime(borrow self)
    get { _overrideLifetime(PageBytes(frames[index], isWritable: isWritable), borrowing: self) }
  }
}
