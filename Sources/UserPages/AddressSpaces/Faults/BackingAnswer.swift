/// What a fault asks a backing: for a page, or for the 2 MiB that begin with it.
struct FaultQuestion {
  let backing: any Backing
  let page: Int
  let write: Bool
  let isHuge: Bool

  func isSame(as other: FaultQuestion) -> Bool {
    backing === other.backing && page == other.page && write == other.write && isHuge == other.isHuge
  }
}

/// A backing's answer to a question. It owns the reference that came with the answer until an entry takes it over.
struct BackingAnswer: ~Copyable {
  /// What the answer says: a copy without the reference.
  enum Content {
    case frame(PFN)
    case frameNumber(PFN, writable: Bool)
    case failure(PageError)
  }

  let question: FaultQuestion
  let content: Content
  private let reference: FrameReference?
  private let sequence: InvalidationSequence?
  /// The sequence from before the backing was asked.
  private let before: UInt64

  /// Asks the backing. Not inside a read-side section, and holding no lock: the backing may need other spaces' locks to answer.
  ///
  /// Returns `nil` if the backing has no 2 MiB in one piece, or says to ask again.
  ///
  /// - Parameter isRetry: whether it said to ask again.
  init?(to question: FaultQuestion, in memory: PhysicalMemory, isRetry: inout Bool) {
    let backing = question.backing
    let sequence = backing.sequence
    let before = sequence?.value ?? 0
    var given: FaultAnswer?
    if !question.isHuge {
      given = backing.fault(page: question.page, write: question.write)
    } else if question.page <= backing.pageCount - Page.pagesPerHuge {
      given = backing.hugeFault(page: question.page, write: question.write)
    }
    var reference: FrameReference?
    let content: Content
    isRetry = false
    switch given {
    case .frame(let pfn) where memory.frames.isValid(pfn):
      let isPart = memory.frames.frame(pfn).has(Frame.hugeBit)
      reference = FrameReference(owning: isPart ? pfn.hugeStart : pfn, in: memory)
      if question.isHuge, !isPart || !pfn.isHugeAligned { return nil }
      content = .frame(pfn)
    case .frameNumber(let pfn, let writable):
      if question.isHuge, !memory.frames.isWhole(from: pfn) { return nil }
      let isFilled = memory.sections.fill(pfn, count: question.isHuge ? Page.pagesPerHuge : 1)
      content = isFilled ? .frameNumber(pfn, writable: writable) : .failure(.outOfMemory)
    case .retry:
      isRetry = true
      return nil
    case .outOfMemory where !question.isHuge:
      content = .failure(.outOfMemory)
    case nil, .busError, .outOfMemory, .frame:
      // A frame that has no descriptor: a backing's mistake is the program's bus error, not the machine's end.
      if question.isHuge { return nil }
      content = .failure(.busError)
    }
    self.question = question
    self.content = content
    self.reference = consume reference
    self.sequence = sequence
    self.before = before
  }

  /// What tells whether the answer still holds, for as long as the answer lives.
  var validity: AnswerValidity { AnswerValidity(sequence.map { Unretained($0) }, before: before) }

  /// Whether it is of use for `question`.
  ///
  /// A failure installs nothing, so it holds whatever has moved since. The image's refusal to move a page counts as a move: asked
  /// again, the fault would be refused again, without end.
  func isUsable(for question: FaultQuestion) -> Bool {
    guard self.question.isSame(as: question) else { return false }
    if case .failure = content { return true }
    return validity.holds
  }

  /// Gives the reference to the entry that was installed.
  consuming func handOver() {
    if let reference { _ = reference.handOver() }
  }
}

/// Whether no page of a backing has begun to move since the backing was asked. Trivial: the answer keeps the sequence.
struct AnswerValidity {
  /// Nil if no page ever moves.
  private let sequence: Unretained<InvalidationSequence>?
  private let before: UInt64

  init(_ sequence: Unretained<InvalidationSequence>?, before: UInt64) {
    self.sequence = sequence
    self.before = before
  }

  var holds: Bool {
    guard let sequence else { return true }
    return sequence.with { $0.value } == before
  }
}

/// A copy of a backing's page, and a reference that keeps the copy until the backing has been told.
struct CopiedPage: ~Copyable {
  let backing: any Backing
  let page: Int
  let copy: FrameReference

  /// Tells the backing, and gives the reference back. Not inside a read-side section, nor holding a lock.
  consuming func tell() { backing.didCopy(page: page, to: PageBytes(copy.deviceBytes(), isWritable: false)) }
}
