/// Frames that somebody holds together, each by the same counts: what a pinned range is made of. See `HeldFrame`.
struct HeldFrames: @unchecked Sendable {
  private let frames: [Frame]
  private let memory: Unmanaged<PhysicalMemory>
  private let counts: UInt64

  init(_ frames: [Frame], _ memory: PhysicalMemory, counts: UInt64) {
    self.frames = frames
    self.memory = .passUnretained(memory)
    self.counts = counts
  }

  var count: Int { frames.count }

  subscript(index: Int) -> HeldFrame {
    memory._withUnsafeGuaranteedRef { HeldFrame(frames[index], $0, counts: counts) }
  }

  /// Gives all of them back; those that nobody else has are freed.
  func put() {
    for frame in frames where frame.put(counts) { memory._withUnsafeGuaranteedRef { $0.freeAfterLastPut(frame) } }
  }

  func markDirty() {
    for frame in frames { frame.set(Frame.dirtyBit) }
  }
}
