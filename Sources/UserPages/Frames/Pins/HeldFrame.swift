/// One hold of a get or a pin: the frame, its machine, and how the hold is given back. What a `PinnedPage` is made of.
///
/// A trivial value that is given back exactly once, by its owner. The machine is not retained: that would write a line
/// that every pin shares. It checks at its end that no pin is left, which is what makes the unretained reference sound.
@frozen @usableFromInline
struct HeldFrame: @unchecked Sendable {
  @usableFromInline let frame: Frame
  @usableFromInline let memory: Unmanaged<PhysicalMemory>
  /// How it is held.
  ///
  ///     bit 1     clear: `hold` is the address of the slot to be vacated, a multiple of eight
  ///               set: the other bits are what is to be taken off the counts, one reference, or one reference and one pin
  ///     bit 2     with bit 1: those counts are not the frame's but the first one's of its 2 MiB
  @usableFromInline let hold: UInt64

  @usableFromInline static let countedBit: UInt64 = 2
  @usableFromInline static let partBit: UInt64 = 4

  @inlinable @inline(__always)
  init(_ frame: Frame, _ memory: PhysicalMemory, counts: UInt64) {
    self.frame = frame
    self.memory = .passUnretained(memory)
    hold = counts | Self.countedBit
  }

  /// A part of a 2 MiB frame. The first frame has the counts.
  init(part frame: Frame, _ memory: PhysicalMemory, counts: UInt64) {
    self.frame = frame
    self.memory = .passUnretained(memory)
    hold = counts | Self.countedBit | Self.partBit
  }

  @inlinable @inline(__always)
  init(_ frame: Frame, _ memory: PhysicalMemory, slot: PinSlot) {
    self.frame = frame
    self.memory = .passUnretained(memory)
    hold = slot.address
  }

  /// Whether a slot has it, and not the counts.
  @inlinable @inline(__always)
  var isInSlot: Bool { hold & Self.countedBit == 0 }

  /// Whether the first frame of its 2 MiB counts for it.
  @inlinable @inline(__always)
  var isPart: Bool { !isInSlot && hold & Self.partBit != 0 }

  /// Gives the hold back. The frame is free if that was its last reference.
  @inlinable @inline(__always)
  func put() {
    if isInSlot {
      PinSlot(address: hold).vacate()
    } else if isPart {
      putPart()
    } else if frame.put(hold ^ Self.countedBit) {
      free()
    }
  }

  @usableFromInline @inline(never)
  func free() { memory._withUnsafeGuaranteedRef { $0.freeAfterLastPut(frame) } }

  @usableFromInline @inline(never)
  func putPart() {
    memory._withUnsafeGuaranteedRef { $0.put($0.frames.frame(pfn.hugeStart), hold ^ Self.countedBit ^ Self.partBit) }
  }

  @usableFromInline func markDirty() { frame.set(Frame.dirtyBit) }

  @inlinable var pfn: PFN { memory._withUnsafeGuaranteedRef { $0.frames.number(of: frame) } }

  @inlinable var bytes: FrameBytes {
    memory._withUnsafeGuaranteedRef { $0.frames.bytes(of: $0.frames.number(of: frame)) }
  }
}

/// Many holds, taken and given back together: what a `PinnedPages` is made of. First those of a list, then those by
/// counts.
struct HeldFrames: @unchecked Sendable {
  /// The frames that a list holds. Nil if there is none.
  private(set) var list: PinList?
  /// The ordinary ones, each counted by itself, in order.
  private var frames: [Frame] = []
  /// What lies between them: neighbours in a 2 MiB frame that are held by one count.
  private var runs: [Run] = []
  private let memory: Unmanaged<PhysicalMemory>
  let counts: UInt64
  /// How many of the frames lie in runs.
  private var inRuns = 0

  var count: Int { listed + counted }
  /// How many are held by the list.
  var listed: Int { list?.count ?? 0 }
  /// How many are held by counts.
  private var counted: Int { frames.count + inRuns }

  private struct Run {
    /// The index of the first of them among those held by counts.
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

  /// Adds the frames of a list, before any other.
  mutating func begin(with list: PinList) { self.list = list }

  /// Adds a frame on which `counts` were taken.
  @inline(__always)
  mutating func append(_ frame: Frame) {
    frames.append(frame)
  }

  /// Adds `count` frames in a row of one 2 MiB frame, on which `counts` were taken once.
  mutating func append(run first: Frame, count: Int) {
    runs.append(Run(index: counted, framesBefore: frames.count, first: first, count: count))
    inRuns += count
  }

  subscript(index: Int) -> HeldFrame {
    precondition(index >= 0 && index < count, "there is no such page")
    return memory._withUnsafeGuaranteedRef { memory in
      if index < listed, let list { return HeldFrame(list.frame(at: index), memory, counts: counts) }
      let index = index - listed
      guard let run = lastRun(notBehind: index) else { return HeldFrame(frames[index], memory, counts: counts) }
      let offset = index - run.index
      return offset < run.count
        ? HeldFrame(part: run.first + offset, memory, counts: counts)
        : HeldFrame(frames[run.framesBefore + offset - run.count], memory, counts: counts)
    }
  }

  /// The last run that begins at `index` or before. O(log n): where 2 MiB are mapped page by page, each page is a run.
  private func lastRun(notBehind index: Int) -> Run? {
    let behind = runs.indices.partitioningIndex { runs[$0].index > index }
    return behind == 0 ? nil : runs[behind - 1]
  }

  /// Gives all of them back. Where that was the last reference, the frame is free.
  func put() {
    list?.vacate()
    for frame in frames where frame.put(counts) { memory._withUnsafeGuaranteedRef { $0.freeAfterLastPut(frame) } }
    for run in runs {
      memory._withUnsafeGuaranteedRef { HeldFrame(part: run.first, $0, counts: counts).put() }
    }
  }

  func markDirty() {
    list?.forEach { $0.set(Frame.dirtyBit) }
    for frame in frames { frame.set(Frame.dirtyBit) }
    for run in runs {
      for index in 0..<run.count { (run.first + index).set(Frame.dirtyBit) }
    }
  }
}
