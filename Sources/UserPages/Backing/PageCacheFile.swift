import Glibc
import Synchronization

/// A memory file: a file that is nothing but its pages in the page cache (`tmpfs`, `memfd_create(2)`).
///
/// Frames have descriptors and are allocated on first use. The cache holds one reference for each cached page, and lets
/// go of it a grace period after the place was emptied. Look-ups take no lock: a place in the cache is one atomic word.
/// A frame found there can be taken in the same read-side section. For a real file see ``PageCache``.
public final class PageCacheFile: Backing {
  let memory: PhysicalMemory
  let index: PageCacheIndex
  let source: Source
  /// Held while places are filled, so that a page and the 2 MiB around it are not both made. Held while the length
  /// changes, so that no place beyond the end is filled. Held while a collapse withholds places, so that an empty one
  /// is not filled. Look-ups do without.
  let original: Guarded<OriginalContents>
  /// One change of the length or the contents at a time.
  let changeLock = OwnedLock()
  let length: Atomic<Int>
  let moves = InvalidationSequence()
  let spaces = BackingUsers()
  let dataCacheCounter = DataCacheCounter()
  /// The most bytes that the file can have.
  let maximumByteCount: Int
  /// Whether pages may leave their frames for the swap file or for 2 MiB, and a frame be without references for a
  /// moment. Once false, it stays so.
  let mayMove: Guarded<Bool>
  /// Where aligned 2 MiB begin of which the frame lacks a part, and that no change has broken up.
  let leftovers = Guarded<Set<Int>>([])
  /// Whether the machine's reclaimer knows the file.
  private let isRegistered = Guarded(false)
  /// The page that the hand of reclaim's clock is at.
  let clockHand = Guarded(0)

  enum Source: Sendable {
    case byte(UInt8)
    case bytes([UInt8])
    case reader(@Sendable () throws(PageError) -> [UInt8])
  }

  /// A file of `pages` pages filled with `fill`.
  ///
  /// - Parameters:
  ///   - memory: where the frames come from.
  ///   - pages: the length at first.
  ///   - fill: what is in all of them.
  ///   - maximumPages: how far the file can grow, in pages. Nil for a file that does not. It costs 8 bytes of address
  ///     space a page.
  ///   - isEvictable: whether pages may leave their frames, for the swap file (`mapping_set_unevictable`) or for 2 MiB
  ///     in one frame, and such frames be broken up. Say false if frames of the file are mapped by number.
  /// - Throws:
  ///   - `invalidArgument` if a number is negative or the length overflows.
  ///   - `outOfMemory` if the process lacks the address space.
  public convenience init(
    _ memory: PhysicalMemory, pages: Int, fill: UInt8 = 0, maximumPages: Int? = nil, isEvictable: Bool = true
  ) throws(PageError) {
    guard pages >= 0, pages <= 1 << 40 else { throw .invalidArgument }
    try self.init(memory, .byte(fill), byteCount: pages * Page.size, maximumPages, isEvictable: isEvictable)
  }

  /// A file that holds `contents`. The rest of its last page reads as zeroes through a mapping.
  ///
  /// - Parameters:
  ///   - memory: where the frames come from.
  ///   - contents: the bytes at first.
  ///   - maximumPages: how far the file can grow, in pages. Nil for a file that does not.
  ///   - isEvictable: as for the other initializer.
  /// - Throws: as the other initializer.
  public convenience init(
    _ memory: PhysicalMemory, contents: [UInt8], maximumPages: Int? = nil, isEvictable: Bool = true
  ) throws(PageError) {
    try self.init(memory, .bytes(contents), byteCount: contents.count, maximumPages, isEvictable: isEvictable)
  }

  /// One page that `reader` is asked for whenever it is to be cached. Bytes that it gives beyond `byteCount` do not
  /// count. If it throws, its error is the fault's answer.
  package convenience init(
    _ memory: PhysicalMemory, page reader: @escaping @Sendable () throws(PageError) -> [UInt8], byteCount: Int
  ) {
    precondition((1...Page.size).contains(byteCount))
    do throws(PageError) {
      try self.init(memory, .reader(reader), byteCount: byteCount, nil, isEvictable: false)
    } catch {
      fatalError("no memory for an index of one page")
    }
  }

