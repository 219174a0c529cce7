import Glibc
import Synchronization

/// Reads pages of a store into the frames of a cache: for the thread that misses, and ahead of it (`ReadAhead`).
///
///     a thread that misses                    a thread that uses a trigger        the reader's own thread
///     1. a place and a frame for its page     1. the next window of the stream
///     2. under the content lock, for          2. places and frames for it;
///        reading: looks at the length,           each page: empty -> reading
///        empty -> reading; the window,        3. queues it, and goes on           4. under the content lock, for reading:
///        the same for its other pages                                                looks at the length, reads all that is
///     3. reads all of them together                                                  queued together
///     4. reading -> present, or empty                                             5. reading -> present, or empty
///
/// A page that is `reading` belongs to one thread or to the queue. Other threads that need it wait. A truncation leaves
/// it alone: the length is looked at once more before it is read, so a page beyond a new end becomes empty.
///
/// The thread holds the reader and not the cache, so a cache ends on the thread that releases it. That thread calls
/// `end` and joins it.
final class PageReader: Sendable {
  let memory: PhysicalMemory
  let store: any PageStore
  let states: PageStates
  let residents: ResidentPages
  let byteCount: Atomic<Int>
  /// Held for reading from the look at the length until a page that was read is present. Held for writing while pages
  /// are cut off (Linux's `invalidate_lock`).
  let contentLock = ReadWriteLock()
  /// Waited on for the end of reads and writes.
  let changes = Monitor()
  /// Reads that will free places or fill them: those that are queued, too.
  let readsUnderWay = Atomic<Int>(0)
  let refaults = Atomic<Int>(0)
  /// Pages that the store did not take. For threads that wait for room.
  let failedWrites = Atomic<Int>(0)
  let streams: Guarded<ReadAhead>
  private let windowLimit: Int
  let background = BackgroundReads()

  init(
    _ memory: PhysicalMemory, _ store: any PageStore, _ states: PageStates, _ residents: ResidentPages, byteCount: Int
  ) {
    self.memory = memory
    self.store = store
    self.states = states
    self.residents = residents
    self.byteCount = Atomic(byteCount)
    // Two windows of a stream are in memory at a time, and others need room as well.
    windowLimit = min(64, residents.limit / 4)
    streams = Guarded(ReadAhead(limit: windowLimit))
  }

  private var pageCount: Int { Page.count(holding: byteCount.load(ordering: .sequentiallyConsistent)) }

  /// A page that is being read: its place and its frame.
  struct Incoming: Sendable {
    let page: Int
    let place: ResidentPages.Place
    let pfn: PFN
  }

  // MARK: For the thread that misses

  /// Reads a page that is empty, and the pages of its window that are. Returns its frame with a reference for the
  /// caller, or nil if another thread was faster. Takes over the place and the frame.
  ///
  /// - Throws: `busError` beyond the end, or what the store threw.
  func read(_ asked: Incoming) throws(PageError) -> PFN? {
    // A truncation waits for the content lock and holds others that reclaim needs.
    try ReclaimScope.withoutReclaim { () throws(PageError) in
      try contentLock.reading { () throws(PageError) -> PFN? in
        let isInside = asked.page < pageCount
        guard isInside, let before = claim(asked) else {
          discard(asked)
          if isInside { return nil }
          throw .busError
        }
        let window = streams.withLock { $0.miss(at: asked.page, wasEvicted: before.wasEvicted) }
        let ahead = claimAhead(window, from: asked.page + 1)
        let batch = [asked] + ahead
        readsUnderWay.wrappingAdd(1, ordering: .sequentiallyConsistent)
        defer { finishReads(1) }
        var errors = read(batch)
        // An error in what was read ahead is no error of this page.
        if errors[0] != nil, batch.count > 1 { errors[0] = read([asked])[0] }
        YieldPoint.cacheBetweenReadAndInstall.reach()
        finish(asked, errors[0], references: 1, marks: 0)
        let trigger = trigger(of: window, among: ahead)
        for (index, incoming) in ahead.enumerated() { finishAhead(incoming, errors[index + 1], trigger) }
        if let error = errors[0] { throw error }
        return asked.pfn
      }
    }
  }

  // MARK: Ahead

  /// Has a window read by the reader's thread. Returns at once, and reads by itself only where there is no such thread.
  func readLater(_ window: ReadAhead.Window) {
    let batch = ReclaimScope.withoutReclaim { claimAhead(window, from: window.pages.lowerBound) }
    if batch.isEmpty { return }
    readsUnderWay.wrappingAdd(1, ordering: .sequentiallyConsistent)
    let read = BackgroundReads.Read(pages: batch, trigger: trigger(of: window, among: batch))
    if !background.add(read, for: self) { readAhead([read]) }
  }

  /// Reads windows of claimed pages.
  func readAhead(_ reads: [BackgroundReads.Read]) {
    YieldPoint.readAheadBeforeLock.reach(in: memory.frames.bytesBase)
    ReclaimScope.withoutReclaim {
      contentLock.reading {
        let end = pageCount
        for read in reads { for incoming in read.pages where incoming.page >= end { giveUp(incoming) } }
        let batch = reads.flatMap { $0.pages.filter { $0.page < end } }.sorted { $0.page < $1.page }
        let errors = batch.isEmpty ? [] : self.read(batch)
        let triggers = Set(reads.compactMap(\.trigger))
        let isEnding = background.isEnding
        for (incoming, error) in zip(batch, errors) {
          finishAhead(
            incoming, isEnding ? .file(.read, errno: EIO) : error,
            triggers.contains(incoming.page) ? incoming.page : nil)
        }
        finishReads(reads.count)
      }
    }
  }

