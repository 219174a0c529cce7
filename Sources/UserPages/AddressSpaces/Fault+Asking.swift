/// A backing's answer, and what tells whether it still holds.
struct BackingAnswer {
  let backing: any Backing
  let question: FaultQuestion
  var answer: FaultAnswer
  let sequence: InvalidationSequence?
  /// The sequence from before the backing was asked.
  let before: UInt64

  /// Whether no page has begun to move since the backing was asked.
  var holds: Bool { sequence.map { $0.value == before } ?? true }
}

/// A copy of a backing's page, with a reference that keeps the frame until the backing has been told.
struct CopiedPage {
  let backing: any Backing
  let page: Int
  let copy: PFN
}

/// A fault's question to a backing, outside of read-side sections.
extension AddressSpace {
  /// Asks a backing; false where it says to ask again.
  func ask(_ backing: any Backing, _ question: FaultQuestion, _ resources: inout FaultResources) -> Bool {
    discardAnswer(&resources)
    let sequence = backing.sequence
    let before = sequence?.value ?? 0
    var answer: FaultAnswer
    if question.isHuge {
      let isWhole = question.page <= backing.pageCount - Page.pagesPerHuge
      let huge = isWhole ? backing.hugeFault(page: question.page, write: question.write) : nil
      guard let huge, huge.isHuge(by: frames) else {
        if case .frame(let pfn) = huge, frames.isValid(pfn) { memory.put(frames.folio(of: pfn), Frame.oneReference) }
        resources.hugeRefused = true
        return true
      }
      answer = huge
    } else {
      answer = backing.fault(page: question.page, write: question.write).checked(against: frames)
    }
    if case .retry = answer { return false }
    if case .frameNumber(let pfn, _) = answer,
      !memory.sections.fill(pfn, count: question.isHuge ? Page.pagesPerHuge : 1)
    {
      answer = .outOfMemory
    }
    resources.answer = BackingAnswer(
      backing: backing, question: question, answer: answer, sequence: sequence, before: before)
    return true
  }

  /// Tells a backing of a copy that the fault has installed, and gives the reference back that kept the frame.
  func tell(_ copied: CopiedPage) {
    copied.backing.didCopy(page: copied.page, to: PageBytes(frames.bytes(of: copied.copy), isWritable: false))
    memory.put(frames.frame(copied.copy), Frame.oneReference)
  }

  /// Has the backing told, when the section is over, that `copy` was installed. Inside the section in which it was.
  ///
  /// ORDERING [deferred-free]: the entry's own reference falls a grace period after another thread unmaps the page, so there is
  /// one to add to.
  func tellLater(_ backing: any Backing, page: Int, copy: PFN, _ resources: inout FaultResources) {
    frames.frame(copy).addReferences(1)
    resources.copied = CopiedPage(backing: backing, page: page, copy: copy)
  }

  /// Gives back the reference in an answer that was not used.
  func discardAnswer(_ resources: inout FaultResources) {
    if let answer = resources.answer, case .frame(let pfn) = answer.answer {
      memory.put(frames.folio(of: pfn), Frame.oneReference)
    }
    resources.answer = nil
  }
}

extension FaultAnswer {
  /// The answer, or a bus error where it names a frame that has no descriptor: a backing's mistake is the program's bus
  /// error, not the machine's end.
  func checked(against frames: FrameTable) -> FaultAnswer {
    if case .frame(let pfn) = self, !frames.isValid(pfn) { return .busError }
    return self
  }
}
