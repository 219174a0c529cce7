/// A frame that somebody holds by a get or a pin, and the machine it belongs to: what a pin is made of.
///
/// A trivial value that is given back exactly once, by its owner. The machine is not retained (that would write a line that
/// every pin shares); it checks at its end that no pin is left, which is what makes the unretained reference sound.
@frozen @usableFromInline
struct HeldFrame: @unchecked Sendable {
  @usableFromInline let frame: Frame
  @usableFromInline let memory: Unmanaged<PhysicalMemory>
  /// How it is held. Odd: what is to be taken off the frame's counts (one reference, or one reference and one pin). A multiple
  /// of eight: the address of the slot to be freed. Else: twice what is to be taken off the counts of the first frame of its
  /// 2 MiB.
  @usableFromInline let hold: UInt64

  @inlinable @inline(__always)
  init(_ frame: Frame, _ memory: PhysicalMemory, counts: UInt64) {
    assert(counts & 1 == 1)
    self.frame = frame
    self.memory = .passUnretained(memory)
    hold = counts
  }

  /// A part of a 2 MiB frame, whose counts are the first one's.
  init(part frame: Frame, _ memory: PhysicalMemory, counts: UInt64) {
    self.frame = frame
    self.memory = .passUnretained(memory)
    hold = counts << 1
  }

  @inlinable @inline(__always)
  init(_ frame: Frame, _ memory: PhysicalMemory, slot: PinSlot) {
    self.frame = frame
    self.memory = .passUnretained(memory)
    hold = slot.address
  }

  /// Whether the first frame of its 2 MiB counts for it.
  var isPart: Bool { hold & 3 == 2 }

  /// Gives the frame back; it is freed if nobody else has it.
  @inlinable @inline(__always)
  func put() {
    if hold & 1 == 0 {
      if _fastPath(hold & 2 == 0) { PinSlot(address: hold).vacate() } else { putPart() }
    } else if frame.put(hold) {
      free()
    }
  }

  @usableFromInline @inline(never)
  func free() { memory._withUnsafeGuaranteedRef { $0.freeAfterLastPut(frame) } }

  @usableFromInline @inline(never)
  func putPart() {
    memory._withUnsafeGuaranteedRef { $0.put($0.frames.frame(pfn.hugeStart), hold >> 1) }
  }

  @usableFromInline func markDirty() { frame.set(Frame.dirtyBit) }

  @inlinable var pfn: PFN { memory._withUnsafeGuaranteedRef { $0.frames.number(of: frame) } }

  @inlinable var bytes: FrameBytes {
    memory._withUnsafeGuaranteedRef { $0.frames.bytes(of: $0.frames.number(of: frame)) }
  }
}
