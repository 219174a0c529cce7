/// Frames that somebody holds together, each by the same counts: what a pinned range is made of. See `HeldFrame`.
struct HeldFrames: @unchecked Sendable {
  /// The ordinary ones, each counted by itself, in order.
  private var frames: [Frame] = []
  /// What lies between them: neighbours in a 2 MiB frame that are held by one count.
  private var runs: [Run] = []
  private let memory: Unmanaged<PhysicalMemory>
  let counts: UInt64
  /// How many of the frames lie in runs.
  private var inRuns = 0

  var count: Int { frames.count + inRuns }

  private struct Run {
    /// The index of the first of them among all.
    let index: Int
    /// How many ordinary frames come before it.
    let framesBefore: Int
    let first: Frame
    let count: Int
  }

  /// None yet.
  init(_ memory: PhysicalMemory, counts: UInt64) {
    self.memory = .passUnretained(memory)
    self.counts = counts
  }

  mutating func reserveCapacity(_ count: Int) { frames.reserveCapacity(count) }

  /// Adds a frame on which `counts` were taken.
  @inline(__always)
  mutating func append(_ frame: Frame) {
    frames.append(frame)
  }

  /// Adds `count` frames in a row of one 2 MiB frame, on which `counts` were taken once.
  mutating func append(run first: Frame, count: Int) {
    runs.append(Run(index: self.count, framesBefore: frames.count, first: first, count: count))
    inRuns += count
  }

  subscript(index: Int) -> HeldFrame {
    precondition(index >= 0 && index < count, "there is no such page")
    return memory._withUnsafeGuaranteedRef { memory in
      guard let run = lastRun(notBehind: index) else { return HeldFrame(frames[index], memory, counts: counts) }
      let offset = index - run.index
      return offset < run.count
        ? HeldFrame(part: run.first + offset, memory, counts: counts)
        : HeldFrame(frames[run.framesBefore + offset - run.count], memory, counts: counts)
    }
  }

  /// The last run that begins at `index` or before. O(log n): where 2 MiB are mapped page by page, each page is a run.
  private func lastRun(notBehind index: Int) -> Run? {
    var low = 0
    var high = runs.count
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].index <= index { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? nil : runs[low - 1]
  }

  /// Gives all of them back; those that nobody else has are freed.
  func put() {
    for frame in frames where frame.put(counts) { memory._withUnsafeGuaranteedRef { $0.freeAfterLastPut(frame) } }
    for run in runs {
      memory._withUnsafeGuaranteedRef { HeldFrame(part: run.first, $0, counts: counts).put() }
    }
  }

  func markDirty() {
    for frame in frames { frame.set(Frame.dirtyBit) }
    for run in runs {
      for index in 0..<run.count { (run.first + index).set(Frame.dirtyBit) }
    }
  }
}
