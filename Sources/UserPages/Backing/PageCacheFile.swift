/// A file in the page cache: frames with descriptors, allocated on first use.
///
/// The cache holds one reference for each cached page, and lets go of it a grace period after the place was emptied. Look-ups
/// take no lock: a place in the cache is one atomic word, and a frame found there can be taken in the same read-side section.
public final class PageCacheFile: Backing {
  /// The file's length.
  public let byteCount: Int
  let memory: PhysicalMemory
  let slots: PageCacheIndex
  private let source: Source
  /// Held while places are filled, so that a page and the 2 MiB around it are not both made. Look-ups do without.
  let fillLock = Guarded<Bool>(false)
  private let spaces = BackingUsers()
  private let dataCacheCounter = DataCacheCounter()

  private enum Source: Sendable {
    case byte(UInt8)
    case bytes([UInt8])
    case reader(@Sendable () throws(PageError) -> [UInt8])
  }

  /// A file of `pages` pages filled with `fill`.
  ///
  /// - Throws: `invalidArgument` where `pages` is negative or the length overflows.
  public init(_ memory: PhysicalMemory, pages: Int, fill: UInt8 = 0) throws(PageError) {
    guard pages >= 0, pages <= 1 << 40 else { throw .invalidArgument }
    self.memory = memory
    byteCount = pages * Page.size
    slots = PageCacheIndex(count: pages)
    source = .byte(fill)
  }

  /// A file that holds `contents`; the rest of its last page reads as zeroes through a mapping.
  public init(_ memory: PhysicalMemory, contents: [UInt8]) {
    self.memory = memory
    byteCount = contents.count
    slots = PageCacheIndex(count: (contents.count + Page.size - 1) / Page.size)
    source = .bytes(contents)
  }

  /// One page that `reader` is asked for whenever it is to be cached; what it gives beyond `byteCount` does not count. What it
  /// throws is the fault's answer.
  package init(
    _ memory: PhysicalMemory, page reader: @escaping @Sendable () throws(PageError) -> [UInt8], byteCount: Int
  ) {
    precondition((1...Page.size).contains(byteCount))
    self.memory = memory
    self.byteCount = byteCount
    slots = PageCacheIndex(count: 1)
    source = .reader(reader)
  }

  deinit { drop() }

  public var pageCount: Int { slots.count }

  public var users: BackingUsers? { spaces }

  /// Flushes of the data cache that were asked for on behalf of this file.
  package var dataCacheCounts: DataCacheCounts { dataCacheCounter.counts }

  public func fault(page: Int, write: Bool) -> FaultAnswer {
    guard page >= 0, page < slots.count else { return .busError }
    do throws(PageError) {
      return answer(owning: try frame(of: page))
    } catch {
      return error == .outOfMemory ? .outOfMemory : .busError
    }
  }

  /// An answer that passes on a reference of the caller's, on a base frame or on the 2 MiB frame that has `pfn`.
  func answer(owning pfn: PFN) -> FaultAnswer {
    let first = memory.frames.frame(pfn).has(Frame.hugeBit) ? pfn.hugeStart : pfn
    return .frame(FrameReference(owning: first, in: memory), page: Int(pfn.rawValue - first.rawValue))
  }

  /// `read(2)`: the bytes at `offset`, fewer at the file's end.
  ///
  /// - Throws: `invalidArgument` for a negative offset or count, `outOfMemory` where a page is not cached and cannot be.
  public func read(at offset: Int, count: Int) throws(PageError) -> [UInt8] {
    guard offset >= 0, count >= 0 else { throw .invalidArgument }
    var bytes: [UInt8] = []
    var position = offset
    let end = offset > byteCount ? offset : offset + min(count, byteCount - offset)
    bytes.reserveCapacity(end - offset)
    let isWritten = position < end && spaces.haveWritableMapping(of: self)
    while position < end {
      let within = position % Page.size
      let length = min(Page.size - within, end - position)
      let pfn = try frame(of: position / Page.size)
      // A program may be storing through another alias.
      if isWritten { dataCacheCounter.flush(pfn, in: memory) }
      bytes += memory.frames.bytes(of: pfn).copy(fromByteOffset: within, count: length)
      memory.put(memory.frames.folio(of: pfn), Frame.oneReference)
      position += length
    }
    return bytes
  }

