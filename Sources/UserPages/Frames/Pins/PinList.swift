import CPlatform
import Glibc
import Synchronization

/// The frames of a range pin, in a list that scans read. A page costs a load of its entry and a store to the list.
///
/// The list that a range pin needs anyway is its own hazard list (Michael, "Hazard Pointers", 2004). A slot of the
/// pinning thread has its address, and its length says how much of it counts:
///
///     the pinning thread                                   the thread that wants a frame for itself alone
///     claims a slot: length <- 0, slot <- list
///     section {                                            changes the entry
///       reads at most 64 entries
///       writes their frames behind the list's end          a whole grace period
///       length <- n
///     }  ----------------------------------------------->  scans: slot, length, frames
///     uses the frames
///     slot <- 0 (any thread, one store)  --------------->  a later scan finds the slot free
///
/// ORDERING [slot-then-leave]: frames and length are stored inside the section that read the entries. If that section
/// began before an entry changed, a scan after the grace period sees slot, length and frame. As long as the pins are
/// held, the slot is constant, the length only grows, and no frame in the list is written again. So a scan misses none.
/// It may find too many: of a slot that was vacated and claimed again meanwhile it reads frames of either list. A frame
/// that is found for nothing waits for the next look.
///
/// ORDERING [slot-release]: the length's store is a release, its load in a scan an acquire. So a scan that comes early
/// reads no frame that is not written. The owner's claim comes after the last access of the slot's former holder, as
/// for a single frame. A claim ends with a release fence, and a scan of a list with an acquire fence. Without the two a
/// holder's store lands in the frame's next life:
///
/// 1. a scan reads the slot and the length of a list;
/// 2. the holder of that list stores to a page of it, and vacates the slot;
/// 3. the slot's owner claims it, and writes another frame over that page's;
/// 4. the scan reads that frame. The page is in no list, and the scan has acquired neither slot nor length anew.
///
/// Frames lie in chunks of a page. A slot keeps its chunks for good, linked in the order in which they were needed. So
/// a scan may follow the links at any time. A trivial value: its owner vacates it exactly once.
struct PinList: @unchecked Sendable {
  /// Frames in a chunk: a page of words less the two before the frames.
  static let framesPerChunk = Page.size / 8 - PinListChunk.frames

  private let slot: PinSlot
  private let first: PinListChunk
  private var last: PinListChunk
  /// Frames in the last chunk.
  private var used = 0
  /// Frames in the list that a scan counts.
  private(set) var count = 0

  private init(_ slot: PinSlot, _ first: PinListChunk) {
    self.slot = slot
    self.first = first
    last = first
  }

  /// Takes a free slot of the calling thread for a list that is empty. Returns nil if all are taken, or if there is no
  /// memory for a chunk. Not inside a read-side section: it may allocate.
  ///
  /// Lists take the last slots and single pins the first, so that neither looks at the other's.
  static func claim(isPin: Bool) -> PinList? {
    let thread = ThreadNumber.current
    guard thread < Int32(cp_slot_threads) else { return nil }
    let block = PinSlot.block(of: thread)
    for index in (1..<Int(cp_slots_per_thread)).reversed() {
      // ORDERING [slot-release]: acquire and release.
      guard block[index].load(ordering: .acquiring) == 0 else { continue }
      guard let first = PinListChunk(ofSlot: index, thread: thread) else { return nil }
      first.setLength(0)
      block[index].store(first.address | listBits(isPin: isPin), ordering: .releasing)
      // ORDERING [slot-release]: before any frame is written, pairs with the fence of a scan.
      atomicMemoryFence(ordering: .releasing)
      return PinList(PinSlot(block + index), first)
    }
    return nil
  }

  private static func listBits(isPin: Bool) -> UInt64 { PinSlot.listBit | (isPin ? PinSlot.pinBit : 0) }

  /// Makes room behind the list's end. Returns for how many frames: 0 if there is no memory. Not inside a read-side
  /// section.
  mutating func makeRoom() -> Int {
    if used == Self.framesPerChunk {
      guard let next = last.next() else { return 0 }
      last = next
      used = 0
    }
    return Self.framesPerChunk - used
  }

  /// The places behind the list's end, until something is appended.
  struct End {
    fileprivate let places: UnsafeMutablePointer<Atomic<UInt64>>

    /// Writes a frame `offset` places behind the end. It counts once `append` has been called.
    ///
    /// - Precondition: `makeRoom` returned more than `offset`.
    @inline(__always)
    func write(_ frame: Frame, at offset: Int) { places[offset].store(frame.slotWord, ordering: .relaxed) }
  }