  private init(
    _ memory: PhysicalMemory, _ source: Source, byteCount: Int, _ maximumPages: Int?, isEvictable: Bool
  ) throws(PageError) {
    guard maximumPages ?? 0 >= 0, maximumPages ?? 0 <= 1 << 40 else { throw .invalidArgument }
    self.memory = memory
    self.source = source
    length = Atomic(byteCount)
    maximumByteCount = maximumPages.map { max($0 * Page.size, byteCount) } ?? byteCount
    index = try PageCacheIndex(count: Page.count(holding: maximumByteCount), memory.allocationFailures)
    original = Guarded(OriginalContents(byteCount: byteCount))
    mayMove = Guarded(isEvictable)
    if self.isEvictable { beReclaimed() }
  }

  /// Makes the file known to the machine's reclaimer, once. Holding no lock.
  func beReclaimed() {
    let isNew = isRegistered.withLock { isRegistered in
      defer { isRegistered = true }
      return !isRegistered
    }
    if isNew { memory.reclaimer.add(self) }
  }

  // No other thread has the file, so the change lock is not needed.
  deinit {
    drop(0..<pageCount)
    memory.deferred.drainIfFull()
  }

  /// The file's length.
  public var byteCount: Int { length.load(ordering: .sequentiallyConsistent) }

  public var pageCount: Int { Page.count(holding: byteCount) }

  public var sequence: InvalidationSequence? { moves }

  public var users: BackingUsers? { spaces }

  /// Pages that are in the cache at this moment.
  package var cachedPages: Int {
    var count = 0
    index.forEach(in: 0..<pageCount) { page in
      if index[page] != nil { count += 1 }
      return true
    }
    return count
  }

  /// Flushes of the data cache that were asked for on behalf of this file.
  package var dataCacheCounts: DataCacheCounts { dataCacheCounter.counts }

  public func fault(page: Int, write: Bool) -> FaultAnswer {
    guard page >= 0 else { return .busError }
    do throws(PageError) {
      guard let pfn = try frame(of: page) else { return .busError }
      return answer(owning: pfn)
    } catch {
      return .failed(error)
    }
  }

  /// An answer that passes on a reference of the caller's, on a base frame or on the 2 MiB frame that has `pfn`.
  func answer(owning pfn: PFN) -> FaultAnswer {
    let first = memory.frames.frame(pfn).has(Frame.hugeBit) ? pfn.hugeStart : pfn
    return .frame(FrameReference(owning: first, in: memory), page: Int(pfn.rawValue - first.rawValue))
  }

  /// `read(2)`: the bytes at `offset`, fewer at the file's end.
  ///
  /// - Throws:
  ///   - `invalidArgument` for a negative offset or count.
  ///   - `outOfMemory` if a page is not cached and cannot be.
  ///   - `file` if the swap file does not give a page back as it went.
  public func read(at offset: Int, count: Int) throws(PageError) -> [UInt8] {
    guard offset >= 0, count >= 0 else { throw .invalidArgument }
    var bytes: [UInt8] = []
    var position = offset
    let byteCount = byteCount
    let end = offset > byteCount ? offset : offset + min(count, byteCount - offset)
    bytes.reserveCapacity(end - offset)
    let isWritten = position < end && spaces.haveWritableMapping(of: self)
    while position < end {
      let within = position % Page.size
      let length = min(Page.size - within, end - position)
      guard let pfn = try frame(of: position / Page.size) else { return bytes }
      noteUse(of: pfn)
      // A program may be storing through another alias.
      if isWritten { dataCacheCounter.flush(pfn, in: memory) }
      bytes += memory.frames.bytes(of: pfn).copy(fromByteOffset: within, count: length)
      memory.put(memory.frames.folio(of: pfn), Frame.oneReference)
      position += length
    }
    return bytes
  }

  /// `write(2)`: makes the file longer where the bytes end beyond it.
  ///
  /// - Throws: one of these. Pages before the failing one stay written.
  ///   - `invalidArgument` for a negative offset.
  ///   - `file(.resize, errno: EFBIG)` beyond what the file was made for.
  ///   - `outOfMemory` and `file` as in `read`.
  public func write(_ bytes: [UInt8], at offset: Int) throws(PageError) {
    guard offset >= 0, offset <= Int.max - bytes.count else { throw .invalidArgument }
    var done = 0
    while done < bytes.count {
      // Each time: the file may have been cut again.
      try extend(to: offset + bytes.count)
      let within = (offset + done) % Page.size
      let length = min(Page.size - within, bytes.count - done)
      guard let pfn = try frame(of: (offset + done) / Page.size) else { continue }
      YieldPoint.cacheBetweenPageAndCopy.reach()
      memory.frames.bytes(of: pfn).copy(Array(bytes[done..<done + length]), toByteOffset: within)
      memory.frames.frame(pfn).set(Frame.dirtyBit)
      noteUse(of: pfn)
      dataCacheCounter.flush(pfn, in: memory)
      memory.put(memory.frames.folio(of: pfn), Frame.oneReference)
      // The file may have ended before these bytes meanwhile: they come again, in a longer file.
      if isInside(offset + done + length) { done += length }
    }
  }

