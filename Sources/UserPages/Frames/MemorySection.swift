import CPlatform
import Glibc

/// A stretch of physical memory beside RAM, which lives as long as this object: an image's, or a device's.
///
/// The owner sees to it that no entry leads to bare memory when the object goes. A mapping holds its backing, and lets
/// go of it a grace period after its entries were cleared. A device's frames have references. Those that an entry, a
/// get or a pin holds then stay until the last is put, and the whole section with them.
final class MemorySection: Sendable {
  let first: PFN
  let pages: Int
  let memory: PhysicalMemory
  private let isDescribed: Bool
  /// The descriptor of what the bytes are, if they may be rewritten, else -1.
  private let file: Int32
  /// The owner of `file`, if pages are filled on demand.
  private let pattern: PatternFile?
  /// Whether the bytes are a real file's, so that pages can be lost (`memory_failure.h`).
  private let isFileMapping: Bool

  private init(
    first: PFN, pages: Int, memory: PhysicalMemory, isDescribed: Bool = false, file: Int32 = -1,
    pattern: PatternFile? = nil, isFileMapping: Bool = false
  ) {
    self.first = first
    self.pages = pages
    self.memory = memory
    self.isDescribed = isDescribed
    self.file = file
    self.pattern = pattern
    self.isFileMapping = isFileMapping
  }

  deinit {
    // A section of a real file has no descriptors. So it is never in use here, and no access to it is under way.
    if isFileMapping { cp_unwatch_file_mapping(memory.frames.bytes(of: first).address) }
    if !isDescribed {
      memory.sections.unpublish(first)
      memory.releaseSection(first)
    } else if let ended = memory.sections.endReferences(from: first, pages: pages) {
      memory.releaseSection(ended)
    }
    if file >= 0, pattern == nil { close(file) }
  }

  /// Rewrites a page of bare memory, as a flash file system does.
  ///
  /// The page is filled: its contents were copied out before, by `fill` and a read.
  ///
  /// - Throws:
  ///   - `readOnly` if the memory is a real file's.
  ///   - `file` with the errno if the memory file takes no more.
  func rewrite(page: Int, from bytes: FrameBytes) throws(PageError) {
    guard file >= 0, page >= 0, page < pages else { throw .readOnly }
    // Through the file: the mapping of it here stays read-only, so that a stray store to an image is caught.
    let count = pwrite(file, bytes.address, Page.size, off_t(page * Page.size))
    guard count == Page.size else { throw .file(.write, errno: count < 0 ? errno : ENOSPC) }
  }

  /// Whether a page takes memory when it is first used, and not before.
  var isFilledOnDemand: Bool { pattern != nil }

  /// Makes a page's bytes what they should be, before they are read or copied by number. As
  /// `SectionMap.fill(_:count:)`.
  func fill(page: Int) throws(PageError) { try memory.sections.fill(first + page, count: 1) }

  /// Bare memory, each page of which is filled with the byte that `byte` gives for its index, when it is first used.
  ///
  /// - Throws:
  ///   - `invalidArgument` if `pages` is not positive.
  ///   - `outOfMemory` if there are not as many frame numbers.
  ///   - `file` with the errno if the memory file cannot be made or mapped.
  static func bare(
    _ memory: PhysicalMemory, pages: Int, byte: @escaping @Sendable (Int) -> UInt8
  ) throws(PageError) -> MemorySection {
    let file = try imageFile(memory, pages: pages)
    let pattern = try PatternFile(descriptor: file, pages: pages, byte: byte)
    try memory.allocationFailures.check()
    let first = try memory.sections.add(
      pages: pages, described: false, file: file, writable: false, shared: true, pattern: pattern)
    return MemorySection(first: first, pages: pages, memory: memory, file: file, pattern: pattern)
  }

