import UserPages

extension ScenarioMachine {
  func execute(_ statement: LookStatement) throws(PageError) -> Outcome {
    switch statement {
    case .entry(let name, let address):
      return .words(try space(name).entry(at: VirtualAddress(address)).description)
    case .frame(let name, let address):
      let frame = try space(name).frame(at: VirtualAddress(address))
      return .words(frame.map(words) ?? "no descriptor")
    case .counters(let name):
      let counters = try space(name).counters
      return .words(
        "fast=\(counters.fast) slow=\(counters.slow) faults=\(counters.faults) cow=\(counters.copies)")
    case .free:
      // Whatever is on its way to the allocator is free: a result that hung on a grace period would be no result.
      memory.flushDeferredFrees()
      return .number(memory.freePages)
    case .migrate, .dataCache:
      throw Unsupported.answer
    }
  }

  private func words(_ frame: FrameInformation) -> String {
    var text = "maps=\(frame.mapCount) pins=\(frame.pinCount) \(frame.isAnonymous ? "anon" : "file")"
    if frame.isExclusive { text += " exclusive" }
    if frame.isDirty { text += " dirty" }
    return text
  }
}