  @inline(__always)
  var end: End { End(places: last[used]) }

  /// Lets the `added` frames count that were written behind the list's end, inside the section that read their entries.
  @inline(__always)
  mutating func append(_ added: Int, _ section: RCU.Section) {
    used += added
    count += added
    first.setLength(count)
  }

  /// The frame at `index`. O(index / 510).
  func frame(at index: Int) -> Frame {
    var chunk = first
    var rest = index
    while rest >= Self.framesPerChunk, let next = chunk.linked {
      chunk = next
      rest -= Self.framesPerChunk
    }
    return Frame(slotWord: chunk[rest].pointee.load(ordering: .relaxed))
  }

  /// Calls `body` with each frame, in order.
  func forEach(_ body: (Frame) -> Void) { first.forEach(count) { body(Frame(slotWord: $0)) } }

  /// Frees the slot. Any thread, once.
  func vacate() { slot.vacate() }

  /// Calls `body` with each frame of the list that a slot's word names, as that word would name it alone. Any thread,
  /// at any time.
  static func forEach(in word: UInt64, _ body: (UInt64) -> Void) {
    let pinBit = word & PinSlot.pinBit
    let first = PinListChunk(address: word & ~(PinSlot.pinBit | PinSlot.listBit))
    first.forEach(first.length) { body($0 | pinBit) }
    // ORDERING [slot-release]: after the frames, which may be a later list's. Pairs with the fence of a claim.
    atomicMemoryFence(ordering: .acquiring)
  }
}

/// A page of a list: how many frames the whole list has (in the first chunk only), where the next chunk is, and frames.
private struct PinListChunk {
  static let lengthIndex = 0
  static let nextIndex = 1
  static let frames = 2

  // A page of words, never deallocated.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  init(address: UInt64) { words = UnsafeMutablePointer(bitPattern: UInt(address)).unsafelyUnwrapped }

  /// The first chunk of a slot of the calling thread, which makes it if it is not there. Nil if there is no memory.
  init?(ofSlot slot: Int, thread: Int32) {
    let place = cp_pin_list(thread, Int32(slot)).unsafelyUnwrapped
    if let known = place.pointee {
      words = known.assumingMemoryBound(to: Atomic<UInt64>.self)
      return
    }
    guard let new = Self.allocate() else { return nil }
    place.pointee = UnsafeMutableRawPointer(new)
    words = new
  }

  private static func allocate() -> UnsafeMutablePointer<Atomic<UInt64>>? {
    // An atomic word of 0 is a zero word.
    calloc(1, Page.size)?.bindMemory(to: Atomic<UInt64>.self, capacity: Page.size / 8)
  }

  var address: UInt64 { UInt64(UInt(bitPattern: words)) }

  var length: Int { Int(words[Self.lengthIndex].load(ordering: .acquiring)) }

  @inline(__always)
  func setLength(_ length: Int) { words[Self.lengthIndex].store(UInt64(length), ordering: .releasing) }

  /// The next chunk, if the slot has had that many frames.
  var linked: PinListChunk? {
    let address = words[Self.nextIndex].load(ordering: .acquiring)
    return address == 0 ? nil : PinListChunk(address: address)
  }

  /// The next chunk, made if there is none. Only the slot's owner calls it.
  func next() -> PinListChunk? {
    if let linked { return linked }
    guard let new = Self.allocate() else { return nil }
    words[Self.nextIndex].store(UInt64(UInt(bitPattern: new)), ordering: .releasing)
    return PinListChunk(address: UInt64(UInt(bitPattern: new)))
  }

  subscript(index: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    @inline(__always) get { words + (Self.frames + index) }
  }

  /// Calls `body` with the first `count` frames' words of this chunk and those behind it.
  @inline(__always)
  func forEach(_ count: Int, _ body: (UInt64) -> Void) {
    var chunk = self
    var rest = count
    while true {
      for index in 0..<min(rest, PinList.framesPerChunk) { body(chunk[index].pointee.load(ordering: .relaxed)) }
      rest -= PinList.framesPerChunk
      guard rest > 0, let next = chunk.linked else { return }
      chunk = next
    }
  }
}

extension Frame {
  /// The descriptor's address, as a slot or a list has it.
  @inline(__always)
  var slotWord: UInt64 { UInt64(UInt(bitPattern: descriptor)) }

  fileprivate init(slotWord: UInt64) { self.init(UnsafeMutablePointer(bitPattern: UInt(slotWord)).unsafelyUnwrapped) }
}
