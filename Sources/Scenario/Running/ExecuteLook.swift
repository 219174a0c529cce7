import UserPages

extension ScenarioMachine {
  func execute(_ statement: LookStatement) throws(PageError) -> Outcome {
    switch statement {
    case .entry(let name, let address):
      return .words(try space(name).entry(at: VirtualAddress(address)).description)
    case .frame(let name, let address):
      let frame = try space(name).frameInformation(at: VirtualAddress(address))
      return .words(frame.map(words) ?? "no descriptor")
    case .counters(let name):
      let counters = try space(name).counters
      return .words(
        "fast=\(counters.fast) slow=\(counters.slow) faults=\(counters.faults) cow=\(counters.copies)")
    case .free:
      // Without the wait the number would depend on when a grace period or a write of the swap file ends.
      memory.flushDeferredFrees()
      return .number(memory.freePages)
    case .migrate(let name, let page, let target):
      guard let image = images[name] else { throw .invalidArgument }
      switch target {
      case .cache: try image.migrateToCache(page: page)
      case .image: try image.migrateToImage(page: page)
      }
      return .ok
    case .dataCache(let name):
      // Only the device itself writes to its range, so no flush of the data cache is ever needed.
      guard
        let counts = (images[name] ?? volumes[name]?.image)?.dataCacheCounts ?? files[name]?.dataCacheCounts
          ?? devices[name].map({ _ in DataCacheCounts(frames: 0, frameNumbers: 0) })
      else { throw .invalidArgument }
      return .words("frames=\(counts.frames) pfns=\(counts.frameNumbers)")
    }
  }

  private func words(_ frame: FrameInformation) -> String {
    var text = "maps=\(frame.mapCount) pins=\(frame.pinCount) \(frame.isAnonymous ? "anon" : "file")"
    if frame.isExclusive { text += " exclusive" }
    if frame.isDirty { text += " dirty" }
    return text
  }
}
