/// Windows that wait to be read, and the thread that reads them.
///
/// The thread takes all windows that are queued together, so those of several streams are under way at once
/// (`PageStore.read(into:at:)`). It begins with the first window and ends with the cache.
final class BackgroundReads: Sendable {
  /// A window of claimed pages: they are `reading`, and have a place and a frame.
  struct Read: Sendable {
    let pages: [PageReader.Incoming]
    /// The one of them that has the next window read at its first use.
    let trigger: Int?
  }

  private struct Work: Sendable {
    var queue: [Read] = []
    var thread: ServiceThread?
    var isEnding = false
  }

  private let work = Guarded(Work())
  /// Waited on for a change of `work`.
  private let changes = Monitor()

  /// Whether the cache is at its end: what is read is thrown away.
  var isEnding: Bool { work.withLock { $0.isEnding } }

  /// Queues a window. Returns false where the process has no thread to spare.
  func add(_ read: Read, for reader: PageReader) -> Bool {
    let isQueued = work.withLock { work in
      if work.thread == nil, !work.isEnding { work.thread = ServiceThread.start("gup-readahead") { reader.run() } }
      guard work.thread != nil else { return false }
      work.queue.append(read)
      return true
    }
    changes.locked { changes.wakeAll() }
    return isQueued
  }

  /// All windows that are queued. Waits until there are some. Nil at the cache's end.
  fileprivate func next() -> [Read]? {
    changes.locked {
      while true {
        let (reads, isEnding) = work.withLock { work in
          if work.isEnding { return ([Read](), true) }
          defer { work.queue = [] }
          return (work.queue, false)
        }
        if isEnding { return nil }
        if !reads.isEmpty { return reads }
        changes.wait()
      }
    }
  }

  /// Ends the thread, and returns windows that it has not taken. No window is added any more.
  fileprivate func end() -> [Read] {
    let thread = work.withLock { work -> ServiceThread? in
      work.isEnding = true
      defer { work.thread = nil }
      return work.thread
    }
    changes.locked { changes.wakeAll() }
    thread?.join()
    return work.withLock { work in
      defer { work.queue = [] }
      return work.queue
    }
  }
}

extension PageReader {
  /// The thread's life. The cache's end waits for it, so it must not run that end, nor one that waits for that.
  func run() {
    ReclaimScope.leavingObjectsToOthers { while let reads = background.next() { readAhead(reads) } }
  }

  /// Waits for reads that are under way, and leaves what is queued unread. The cache's end: no thread asks for a page
  /// any more.
  ///
  /// Where a store releases the cache inside a read, this is the reader's thread, which cannot wait for itself. The
  /// pages of that read are given up when it is over.
  func end() {
    let rest = background.end()
    giveUp(rest)
  }
}
