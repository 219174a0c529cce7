/// A fault's question to a backing, outside of read-side sections.
extension AddressSpace {
  /// Asks a backing; false where it says to ask again.
  func ask(_ backing: any Backing, _ question: FaultQuestion, _ resources: inout FaultResources) -> Bool {
    discardAnswer(&resources)
    let sequence = backing.sequence
    let answer: FaultAnswer
    if question.isHuge {
      let huge = backing.hugeFault(page: question.page, write: question.write)
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
    resources.answer = (backing, question, sequence, answer)
    return true
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