  /// Whether the file has all bytes up to `end`, after the caller has stored some of them and given back its reference
  /// on their frame.
  ///
  /// ORDERING [store-then-length]: bytes, `put`, length here. In a truncation: length, grace period, `retain` of the
  /// same frame, zeroes behind the end. `put` and `retain` update one word. If the `put` comes later, it acquires, and
  /// this finds the new length. If it comes first, the truncation clears what the caller stored. Otherwise a file that
  /// grows again would show it.
  private func isInside(_ end: Int) -> Bool { end <= byteCount }

  /// The frame of a page, with a reference for the caller. Nil beyond the end.
  private func frame(of page: Int) throws(PageError) -> PFN? {
    while page < pageCount {
      if let cached = try cachedFrame(of: page) { return cached }
      if let slot = index.slot(at: page) {
        if let pfn = try swapIn(slot, ofPage: page) { return pfn }
        continue
      }
      if index.isWithheld(page) {
        waitForCollapse()
        continue
      }
      YieldPoint.cacheBetweenLengthAndContents.reach()
      let contents = original.withLock { $0 }
      let pfn = try memory.allocateFrame(.mayReclaim)
      do throws(PageError) {
        try fill(memory.frames.bytes(of: pfn), page: page, from: contents)
      } catch {
        memory.discardFrame(pfn)
        throw error
      }
      YieldPoint.cacheBetweenReadAndInstall.reach()
      let isInstalled = original.withLock { now in
        // A truncation since would not find the page: read it again. One before `contents` were read has left the
        // version alone, so the length is looked at too. It changes under this lock. A page beyond the end would stay
        // in the cache for good.
        guard now.version == contents.version, page < pageCount, index.isEmpty(page) else { return false }
        // ORDERING [lock-then-begin]: only a thread that holds the lock fills a place, so this one stays empty until
        // the frame is in it.
        let frame = memory.frames.frame(pfn)
        frame.begin(anonymous: false, mapped: false)
        // The caller's reference, before another thread can find and drop the frame.
        frame.addReferences(1)
        YieldPoint.cacheBetweenBeginAndInstall.reach()
        return index.install(pfn, at: page)
      }
      if isInstalled { return pfn }
      memory.discardFrame(pfn)
    }
    return nil
  }

  /// The frame of a page, if it is in the cache, with a reference for the caller.
  ///
  /// ORDERING [deferred-free]: inside one section, so that the cache's own reference is there still, even if the place
  /// is emptied meanwhile. A reference taken too late would be one on another's frame. The exception are 2 MiB that are
  /// broken up at this moment. This thread then looks at the place again. The breaking thread waits for nothing until
  /// each part has its reference.
  ///
  /// - Throws: `outOfMemory` where the frame has too many references.
  func cachedFrame(of page: Int) throws(PageError) -> PFN? {
    var turns = 0
    while true {
      let (pfn, isRetained) = try RCU.read { section throws(PageError) -> (PFN?, Bool) in
        guard let pfn = index[page] else { return (nil, false) }
        YieldPoint.cacheBetweenLookAndReference.reach()
        return (pfn, try memory.retainFolio(of: pfn, section) != nil)
      }
      if isRetained || pfn == nil { return pfn }
      BusyWait.turn(&turns)
    }
  }

  /// Fills a page with what `original` has of it, and with zeroes.
  func fill(_ bytes: FrameBytes, page: Int, from original: OriginalContents) throws(PageError) {
    let count = original.bytes(ofPage: page)
    if count > 0 {
      switch source {
      case .byte(let byte): bytes.fill(byte, count: count)
      case .bytes(let contents): bytes.copy(Array(contents[page * Page.size..<page * Page.size + count]))
      case .reader(let read):
        let contents = try read().prefix(count)
        bytes.copy(Array(contents))
        bytes.fill(0, fromByteOffset: contents.count, count: count - contents.count)
      }
    }
    bytes.fill(0, fromByteOffset: count, count: Page.size - count)
  }
}
