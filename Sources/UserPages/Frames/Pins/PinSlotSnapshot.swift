import CPlatform
import Glibc
import Synchronization

/// What the pin slots of all threads held of one machine's frames, at one look. An operation that must know whether a
/// frame is held scans it.
///
/// It says something about a frame only a grace period after the frame's entries changed ([slot-then-leave]).
struct PinSlotSnapshot {
  // Sorted: the words of slots that have one frame each.
  private var held: [UInt64] = []
  /// The frames in lists. Nil if there is none.
  private var listed: FrameMarks?

  /// Looks at every slot, and at the lists of range pins. O(threads + pages in lists). It allocates.
  init(of frames: FrameTable) {
    PinSlot.forEachHeld(of: frames) { word, isListed in
      // Without memory for the marks a list's frames are sorted like the others.
      if isListed, let marks = listed ?? FrameMarks(of: frames) {
        listed = marks
        marks.mark(word)
      } else {
        held.append(word)
      }
    }
    held.sort()
  }

  /// What a frame was held by.
  enum Holder {
    /// A pin at least.
    case pin
    case get
  }

  /// What held `frame` in a slot or in a list. Nil if nothing did.
  func holder(of frame: Frame) -> Holder? { isPinned(frame) ? .pin : holds(frame) ? .get : nil }

  /// Whether no frame was held.
  private var isEmpty: Bool { held.isEmpty && listed == nil }

  /// Whether a get or a pin of `frame` was in a slot or in a list.
  func holds(_ frame: Frame) -> Bool {
    let word = frame.slotWord
    return contains(word...word | PinSlot.pinBit) || listed?.isHeld(word) ?? false
  }

  /// Whether a pin of `frame` was in a slot or in a list. Gets do not count.
  @inline(__always)
  func isPinned(_ frame: Frame) -> Bool { !isEmpty && isFoundPinned(frame) }

  @inline(never)
  private func isFoundPinned(_ frame: Frame) -> Bool {
    let word = frame.slotWord | PinSlot.pinBit
    return contains(word...word) || listed?.isPinned(word) ?? false
  }

  private func contains(_ words: ClosedRange<UInt64>) -> Bool {
    if held.isEmpty { return false }
    let index = held.indices.partitioningIndex { held[$0] >= words.lowerBound }
    return index < held.count && held[index] <= words.upperBound
  }
}

extension PinSlot {
  /// How many pins, gets not counted, of `frame` there are in slots and lists now. O(threads + pages in lists): for
  /// diagnostics.
  static func pins(of frame: Frame, in frames: FrameTable) -> Int {
    var count = 0
    forEachHeld(of: frames) { word, _ in if word == frame.slotWord | pinBit { count += 1 } }
    return count
  }

  /// Whether a get or a pin of `frame` is in a slot or in a list now. O(threads + pages in lists).
  ///
  /// It says something only of holds after their sections have ended: see `SlotEngine.holdsUncounted`.
  static func holds(_ frame: Frame, in frames: FrameTable) -> Bool {
    var isHeld = false
    forEachHeld(of: frames) { word, _ in if word & ~pinBit == frame.slotWord { isHeld = true } }
    return isHeld
  }

  /// How many pins and gets of a machine's frames there are in slots and lists now. O(threads + pages in lists).
  static func count(of frames: FrameTable) -> Int {
    var count = 0
    forEachHeld(of: frames) { _, _ in count += 1 }
    return count
  }

  /// Calls `body` with a word for each frame of a machine that a slot or a list holds.
  @inline(__always)
  fileprivate static func forEachHeld(of frames: FrameTable, _ body: (_ word: UInt64, _ isListed: Bool) -> Void) {
    let machine = Frame(frames.descriptors).slotWord..<Frame(frames.descriptors + frames.span).slotWord
    let threads = min(Int(cp_thread_index_bound()), Int(cp_slot_threads))
    for thread in 0..<threads {
      let block = PinSlot.block(of: Int32(thread))
      for index in 0..<Int(cp_slots_per_thread) {
        // ORDERING [slot-release]: acquire.
        let word = block[index].load(ordering: .acquiring)
        if word == 0 { continue }
        if word & listBit == 0 {
          if machine.contains(word) { body(word, false) }
        } else {
          PinList.forEach(in: word) { if machine.contains($0) { body($0, true) } }
        }
      }
    }
  }
}

/// Two bits for each frame of a machine: whether it is held, and whether it is pinned.
private final class FrameMarks {
  // The first frame's descriptor.
  private let start: UInt64
  // From `calloc`: pages of it that no mark is in take no memory.
  private let marks: UnsafeMutablePointer<UInt64>

  /// No marks. Nil if there is no memory for them.
  init?(of frames: FrameTable) {
    guard let memory = calloc(frames.span / 32 + 1, MemoryLayout<UInt64>.stride) else { return nil }
    marks = memory.bindMemory(to: UInt64.self, capacity: frames.span / 32 + 1)
    start = Frame(frames.descriptors).slotWord
  }

  deinit { free(marks) }

  @inline(__always)
  func mark(_ word: UInt64) {
    let bits: UInt64 = word & PinSlot.pinBit != 0 ? 3 : 1
    marks[Int(number(of: word) / 32)] |= bits << (number(of: word) % 32 * 2)
  }

  func isHeld(_ word: UInt64) -> Bool { bits(of: word) & 1 != 0 }
  func isPinned(_ word: UInt64) -> Bool { bits(of: word) & 2 != 0 }

  private func bits(of word: UInt64) -> UInt64 { marks[Int(number(of: word) / 32)] >> (number(of: word) % 32 * 2) }

  @inline(__always)
  private func number(of word: UInt64) -> UInt64 { (word - start) / UInt64(MemoryLayout<FrameDescriptor>.stride) }
}
