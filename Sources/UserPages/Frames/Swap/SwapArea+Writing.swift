/// What the writer has to do. Guarded by the area's monitor.
struct SwapWork {
  /// Slots to write, in order, from `head` on.
  private var queue: [SwapSlot] = []
  private var head = 0
  /// How many were ever queued, and how many of them, in the same order, are done with.
  private(set) var queuedCount = 0
  var doneCount = 0
  var writer: ServiceThread?
  var isEnding = false

  var first: SwapSlot? { head < queue.count ? queue[head] : nil }

  mutating func append(_ slot: SwapSlot) {
    queue.append(slot)
    queuedCount += 1
  }

  /// Takes the first one out. The writer is not done with it yet.
  mutating func removeFirst() {
    head += 1
    if head == queue.count {
      queue.removeAll(keepingCapacity: true)
      head = 0
    }
  }
}

/// Writing, on a thread of the area's own, which begins with the first page and ends with the machine.
extension SwapArea {
  /// The most slots that are written at once.
  private static let stretch = 32

  /// Queues a slot for the writer, unless it is queued already. Its frame is neither mapped nor pinned. Under the
  /// monitor.
  func enqueue(_ slot: SwapSlot) {
    guard slots[slot.index].writing == .idle else { return }
    guard startWriter() else { return markIdle(slot) }
    markBusy(slot)
    slots[slot.index].writing = .queued
    work.append(slot)
    monitor.wakeAll()
  }

  /// Waits until what was queued before has been written, or could not be.
  ///
  /// - Precondition: not inside a read-side section, but at the machine's end. Holding no lock but the mmap lock.
  func finishWrites() {
    monitor.locked {
      // What others queue meanwhile is not waited for: that could last for ever.
      let goal = work.queuedCount
      while work.doneCount < goal { monitor.wait() }
    }
  }

  /// Ends the writer once it has done what is queued. The machine's end: no other thread uses the area.
  func end() {
    let writer = monitor.locked { () -> ServiceThread? in
      work.isEnding = true
      monitor.wakeAll()
      defer { work.writer = nil }
      return work.writer
    }
    writer?.join()
  }

  /// False where the process has no thread to spare: the page stays in the cache, as if it could not be written.
  private func startWriter() -> Bool {
    // The thread holds the area, and the area is ended before it goes.
    if work.writer == nil { work.writer = ServiceThread.start("gup-swap") { [self] in write() } }
    return work.writer != nil
  }

  private func write() {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.stretch * Page.size, alignment: Page.size)
    defer { room.deallocate() }
    while let (first, count) = takeStretch(into: room) {
      YieldPoint.swapWriteBetweenCopyAndFile.reach(in: frames.bytesBase)
      let bytes = UnsafeRawBufferPointer(rebasing: room[..<(count * Page.size)])
      let succeeded = store.write(bytes, to: first)
      finish(first, bytes, succeeded)
    }
  }

  /// Waits for work, and copies a stretch of queued pages. Returns nil at the end.
  ///
  /// The file and the checksum get the same bytes, because both come from the copy. Without the copy they could differ:
  /// a fault may take the page back, and the program store to it at once. The copy is made under the monitor, where a
  /// cached frame stays cached.
  ///
  /// ORDERING [swap-then-copy]: a page was queued a grace period after its entry was replaced, so every store by that
  /// entry has landed before the copy.
  private func takeStretch(into room: UnsafeMutableRawBufferPointer) -> (first: SwapSlot, count: Int)? {
    var stretch: (first: SwapSlot, count: Int)?
    while true {
      let isComplete = monitor.locked { () -> Bool in
        while stretch == nil, work.first == nil, !work.isEnding { monitor.wait() }
        guard let slot = work.first else { return true }
        if let (first, count) = stretch, count == Self.stretch || slot.index != first.index + count { return true }
        guard let pfn = slots[slot.index].frame else {
          // Taken back, or given up. It waits for its turn, so that slots are done with in order.
          if stretch != nil { return true }
          work.removeFirst()
          slots[slot.index].writing = .idle
          freeIfUnused(slot)
          finish(count: 1)
          return false
        }
        work.removeFirst()
        slots[slot.index].writing = .underWay
        let count = stretch?.count ?? 0
        frames.bytes(of: pfn).copy(
          into: UnsafeMutableRawBufferPointer(rebasing: room[(count * Page.size)..<((count + 1) * Page.size)]))
        stretch = (stretch?.first ?? slot, count + 1)
        return false
      }
      if isComplete { return stretch }
    }
  }

  /// Frees the frames of what was written, unless a fault has taken them back.
  private func finish(_ first: SwapSlot, _ bytes: UnsafeRawBufferPointer, _ succeeded: Bool) {
    let count = bytes.count / Page.size
    let sums = (0..<count).map { page in
      SwapChecksum.of(UnsafeRawBufferPointer(rebasing: bytes[(page * Page.size)..<((page + 1) * Page.size)]))
    }
    let freed = monitor.locked {
      (0..<count).compactMap { page -> PFN? in
        let slot = SwapSlot(first.index + page)
        // The frame may be gone by now, even for good. It is not another one: the slot is one page's until the writer
        // is done.
        slots[slot.index].writing = .idle
        defer { freeIfUnused(slot) }
        if succeeded {
          slots[slot.index].isWritten = true
          slots[slot.index].checksum = sums[page]
          if let pfn = uncacheIfOnly(slot) { return pfn }
        }
        markIdle(slot)
        return nil
      }
    }
    // Freed before `finish` wakes the threads that wait for free frames.
    for pfn in freed { freeFrame(pfn) }
    monitor.locked { finish(count: count) }
  }

  /// Slots are done with. Under the monitor.
  private func finish(count: Int) {
    work.doneCount += count
    monitor.wakeAll()
  }
}
