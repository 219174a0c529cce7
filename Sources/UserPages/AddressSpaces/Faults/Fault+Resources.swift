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
  /// A page is cleared here and not by the attempt that installs it. So no section and no locked entry waits for it.
  /// Nor do the atomic operations of the attempt wait for 64 lines on their way to the cache.
  mutating func getFrame(zeroed: Bool) throws(PageError) {
    let pfn: PFN
    if let frame { pfn = frame.pfn } else { pfn = try allocateFrame() }
    if zeroed { frames.bytes(of: pfn).fill(0) }
    frame = NewFrame(pfn: pfn, isZeroed: zeroed)
  }

  var hasZeroedFrame: Bool { frame?.isZeroed ?? false }

  /// Gets a cleared frame from the calling thread's cache, if that has one, and spares the fault a second attempt.
  ///
  /// Inside the attempt's section, which lasts longer by the time that clearing takes. No entry is locked yet. With the
  /// `locked` engine the attempt holds a page-table lock, and the frame is cleared before it.
  mutating func getCachedFrame() -> Bool {
    guard frame == nil, hugeFrame == nil else { return false }
    let mayUseMovableFrame = mayUseMovableFrame
    let pfn = space.with { space in
      space.faultsHoldMmapLock ? nil : space.memory.allocateCachedFrame(movable: mayUseMovableFrame)
    }
    guard let pfn else { return false }
    frames.bytes(of: pfn).fill(0)
    frame = NewFrame(pfn: pfn, isZeroed: true)
    return true
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

  /// What the backing has answered to `question`, and what tells whether that still holds.
  ///
  /// Nil if the backing must be asked.
  func usableAnswer(to question: FaultQuestion) -> (content: BackingAnswer.Content, validity: AnswerValidity)? {
    switch answer {
    case .none: return nil
    case .some(let answer): return answer.isUsable(for: question) ? (answer.content, answer.validity) : nil
    }
  }

  /// Ends an attempt that cannot go on without an answer to `question`.
  mutating func ask(_ question: FaultQuestion) -> Outcome {
    // The last answer to it was `retry`, which left the question, or did not hold until the attempt.
    let isRepeated: Bool
    switch answer {
    case .some(let answer): isRepeated = answer.question.isSame(as: question)
    case .none: isRepeated = self.question?.isSame(as: question) ?? false
    }
    repeats = isRepeated ? repeats + 1 : 0
    // Its backing may have lost its mapping since, and ends with this reference: not in the attempt's section.
    lastQuestion = self.question
    self.question = question
    return .needsAnswer
  }

  /// Asks the backing, after a pause if the same question was asked in vain.
  ///
  /// - Throws: `busError` after `repeatLimit` questions in a row, and reports the backing.
  mutating func getAnswer() throws(PageError) {
    guard repeats <= Self.repeatLimit else {
      report(.endlessRetry)
      throw .busError
    }
    let repeats = repeats
    // Without the mmap lock: what the backing waits for may need it. Without the last answer: its reference may be what
    // a move of the page waits for.
    space.with { space in
      space.leavingFaultLock {
        deferEndsOfBackings(in: space)
        answer = nil
        lastQuestion = nil
        Self.pause(beforeRepeat: repeats)
        guard let question else { return }
        let given = BackingAnswer(to: question, in: space.memory)
        if case .retry = given.content { return }
        if case .noHugeFrame = given.content { isHugeRefused = true }
        answer = consume given
        self.question = nil
      }
    }
  }

  /// How often in a row a backing may answer `retry`, or with what no longer holds when the fault looks at it. The
  /// second half of the pauses are a millisecond each: about a second in all.
  private static var repeatLimit: Int { 2048 }

  private static func pause(beforeRepeat repeats: Int) {
    if repeats == 0 { return }
    var turns = repeats
    if repeats <= repeatLimit / 2 { PTEPointer.wait(&turns) } else { usleep(1000) }
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
