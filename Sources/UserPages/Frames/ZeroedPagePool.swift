import CPlatform

/// Page-sized pieces of ordinary memory, handed out zeroed: what table nodes are made of.
///
/// They are beside RAM: taking one needs no frame. Users give them back zeroed (an empty table node is), so a piece
/// that is used again needs no clearing.
final class ZeroedPagePool: Sendable {
  private let pieces = FreeListPool(bytes: Page.size, alignment: Page.size)

  /// A page of zeroes, page-aligned. Nil if the process lacks the memory.
  func allocateIfPossible() -> UnsafeMutableRawPointer? {
    if let page = pieces.take() {
      // The pool's own mark.
      page.storeBytes(of: 0, as: UInt64.self)
      return page
    }
    guard let page = pieces.makeIfPossible() else { return nil }
    page.initializeMemory(as: UInt8.self, repeating: 0, count: Page.size)
    return page
  }

  /// A page of zeroes, page-aligned. The process ends if it lacks the memory.
  func allocate() -> UnsafeMutableRawPointer {
    guard let page = allocateIfPossible() else { fatalError("out of memory for a table node") }
    return page
  }

  /// Takes a page of zeroes back.
  func free(_ page: UnsafeMutableRawPointer) {
    #if DEBUG
      precondition(cp_first_other(page, 0, Page.size) < 0, "a table node was freed that is not empty")
    #endif
    pieces.free(page)
  }

  /// Pages that are out.
  var inUse: Int { pieces.inUse }
}
