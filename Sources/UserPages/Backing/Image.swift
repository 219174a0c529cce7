import Synchronization

/// Execute-in-place memory: an image that is read where it lies. It has no frame descriptors, whatever its size.
///
/// What an XIP flash or a DCSS segment is. The bytes are read-only, for `write` and for this process. A private mapping
/// gets copies. A shared writable mapping makes the page move into the page cache. Single pages can move there and back
/// at any time (`migrate`). A moved page is a refcounted frame. The others stay where they lie, and a mixed mapping
/// shows both.
public final class Image: Backing {
  /// Length in bytes. The last page is zero-padded.
  public let byteCount: Int
  let section: MemorySection
  let spaces = BackingUsers()
  let dataCacheCounter = DataCacheCounter()
  /// Pages that are not where they lie. Empty for an image without migrations, which then costs nothing for each page.
  let moved = Guarded<[Int: PageState]>([:])
  /// How many pages ever moved: while 0, no look into `moved` is needed.
  let movedEver = Atomic<Int>(0)
  let moves = InvalidationSequence()
  /// One migration at a time.
  let migrationLock = OwnedLock()
  let heat = Guarded<[Int: Heat]>([:])

  private init(section: MemorySection, byteCount: Int) {
    self.section = section
    self.byteCount = byteCount
  }

  deinit { dropCache() }

  /// An image of `pages` pages, each filled with the byte that `fill` gives for its index.
  ///
  /// A page takes memory when it is first used, and none if its byte is 0. `fill` is called then, on the thread that
  /// uses it, and must give the same byte each time.
  ///
  /// - Throws:
  ///   - `invalidArgument` if `pages` is not positive.
  ///   - `outOfMemory` if there are not as many frame numbers.
  public convenience init(
    _ memory: PhysicalMemory, pages: Int, fill: @escaping @Sendable (Int) -> UInt8
  ) throws(PageError) {
    let section = try MemorySection.bare(memory, pages: pages, byte: fill)
    self.init(section: section, byteCount: pages * Page.size)
  }

  /// An image that holds `contents`.
  public convenience init(_ memory: PhysicalMemory, contents: [UInt8]) throws(PageError) {
    guard !contents.isEmpty else { throw .invalidArgument }
    let section = try MemorySection.bare(memory, contents: contents)
    self.init(section: section, byteCount: contents.count)
  }

  /// An image that is a real file, in place: its pages are the host's page cache, shared with every process that maps
  /// it.
  ///
  /// If the file is truncated later, a load, a store or a copy of a lost page is a bus error. `read` throws
  /// `file(.readWhole, errno: EIO)` then. The part of a page beyond the file's new end reads as zeroes, as through
  /// `mmap(2)`. The first image of a process installs a handler for SIGBUS, which passes on every signal that is not
  /// for an image.
  ///
  /// - Throws:
  ///   - `file`, with the errno, if the file cannot be opened.
  ///   - `invalidArgument` if it is empty, or neither a regular file nor a block device.
  ///   - `outOfMemory` if there are not as many frame numbers.
  public convenience init(_ memory: PhysicalMemory, path: String) throws(PageError) {
    let (section, bytes) = try MemorySection.bare(memory, path: path)
    self.init(section: section, byteCount: bytes)
  }

  public var pageCount: Int { section.pages }

  /// The machine that the image is part of.
  package var memory: PhysicalMemory { section.memory }

  /// The first page's frame number. The frames of the other pages follow it.
  public var firstPFN: PFN { section.first }
  public var firstFrame: PFN? { section.first }

  public func fault(page: Int, write: Bool) -> FaultAnswer {
    guard page >= 0, page < section.pages else { return .busError }
    switch state(of: page) {
    case .inPlace:
      if !write { return .frameNumber(section.first + page, writable: false) }
      // The page is about to be written through a shared mapping: it moves into the page cache, then the fault asks
      // again.
      do throws(PageError) { try migrateToCache(page: page) } catch {
        return .failed(error)
      }
      return .retry
    case .moving:
      // The fault holds no lock, so it may wait for the migration. Inside a flush of that migration it would wait for
      // itself.
      return migrationLock.holding({}) == nil ? .busError : .retry
    case .cached(let pfn): return .frame(FrameReference(owning: pfn, in: section.memory))
    }
  }

  // An entry of 2 MiB would fill 512 pages for one that is used.
  public var prefersHugePages: Bool { !section.isFilledOnDemand }

  /// The frame numbers of 2 MiB, if all of them are where they lie.
  public func hugeFault(page: Int, write: Bool) -> FaultAnswer? {
    guard !write, page >= 0, page <= section.pages - Page.pagesPerHuge, isInPlace(page..<page + Page.pagesPerHuge)
    else {
      return nil
    }
    return .frameNumber(section.first + page, writable: false)
  }

  /// `read(2)`, by frame number: the bytes at `offset`, fewer at the image's end.
  ///
  /// - Throws:
  ///   - `invalidArgument` for a negative offset or count.
  ///   - `file` with the errno if a page cannot be filled.
  ///   - `file(.readWhole, errno: EIO)` if the image's real file was truncated.
  public func read(at offset: Int, count: Int) throws(PageError) -> [UInt8] {
    guard offset >= 0, count >= 0 else { throw .invalidArgument }
    guard offset < byteCount else { return [] }
    var bytes: [UInt8] = []
    var position = offset
    let end = offset + min(count, byteCount - offset)
    bytes.reserveCapacity(end - offset)
    let isWritten = hasWritableMapping
    while position < end {
      let within = position % Page.size
      let length = min(Page.size - within, end - position)
      bytes += try readPage(position / Page.size, within..<within + length, flushing: isWritten)
      position += length
    }
    return bytes
  }

  /// `write(2)`: an image can only be read.
  package func write(_ bytes: [UInt8], at offset: Int) throws(PageError) { throw .readOnly }

  public var users: BackingUsers? { spaces }

  /// Flushes of the data cache that were asked for on behalf of this image.
  package var dataCacheCounts: DataCacheCounts { dataCacheCounter.counts }

  public func didCopy(page: Int, to copy: PageBytes) { dataCacheCounter.flush(copy: copy, in: section.memory) }
}