  /// Leaves windows of claimed pages unread.
  func giveUp(_ reads: [BackgroundReads.Read]) {
    for read in reads { for incoming in read.pages { giveUp(incoming) } }
    finishReads(reads.count)
  }

  /// Whether a page is in memory that was read ahead, and that no thread has asked for.
  func isUnused(_ page: Int) -> Bool { page >= 0 && states[page].isAhead }

  /// The first page from `page` on that is not in memory, up to a window's length further on.
  func firstAbsent(from page: Int) -> Int {
    let end = min(page + windowLimit, states.capacity)
    return (page..<max(end, page)).first { states[$0].kind == .empty } ?? end
  }

  // MARK: Both

  private func read(_ batch: [Incoming]) -> [PageError?] {
    let frames = batch.map { memory.frames.bytes(of: $0.pfn) }
    let errors = CallScope.calling(for: self) {
      store.read(into: LentPages(frames, isWritable: true), at: batch.map(\.page))
    }
    // A bus error means "beyond the end" to a look-up, which would try again: a store that has another mapping behind
    // it may throw one.
    return reported(errors, of: batch.count, .read).map { error in
      if case .busError = error { .file(.read, errno: EIO) } else { error }
    }
  }

  /// Makes an empty page one that this thread reads. Returns its state before, or nil if it was not empty.
  private func claim(_ incoming: Incoming) -> PageState? {
    let before = states.update(incoming.page) { $0.kind == .empty ? .reading : nil }
    guard let before else { return nil }
    if before.wasEvicted { refaults.wrappingAdd(1, ordering: .relaxed) }
    residents.set(incoming.place, to: incoming.page)
    return before
  }

  /// The pages of a window that are empty: only if that costs no wait. The window ends where there is no room for more.
  private func claimAhead(_ window: ReadAhead.Window, from first: Int) -> [Incoming] {
    var batch: [Incoming] = []
    for page in first..<max(first, min(window.pages.upperBound, pageCount)) where states[page].kind == .empty {
      guard let incoming = roomWithoutWait(for: page) else {
        streams.withLock { $0.cut(window, at: page) }
        break
      }
      if claim(incoming) != nil { batch.append(incoming) } else { discard(incoming) }
    }
    return batch
  }

  private func roomWithoutWait(for page: Int) -> Incoming? {
    guard let place = residents.reserve() else { return nil }
    do throws(PageError) {
      return Incoming(page: page, place: place, pfn: try memory.allocateFrame(.noWait, movable: true))
    } catch {
      residents.release(place)
      return nil
    }
  }

  /// The page of a window that has the next window read at its first use: those before it were in memory already.
  private func trigger(of window: ReadAhead.Window, among batch: [Incoming]) -> Int? {
    window.trigger.flatMap { trigger in batch.first { $0.page >= trigger }?.page }
  }

  private func finishAhead(_ incoming: Incoming, _ error: PageError?, _ trigger: Int?) {
    let isTrigger = incoming.page == trigger
    // An evictor that looks before the reader comes spares the page, as one that was used.
    let marks = PageState.aheadMark | PageState.referencedMark | (isTrigger ? PageState.triggerMark : 0)
    finish(incoming, error, references: 0, marks: marks)
  }

  /// Makes a page present if it was read, and empty if it was not.
  private func finish(_ incoming: Incoming, _ error: PageError?, references: Int, marks: UInt64) {
    if error == nil {
      install(incoming.pfn, at: incoming.page, references: references, marks: marks)
    } else {
      giveUp(incoming)
    }
  }

  /// Makes a page present that the calling thread made `reading`. The frame has its contents, and its first reference
  /// is the cache's.
  ///
  /// ORDERING [lock-then-begin]: only that thread can change the state, so the frame is installed for certain when it
  /// gets its first reference.
  func install(_ pfn: PFN, at page: Int, references: Int = 0, marks: UInt64) {
    let frame = memory.frames.frame(pfn)
    frame.begin(anonymous: false, mapped: false)
    frame.set(Frame.writtenBackBit)
    // Before another thread can find and evict the page.
    if references > 0 { frame.addReferences(references) }
    states.update(page) { _ in .present(pfn).with(marks) }
  }

  private func giveUp(_ incoming: Incoming) {
    _ = residents.release(incoming.place, of: incoming.page) {
      states.update(incoming.page) { _ in .empty(evictedBy: 0) } != nil
    }
    memory.discardFrame(incoming.pfn)
  }

  /// Gives back a place and a frame of which no page knows.
  private func discard(_ incoming: Incoming) {
    residents.release(incoming.place)
    memory.discardFrame(incoming.pfn)
  }

  private func finishReads(_ count: Int) {
    readsUnderWay.wrappingSubtract(count, ordering: .sequentiallyConsistent)
    changes.locked { changes.wakeAll() }
  }
}
