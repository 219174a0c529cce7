/// Execute-in-place memory: an image that is read where it lies. It has no frame descriptors, whatever its size.
///
/// What an XIP flash or a DCSS segment is. The bytes are read-only, for mappings, for `write` and for this process.
public final class Image: Backing {
  /// Length in bytes; the last page is zero-padded.
  public let byteCount: Int
  private let section: MemorySection

  private init(section: MemorySection, byteCount: Int) {
    self.section = section
    self.byteCount = byteCount
  }

  /// An image of `pages` pages, each filled with the byte that `fill` gives for its index.
  ///
  /// - Throws: `invalidArgument` where `pages` is not positive, `outOfMemory` where there are not as many frame numbers.
  public convenience init(_ memory: PhysicalMemory, pages: Int, fill: (Int) -> UInt8) throws(PageError) {
    let section = try MemorySection.bare(memory, pages: pages) { page, bytes in
      let byte = fill(page)
      // A page of zeroes needs no memory at all.
      if byte != 0 { bytes.fill(byte) }
    }
    self.init(section: section, byteCount: pages * Page.size)
  }

  /// An image that holds `contents`.
  public convenience init(_ memory: PhysicalMemory, contents: [UInt8]) throws(PageError) {
    guard !contents.isEmpty else { throw .invalidArgument }
    let pages = (contents.count + Page.size - 1) / Page.size
    let section = try MemorySection.bare(memory, pages: pages) { page, bytes in
      bytes.copy(Array(contents[page * Page.size..<min((page + 1) * Page.size, contents.count)]))
    }
    self.init(section: section, byteCount: contents.count)
  }

  /// An image that is a real file, in place: its pages are the host's page cache, shared with everybody who maps it.
  ///
  /// - Throws: `badAddress` where the file cannot be opened, `invalidArgument` where it is empty.
  public convenience init(_ memory: PhysicalMemory, path: String) throws(PageError) {
    let (section, bytes) = try MemorySection.bare(memory, path: path)
    self.init(section: section, byteCount: bytes)
  }

  public var pageCount: Int { section.pages }

  /// The first page's frame number; the rest follow.
  public var firstPFN: PFN { section.first }

  public func fault(page: Int, write: Bool) -> FaultAnswer {
    guard page >= 0, page < section.pages else { return .busError }
    return write ? .busError : .frameNumber(section.first + page, writable: false)
  }

  /// `read(2)`, by frame number: the bytes at `offset`, fewer at the image's end.
  ///
  /// - Throws: `invalidArgument` for a negative offset or count.
  public func read(at offset: Int, count: Int) throws(PageError) -> [UInt8] {
    guard offset >= 0, count >= 0 else { throw .invalidArgument }
    guard offset < byteCount else { return [] }
    var bytes: [UInt8] = []
    var position = offset
    let end = offset + min(count, byteCount - offset)
    bytes.reserveCapacity(end - offset)
    while position < end {
      let within = position % Page.size
      let length = min(Page.size - within, end - position)
      let frame = section.memory.frames.bytes(of: section.first + position / Page.size)
      bytes += frame.copy(fromByteOffset: within, count: length)
      position += length
    }
    return bytes
  }

  /// `write(2)`: an image can only be read.
  public func write(_ bytes: [UInt8], at offset: Int) throws(PageError) { throw .readOnly }
}
