import CPlatform

/// Memory that begins as zeroes and takes room page by page, where it is stored to.
///
/// It is for arrays of which a small machine uses little, such as those with a part for each thread.
///
/// A private mapping of whole pages, so it costs two system calls and at least a page. Memory from the heap does not
/// do: it may have been used before, and would have to be cleared whole. An index of single words is `SparseWords`.
///
/// Zeroes must be a valid `Element`: integers, atomic words of 0, nil pointers.
enum ZeroedMemory {
  /// `count` elements of zeroes. The process ends if it lacks the address space.
  static func allocate<Element: ~Copyable>(_ count: Int) -> UnsafeMutablePointer<Element> {
    allocate(bytes: count * MemoryLayout<Element>.stride).assumingMemoryBound(to: Element.self)
  }

  /// Gives back what `allocate` gave. The elements need no end of their own.
  static func release<Element: ~Copyable>(_ start: UnsafeMutablePointer<Element>, count: Int) {
    release(UnsafeMutableRawPointer(start), bytes: count * MemoryLayout<Element>.stride)
  }

  /// `bytes` bytes of zeroes. The process ends if it lacks the address space.
  static func allocate(bytes: Int) -> UnsafeMutableRawPointer {
    guard let start = allocateIfPossible(bytes: bytes) else { fatalError("out of memory for \(bytes) bytes") }
    return start
  }

  /// `bytes` bytes of zeroes, or nil if the process lacks the address space.
  static func allocateIfPossible(bytes: Int) -> UnsafeMutableRawPointer? {
    guard let start = cp_reserve(bytes) else { return nil }
    guard cp_commit(start, bytes, -1, 0, 1, 0) == 0 else {
      cp_release(start, bytes)
      return nil
    }
    return start
  }

  /// Gives back what `allocate` gave, or whole pages of it.
  static func release(_ start: UnsafeMutableRawPointer, bytes: Int) { cp_release(start, bytes) }
}
