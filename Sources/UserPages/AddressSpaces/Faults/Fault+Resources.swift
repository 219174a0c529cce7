import Glibc

/// A frame from the allocator that no entry maps yet.
struct NewFrame {
  let pfn: PFN
  /// Whether it holds zeroes. Otherwise its contents are unspecified.
  let isZeroed: Bool
}

/// What an attempt may lack, and how the fault gets it outside of read-side sections.
extension Fault {
  /// Gets a frame, cleared if `zeroed`.
  ///
  /// A page is cleared here and not by the attempt that installs it: no section and no locked entry waits for it, and
  /// the atomic operations of the attempt do not wait for 64 lines on their way to the cache.
  mutating func getFrame(zeroed: Bool) throws(PageError) {
    let pfn: PFN
    if let frame { pfn = frame.pfn } else { pfn = try allocateFrame() }
    if zeroed { frames.bytes(of: pfn).fill(0) }
    frame = NewFrame(pfn: pfn, isZeroed: zeroed)
  }

  private mutating func allocateFrame() throws(PageError) -> PFN {
    // The fault maps a base page after all. The 2 MiB that were meant for it may be all the memory there is.
    if let hugeFrame { space.with { $0.memory.discardHugeFrame(hugeFrame) } }
    hugeFrame = nil
    let mayUseMovableFrame = mayUseMovableFrame
    return try space.with { space throws(PageError) in try space.allocateFrameForFault(movable: mayUseMovableFrame) }
  }

  /// Gets 2 MiB of zeroes, or notes that there are none.
  mutating func getHugeFrame() {
    let first = space.with { $0.memory.allocateHugeFrame($0.faultsHoldMmapLock ? .underLock : .mayReclaim) }
    guard let first else {
      isHugeRefused = true
      return
    }
    for index in 0..<Page.pagesPerHuge { frames.bytes(of: first + index).fill(0) }
    hugeFrame = first
  }

  // MARK: Answers of a backing

  /// What the backing has answered to `question`, and what tells whether that still holds; nil if the backing must be
  /// asked.
  func usableAnswer(to question: FaultQuestion) -> (content: BackingAnswer.Content, validity: AnswerValidity)? {
    switch answer {
    case .none: return nil
    case .some(let answer): return answer.isUsable(for: question) ? (answer.content, answer.validity) : nil
    }
  }

  /// Ends an attempt that cannot go on without an answer to `question`.
  mutating func ask(_ question: FaultQuestion) -> Outcome {
    self.question = question
    return .needsAnswer
  }

  /// Asks the backing. Returns false if it says to ask again.
  mutating func getAnswer() -> Bool {
    space.with { space in
      space.leavingFaultLock {
        deferEndsOfBackings(in: space)
        answer = nil
        guard let question else { return true }
        let given = BackingAnswer(to: question, in: space.memory)
        if case .retry = given.content { return false }
        if case .noHugeFrame = given.content { isHugeRefused = true }
        answer = consume given
        self.question = nil
        return true
      }
    }
  }

  /// How often in a row a backing may say `retry`. The second half of the pauses are a millisecond each: about a second
  /// in all.
  private static var retryLimit: Int { 2048 }

  /// Waits before the backing is asked again, for the `retries`th time in a row.
  mutating func pause(beforeRetry retries: Int) throws(PageError) {
    guard retries <= Self.retryLimit else {
      report(.endlessRetry)
      throw .busError
    }
    // Without the mmap lock: what the backing waits for may need it.
    space.with { space in
      space.leavingFaultLock {
        var turns = retries
        if retries <= Self.retryLimit / 2 { PTEPointer.wait(&turns) } else { usleep(1000) }
      }
    }
  }

  /// Tells the machine of a mistake in the answer, or of the question that gets none. Under no lock.
  mutating func report(_ reason: BackingDiagnostic.Reason) {
    space.with { space in
      space.leavingFaultLock {
        var asked = question
        switch answer {
        case .some(let answer): asked = answer.question
        case .none: break
        }
        guard let asked else { return }
        space.memory.diagnostics.report(BackingDiagnostic(backing: asked.backing, page: asked.page, reason: reason))
      }
    }
  }

  /// The installed entry owns the answer's reference now.
  mutating func handAnswerOver() {
    if let answer = answer.take() { answer.handOver() }
  }

  // MARK: Pages in the swap file

  /// Reads a slot that the fault holds. The hold stays with the page.
  mutating func getSwapped(_ slot: SwapSlot) throws(PageError) {
    if let swapped { space.with { swapped.giveBack(to: $0.memory) } }
    swapped = nil
    let mayUseMovableFrame = mayUseMovableFrame
    swapped = try space.with { space throws(PageError) in
      try SwappedPage(reading: slot, in: space, movable: mayUseMovableFrame)
    }
  }
}

extension AddressSpace {
  /// Allocates a frame for a fault, which is in no section and holds at most the mmap lock, for reading.
  ///
  /// If none is free, the fault leaves that lock: reclaim may need the same one, for which a writer may wait already.
  ///
  /// - Parameter movable: whether the frame may be a movable one. Not if a long-term pin is about to hold it.
  func allocateFrameForFault(movable: Bool) throws(PageError) -> PFN {
    guard faultsHoldMmapLock else { return try memory.allocateFrame(.mayReclaim, movable: movable) }
    do throws(PageError) { return try memory.allocateFrame(.noWait, movable: movable) } catch {
      return try leavingFaultLock { () throws(PageError) in try memory.allocateFrame(.mayReclaim, movable: movable) }
    }
  }
}
