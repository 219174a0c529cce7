/// What a fault asks a backing for.
///
/// It is a page, the 2 MiB that begin with it, or leave to store to a page that is mapped.
struct FaultQuestion {
  let backing: any Backing
  let page: Int
  let write: Bool
  let isHuge: Bool
  /// Whether a shared mapping shows the page already, read-only, and is about to store to it (`page_mkwrite`).
  var isMapped = false

  func isSame(as other: FaultQuestion) -> Bool {
    backing === other.backing && page == other.page && write == other.write
      && isHuge == other.isHuge && isMapped == other.isMapped
  }

  /// What takes its time before a store. It comes before the sequence is read: write-backs advance it meanwhile, the
  /// backing's own among them, and each would have the fault ask again.
  fileprivate func prepareStore() -> StoreAnswer {
    write && backing.writesBack && isInside ? backing.prepareStore(page: page) : .allow
  }

  /// Whether the backing has what is asked for. A mapping may be longer than its backing. A backing with an array of
  /// pages need not check: it is asked for a page only right after this.
  fileprivate var isInside: Bool { page <= backing.pageCount - (isHuge ? Page.pagesPerHuge : 1) }

  fileprivate func ask() -> FaultAnswer? {
    guard isInside else { return isHuge ? nil : .busError }
    return isHuge ? backing.hugeFault(page: page, write: write) : backing.fault(page: page, write: write)
  }

  fileprivate func askToStore() -> StoreAnswer { isInside ? backing.willStore(page: page) : .busError }
}

/// A backing's answer to a question. It owns the reference that came with the answer until an entry takes it over.
struct BackingAnswer: ~Copyable {
  /// What the answer says: a copy without the reference.
  enum Content {
    case frame(PFN)
    case frameNumber(PFN, writable: Bool)
    /// The entry may become writable.
    case permission
    case failure(PageError)
    case mistake(BackingDiagnostic.Reason)
    /// The backing has no 2 MiB in one piece.
    case noHugeFrame
    case retry
  }

  let question: FaultQuestion
  let content: Content
  private let reference: FrameReference?
  private let sequence: InvalidationSequence?
  /// The sequence from before the backing was asked.
  private let before: UInt64

  /// Asks the backing. Not inside a read-side section, and holding no lock: the backing may need other spaces' locks to
  /// answer.
  init(to question: FaultQuestion, in memory: PhysicalMemory) {
    self.question = question
    sequence = question.backing.sequence
    let leave = question.prepareStore()
    before = sequence?.value ?? 0
    guard case .allow = leave else {
      content = Content(leave)
      reference = nil
      return
    }
    if question.isMapped {
      content = Content(question.askToStore())
      reference = nil
      return
    }
    let given = question.ask()
    switch consume given {
    case .some(.frame(let given, let page)):
      let found = Self.check(given, page: page, for: question, in: memory)
      content = found
      if case .mistake(.frameNotShared) = found {
        // There is no reference to put.
        _ = given.handOver()
        reference = nil
      } else {
        reference = consume given
      }
    case .some(.frameNumber(let pfn, let writable)):
      content = Self.check(pfn, writable: writable, for: question, in: memory)
      reference = nil
    case .some(.retry):
      content = .retry
      reference = nil
    case .some(.outOfMemory):
      content = question.isHuge ? .noHugeFrame : .failure(.outOfMemory)
      reference = nil
    case .some(.failed(let error)):
      content = question.isHuge ? .noHugeFrame : .failure(error.ofFault)
      reference = nil
    case .some(.busError):
      content = question.isHuge ? .noHugeFrame : .failure(.busError)
      reference = nil
    case .none:
      content = .noHugeFrame
      reference = nil
    }
  }

  private static func check(
    _ given: borrowing FrameReference, page: Int, for question: FaultQuestion,
    in memory: PhysicalMemory
  ) -> Content {
    guard given.isOf(memory) else { return .mistake(.frameOfAnotherMachine) }
    // A value of C can be used after its end. In Swift the type rules that out.
    guard given.isShared else { return .mistake(.frameNotShared) }
    guard page >= 0, page < given.pageCount else { return .mistake(.noSuchPageOfFrame) }
    if question.isHuge, given.pageCount < Page.pagesPerHuge || page != 0 { return .noHugeFrame }
    return .frame(given.pfn + page)
  }

  /// The frame is looked at again by each attempt, inside a section: it may end at any time.
  private static func check(
    _ pfn: PFN, writable: Bool, for question: FaultQuestion, in memory: PhysicalMemory
  ) -> Content {
    if question.isHuge, !memory.frames.isWhole(from: pfn) { return .noHugeFrame }
    do throws(PageError) {
      try memory.sections.fill(pfn, count: question.isHuge ? Page.pagesPerHuge : 1)
      return .frameNumber(pfn, writable: writable)
    } catch {
      return .failure(error.ofFault)
    }
  }

  /// What tells whether the answer still holds, for as long as the answer lives.
  var validity: AnswerValidity { AnswerValidity(sequence.map { Unretained($0) }, before: before) }

  /// Whether it is of use for `question`.
  ///
  /// A failure installs nothing, so it holds whatever has moved since. The image's refusal to move a page counts as a
  /// move: asked again, the fault would be refused again, without end.
  func isUsable(for question: FaultQuestion) -> Bool {
    guard self.question.isSame(as: question) else { return false }
    switch content {
    case .failure, .mistake: return true
    case .frame, .frameNumber, .permission, .noHugeFrame, .retry: return validity.holds
    }
  }

  /// Gives the reference to the entry that was installed.
  consuming func handOver() {
    if let reference { _ = reference.handOver() }
  }
}

extension BackingAnswer.Content {
  fileprivate init(_ answer: StoreAnswer) {
    switch answer {
    case .allow: self = .permission
    case .busError: self = .failure(.busError)
    case .outOfMemory: self = .failure(.outOfMemory)
    case .failed(let error): self = .failure(error.ofFault)
    case .retry: self = .retry
    }
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