  /// Bare memory that holds `contents`, and zeroes to the end of its last page.
  ///
  /// - Throws:
  ///   - `invalidArgument` if `contents` is empty.
  ///   - `outOfMemory` if there are not as many frame numbers.
  ///   - `file` with the errno if the memory file cannot be made, written or mapped.
  static func bare(_ memory: PhysicalMemory, contents: [UInt8]) throws(PageError) -> MemorySection {
    let pages = Page.count(holding: contents.count)
    let file = try imageFile(memory, pages: pages)
    do throws(PageError) {
      var done = 0
      while done < contents.count {
        let count = contents[done...].withUnsafeBytes { pwrite(file, $0.baseAddress, $0.count, off_t(done)) }
        guard count > 0 else { throw .file(.write, errno: count < 0 ? errno : ENOSPC) }
        done += count
      }
      try memory.allocationFailures.check()
      let first = try memory.sections.add(pages: pages, described: false, file: file, writable: false, shared: true)
      return MemorySection(first: first, pages: pages, memory: memory, file: file)
    } catch {
      close(file)
      throw error
    }
  }

  /// A memory file of zeroes for an image of `pages` pages.
  private static func imageFile(_ memory: PhysicalMemory, pages: Int) throws(PageError) -> Int32 {
    guard pages > 0, pages < memory.frames.span else { throw pages > 0 ? .outOfMemory : .invalidArgument }
    let file = cp_memory_file("user-pages-image", pages * Page.size)
    guard file >= 0 else { throw .file(.create, errno: -file) }
    return file
  }

  /// Bare memory that is a real file's, in place: nothing is copied or allocated.
  ///
  /// The file may be truncated at any time. Then its lost pages read as zeroes, and `FrameBytes.isLost` tells.
  ///
  /// - Throws:
  ///   - `file`, with the errno, if the file cannot be opened or mapped.
  ///   - `invalidArgument` if it is empty, or neither a regular file nor a block device.
  ///   - `outOfMemory` if there are not as many frame numbers.
  static func bare(_ memory: PhysicalMemory, path: String) throws(PageError) -> (section: MemorySection, bytes: Int) {
    // Without O_NONBLOCK, opening a named pipe waits for a writer.
    let file = Descriptor.aboveStandardStreams(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK))
    guard file >= 0 else { throw .file(.open, errno: errno) }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw .file(.inspect, errno: errno) }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw .file(.open, errno: EISDIR) }
    guard [S_IFREG, S_IFBLK].contains(status.st_mode & S_IFMT) else { throw .invalidArgument }
    // `st_size` of a block device is zero.
    let bytes = Int(lseek(file, 0, SEEK_END))
    guard bytes > 0 else { throw .invalidArgument }
    let pages = Page.count(holding: bytes)
    guard pages < memory.frames.span else { throw .outOfMemory }
    try memory.allocationFailures.check()
    let first = try memory.sections.add(pages: pages, described: false, file: file, writable: false, shared: true)
    guard cp_watch_file_mapping(memory.frames.bytes(of: first).address, pages * Page.size) == 0 else {
      memory.sections.unpublish(first)
      memory.releaseSection(first)
      throw .outOfMemory
    }
    return (MemorySection(first: first, pages: pages, memory: memory, isFileMapping: true), bytes)
  }

  /// Memory with descriptors that is not the allocator's, zero-filled.
  ///
  /// - Throws:
  ///   - `invalidArgument` if `pages` is not positive.
  ///   - `outOfMemory` if there are not as many frame numbers.
  ///   - `file` with the errno if the process lacks the memory.
  /// - Complexity: O(pages).
  static func device(_ memory: PhysicalMemory, pages: Int) throws(PageError) -> MemorySection {
    guard pages > 0, pages < memory.frames.span else { throw pages > 0 ? .outOfMemory : .invalidArgument }
    try memory.allocationFailures.check()
    let first = try memory.sections.add(pages: pages, described: true, file: -1, writable: true, shared: true)
    for page in 0..<pages { memory.frames.frame(first + page).beginReserved() }
    return MemorySection(first: first, pages: pages, memory: memory, isDescribed: true)
  }
}
