import CPlatform

/// Pages of memory beside the frames, aligned as they are: where a copy lies that is written in a page's place.
///
/// Its memory is there from the start, so that a thread which writes pages back in order to free frames needs none.
final class PageBuffer: @unchecked Sendable {
  let pageCount: Int
  // Mapped for the object's life. Which thread may use it is up to the owner.
  private let start: UnsafeMutableRawPointer

  /// - Throws: `outOfMemory` if the process lacks the address space.
  init(pages: Int, _ failures: AllocationFailures) throws(PageError) {
    try failures.check()
    guard let start = cp_reserve(pages * Page.size) else { throw .outOfMemory }
    guard cp_commit(start, pages * Page.size, -1, 0, 1, 0) == 0 else {
      cp_release(start, pages * Page.size)
      throw .outOfMemory
    }
    self.start = start
    pageCount = pages
  }

  deinit { cp_release(start, pageCount * Page.size) }

  /// The bytes of the page at `index`, as long as the buffer lives.
  subscript(index: Int) -> FrameBytes {
    precondition(index >= 0 && index < pageCount)
    return FrameBytes(start + index * Page.size)
  }
}
