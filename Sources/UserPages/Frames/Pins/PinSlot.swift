import CPlatform
import Synchronization

/// Pins that are a word in a slot of the pinning thread, not an addition to the frame's counts.
///
/// A slot holds the address of a frame's descriptor, with the low bit set for a pin and clear for a get. A slot that
/// holds 0 is free. If the next bit is set, it holds the address of a list of frames (`PinList`).
///
///     the pinning thread                               the thread that wants the frame for itself alone
///     section {                                        changes the entry
///       reads the entry
///       stores the slot                                a whole grace period
///     }  ------------------------------------------->  scans the slots: frees, shares or moves only what is in none
///     uses the frame
///     stores 0 (any thread, one store)  ------------>  a later scan finds the slot free
///
/// ORDERING [slot-then-leave]: no fence is needed after the store, which is inside the section. A section that read the
/// entry before it was changed has ended when the grace period has. A grace period makes all that a section did visible
/// to what comes after it. So the reader needs no second look, no fence and no read-modify-write, and two pins of one
/// page share no written line.
///
/// ORDERING [slot-release]: the store of 0 is a release, the scan's load an acquire. So the holder's last access to the
/// bytes comes before the frame's next life. A scan may come so late that it finds the slot taken again, by its owner.
/// So the owner's look is an acquire and its store a release, which carry the order on. (Both are plain moves on
/// x86-64.)
///
/// A slot's owner is the thread with its block's number: only that thread claims a slot, any thread may vacate one.
/// It keeps no hint of its own: the first slot is free in nearly every look, because most pins are short.
@frozen @usableFromInline
struct PinSlot: @unchecked Sendable {
  @usableFromInline static let pinBit: UInt64 = 1
  /// Set if the slot has the address of a list's first chunk.
  static let listBit: UInt64 = 2

  // A word of a thread's block. Blocks are never deallocated.
  @usableFromInline let word: UnsafeMutablePointer<Atomic<UInt64>>

  @inlinable @inline(__always)
  init(_ word: UnsafeMutablePointer<Atomic<UInt64>>) { self.word = word }

  @inlinable @inline(__always)
  init(address: UInt64) { word = UnsafeMutablePointer(bitPattern: UInt(address)).unsafelyUnwrapped }

  @inlinable var address: UInt64 { UInt64(UInt(bitPattern: word)) }

  /// Claims a free slot of the calling thread, number `thread`, for `frame`. Returns nil if none is free.
  ///
  /// ORDERING [slot-then-leave]: the section is the one that read an entry to the frame.
  @inlinable @inline(__always)
  static func claim(_ frame: Frame, isPin: Bool, thread: Int32, _ section: RCU.Section) -> PinSlot? {
    guard _fastPath(thread < Int32(cp_slot_threads)) else { return nil }
    let (block, value) = (block(of: thread), word(for: frame, isPin: isPin))
    return claim(firstOf: block, value) ?? claimOther(block, value)
  }

  /// Claims the first slot of the calling thread as `claim` does, or returns nil if it is not free. It calls nothing.
  ///
  /// ORDERING [slot-then-leave]: as `claim`.
  @inlinable @inline(__always)
  static func claimFirst(_ frame: Frame, isPin: Bool, thread: Int32, _ section: RCU.Section) -> PinSlot? {
    // Compared as unsigned: a thread without a number has a negative one, and no block.
    guard _fastPath(UInt32(bitPattern: thread) < UInt32(cp_slot_threads)) else { return nil }
    return claim(firstOf: block(of: thread), word(for: frame, isPin: isPin))
  }

  @inlinable @inline(__always)
  static func block(of thread: Int32) -> UnsafeMutablePointer<Atomic<UInt64>> {
    UnsafeMutableRawPointer(cp_slot_block(thread)).unsafelyUnwrapped.assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  @inlinable @inline(__always)
  static func word(for frame: Frame, isPin: Bool) -> UInt64 {
    UInt64(UInt(bitPattern: frame.descriptor)) | (isPin ? pinBit : 0)
  }

  /// ORDERING [slot-release]: acquire and release.
  @inlinable @inline(__always)
  static func claim(firstOf block: UnsafeMutablePointer<Atomic<UInt64>>, _ value: UInt64) -> PinSlot? {
    guard _fastPath(block.pointee.load(ordering: .acquiring) == 0) else { return nil }
    block.pointee.store(value, ordering: .releasing)
    return PinSlot(block)
  }

  @usableFromInline @inline(never)
  static func claimOther(_ block: UnsafeMutablePointer<Atomic<UInt64>>, _ value: UInt64) -> PinSlot? {
    for index in 1..<Int(cp_slots_per_thread) where block[index].load(ordering: .acquiring) == 0 {
      block[index].store(value, ordering: .releasing)
      return PinSlot(block + index)
    }
    return nil
  }

  /// The descriptor of the frame in the slot.
  @inlinable var frame: Frame {
    let value = word.pointee.load(ordering: .relaxed) & ~Self.pinBit
    return Frame(UnsafeMutablePointer(bitPattern: UInt(value)).unsafelyUnwrapped)
  }

  /// Frees the slot. Any thread, once.
  @inlinable @inline(__always)
  func vacate() { word.pointee.store(0, ordering: .releasing) }
}
