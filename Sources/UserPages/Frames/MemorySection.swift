import CPlatform
import Glibc

/// A stretch of physical memory beside RAM, which lives as long as this object: an image's, or a device's.
///
/// The holder sees to it that no entry leads here when the object goes: a mapping holds its backing, and lets go of it a
/// grace period after its entries were cleared.
final class MemorySection: Sendable {
  let first: PFN
  let pages: Int
  let memory: PhysicalMemory
  /// What the bytes are, where they may be rewritten; -1 where not.
  private let file: Int32

  private init(first: PFN, pages: Int, memory: PhysicalMemory, file: Int32 = -1) {
    self.first = first
    self.pages = pages
    self.memory = memory
    self.file = file
  }

  deinit {
    // A device's frames may be held by pins that outlive it, or mapped by somebody who inserted them elsewhere: then the
    // memory stays as long as the machine.
    if !isInUse { memory.sections.remove(first, pages: pages) }
    if file >= 0 { close(file) }
  }

  private var isInUse: Bool {
    guard memory.frames.isValid(first) else { return false }
    let slots = PinSlots.snapshot()
    return (0..<pages).contains { page in
      let frame = memory.frames.frame(first + page)
      return frame.references > 1 || slots.holds(frame)
    }
  }

  /// Rewrites a page of bare memory, as a flash file system does; false where it cannot be rewritten.
  func rewrite(page: Int, from bytes: FrameBytes) -> Bool {
    guard file >= 0, page >= 0, page < pages else { return false }
    // Through the file: the mapping of it here stays read-only, so that a stray store to an image is caught.
    return pwrite(file, bytes.address, Page.size, off_t(page * Page.size)) == Page.size
  }

  /// Memory without descriptors, filled by `fill` and read-only afterwards, also for this process.
  static func bare(
    _ memory: PhysicalMemory, pages: Int, fill: (Int, FrameBytes) -> Void
  ) throws(PageError) -> MemorySection {
    guard pages > 0, pages < memory.frames.span else { throw pages > 0 ? .outOfMemory : .invalidArgument }
    let file = cp_memory_file("user-pages-image", pages * Page.size)
    guard file >= 0 else { throw .outOfMemory }
    let first: PFN
    do throws(PageError) {
      first = try memory.sections.add(pages: pages, described: false, file: file, writable: true, shared: true)
    } catch {
      close(file)
      throw error
    }
    for page in 0..<pages { fill(page, memory.frames.bytes(of: first + page)) }
    guard cp_commit(memory.frames.bytes(of: first).address, pages * Page.size, file, 0, 0, 1) == 0 else {
      memory.sections.remove(first, pages: pages)
      close(file)
      throw .outOfMemory
    }
    return MemorySection(first: first, pages: pages, memory: memory, file: file)
  }

  /// Memory without descriptors that is a real file's, in place: nothing is copied or allocated.
  ///
  /// - Throws: `badAddress` where the file cannot be opened, `invalidArgument` for an empty one.
  static func bare(_ memory: PhysicalMemory, path: String) throws(PageError) -> (section: MemorySection, bytes: Int) {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw .badAddress }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_size > 0 else { throw .invalidArgument }
    let pages = (Int(status.st_size) + Page.size - 1) / Page.size
    guard pages < memory.frames.span else { throw .outOfMemory }
    let first = try memory.sections.add(pages: pages, described: false, file: file, writable: false, shared: true)
    return (MemorySection(first: first, pages: pages, memory: memory), Int(status.st_size))
  }

  /// Memory with descriptors that is not the allocator's, zero-filled.
  static func device(_ memory: PhysicalMemory, pages: Int) throws(PageError) -> MemorySection {
    guard pages > 0, pages < memory.frames.span else { throw pages > 0 ? .outOfMemory : .invalidArgument }
    let first = try memory.sections.add(pages: pages, described: true, file: -1, writable: true, shared: true)
    for page in 0..<pages { memory.frames.frame(first + page).beginReserved() }
    return MemorySection(first: first, pages: pages, memory: memory)
  }
}