  /// `write(2)` inside the file's length.
  ///
  /// - Throws: `invalidArgument` where the range is not inside the file, `outOfMemory` as in `read`; pages before the
  ///   failing one stay written.
  public func write(_ bytes: [UInt8], at offset: Int) throws(PageError) {
    guard offset >= 0, bytes.count <= byteCount, offset <= byteCount - bytes.count else { throw .invalidArgument }
    var done = 0
    while done < bytes.count {
      let within = (offset + done) % Page.size
      let length = min(Page.size - within, bytes.count - done)
      let pfn = try frame(of: (offset + done) / Page.size)
      let frame = memory.frames.frame(pfn)
      memory.frames.bytes(of: pfn).copy(Array(bytes[done..<done + length]), toByteOffset: within)
      frame.set(Frame.dirtyBit)
      dataCacheCounter.flush(pfn, in: memory)
      memory.put(memory.frames.folio(of: pfn), Frame.oneReference)
      done += length
    }
  }

  /// Throws the cache away, as when the file is deleted. Mapped and pinned frames live on until they are let go; a later
  /// access reads the file's first contents again.
  public func drop() {
    for page in 0..<slots.count {
      guard let pfn = slots[page], slots.remove(pfn, at: page) else { continue }
      memory.putAfterGracePeriod(memory.frames.number(of: memory.frames.folio(of: pfn)))
    }
    memory.deferred.drainIfFull()
  }

  /// The frame of a page that exists, with a reference for the caller.
  private func frame(of page: Int) throws(PageError) -> PFN {
    while true {
      if let cached = try cachedFrame(of: page) { return cached }
      let pfn = try memory.allocateFrame(underLock: false)
      do throws(PageError) {
        try fill(memory.frames.bytes(of: pfn), page: page)
      } catch {
        memory.discardFrame(pfn)
        throw error
      }
      let isInstalled = fillLock.withLock { _ in
        guard slots[page] == nil else { return false }
        // ORDERING [lock-then-begin]: only a thread that holds the lock fills a place, so this one stays empty until the frame
        // is in it.
        let frame = memory.frames.frame(pfn)
        frame.begin(anonymous: false, mapped: false)
        // The caller's reference, before another thread can find and drop the frame.
        frame.addReferences(1)
        return slots.install(pfn, at: page)
      }
      if isInstalled { return pfn }
      memory.discardFrame(pfn)
    }
  }

  /// The frame of a page, if it is in the cache, with a reference for the caller.
  ///
  /// ORDERING [deferred-free]: inside one section, so that the cache's own reference is there still, even if the place is
  /// emptied meanwhile. A reference taken too late would be one on another's frame.
  ///
  /// - Throws: `outOfMemory` where the frame has too many references.
  func cachedFrame(of page: Int) throws(PageError) -> PFN? {
    try RCU.read { () throws(PageError) -> PFN? in
      guard let pfn = slots[page] else { return nil }
      YieldPoint.cacheBetweenLookAndReference.reach()
      let folio = memory.frames.folio(of: pfn)
      guard folio.retain(Frame.oneReference) else {
        memory.put(folio, Frame.oneReference)
        throw .outOfMemory
      }
      return pfn
    }
  }

  func fill(_ bytes: FrameBytes, page: Int) throws(PageError) {
    switch source {
    case .byte(let byte): bytes.fill(byte)
    case .bytes(let contents):
      let start = page * Page.size
      let length = min(Page.size, contents.count - start)
      bytes.copy(Array(contents[start..<start + length]))
      bytes.fill(0, fromByteOffset: length, count: Page.size - length)
    case .reader(let read):
      let contents = try read().prefix(byteCount)
      bytes.copy(Array(contents))
      bytes.fill(0, fromByteOffset: contents.count, count: Page.size - contents.count)
    }
  }
}
