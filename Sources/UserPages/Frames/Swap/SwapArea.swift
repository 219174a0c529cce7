import Glibc
import Synchronization

/// The swap file's slots, and the frames that are on their way to it or back (`swap_info_struct`, Linux's swap cache).
///
/// The states of a slot, and what `SwapSlotState` says in each:
///
///     state    frame  isWritten  writing   what it means, and what ends it
///     free     nil    false      idle      no page is here                             -> cached   page-out, `replace`
///     cached   set    false      idle      in memory alone                             -> queued   `decide`: no other holder
///     queued   set    false      queued    the writer has not copied it                -> writing  the writer has
///     writing  set    false      underWay  the writer has copied it                    -> cached   the write failed
///                                                                                      -> written  the file has it
///     written  nil    true       idle      in the file alone                           -> both     `claim`: others share it
///     both     set    true       idle      in the file, and in a frame that is shared  -> written  `trim`, `decide`
///     any                                  no entry leads here, nothing holds the slot -> free     `freeIfUnused`
///
/// A fault that comes back while `frame` is set takes that frame, and nothing is read. While the writer has a slot, its
/// page may be taken back or given up. Then `frame` is nil, and the slot stays until the writer is done with it.
///
/// It lies in the layer of the frames, because `PhysicalMemory` answers for both. A frame that is being written is not
/// free yet, and a thread that looks for a free one waits for the write.
///
/// Lock: one monitor for everything, held no longer than it takes to copy a page. <doc:LockOrder> says where it stands.
/// Under it an entry is changed by compare-and-swap only, which never waits.
///
/// References of a cached frame: the cache's one, and one for each entry that maps it. The cache's falls at once: no
/// entry leads to the frame by it, so no section and no pin slot relies on it. An entry's own is deferred, as always.
/// The cache's falls under the monitor. So a thread can retain a frame by its number, and then look whether it is
/// cached. If not, the frame is in memory, or its file has dropped it.
final class SwapArea: @unchecked Sendable {
  let frames: FrameTable
  private let allocator: FrameAllocator
  let store: SwapStore
  let monitor = Monitor()
  private let freedFrames = Atomic<Int>(0)

  // All below: guarded by `monitor`.

  /// Slots that were ever used. Those behind have never been written.
  var slots: [SwapSlotState] = []
  private var freeSlots: [SwapSlot] = []
  /// Which slot a cached frame belongs to.
  private var cached: [PFN: SwapSlot] = [:]
  /// Cached frames that neither a page-out nor the writer is busy with: entries that share them map them, or the file
  /// could not be written.
  private var idleFrames: Set<PFN> = []
  var work = SwapWork()

  init(_ store: SwapStore, frames: FrameTable, allocator: FrameAllocator) {
    self.store = store
    self.frames = frames
    self.allocator = allocator
  }

  /// Slots in use.
  var usedCount: Int { monitor.locked { slots.count - freeSlots.count } }

  /// Frames that were freed because the file had their pages, since the machine was made.
  var freedCount: Int { freedFrames.load(ordering: .relaxed) }

  /// Pages that were left to the writer, since the machine was made.
  var queuedCount: Int { monitor.locked { work.queuedCount } }

  /// Whether a page-out or a fault is at work with a slot.
  func isHeld(_ slot: SwapSlot) -> Bool { monitor.locked { slots[slot.index].holds > 0 } }

  /// Runs `body` if no page was ever on its way to the swap file, and keeps the first one from setting out meanwhile.
  /// Returns whether it has run.
  func whileUnused(_ body: () -> Void) -> Bool {
    monitor.locked {
      guard slots.isEmpty else { return false }
      body()
      return true
    }
  }

  /// Whether the file has room for one page at least.
  var hasRoom: Bool { monitor.locked { !freeSlots.isEmpty || slots.count < store.pages } }

  // MARK: Out

  /// What came of putting a slot in the place of an entry.
  enum Replacement {
    /// The entry leads to the slot. The caller holds the slot, and has the reference that the entry had.
    case replaced(SwapSlot)
    /// The entry was something else by then.
    case lost
    /// No slot is free.
    case full
  }

  /// Puts a frame into the cache, unless it is there, and has `exchange` put its slot in the place of an entry that
  /// maps it. Both in one step under the monitor: a fault that finds the entry changed finds the frame.
  ///
  /// The section is the one that read the entry, which is why the frame has a reference to add to.
  func replace(_ pfn: PFN, _ section: RCU.Section, _ exchange: (SwapSlot) -> Bool) -> Replacement {
    monitor.locked {
      // Another entry that shares the page may have brought it here already.
      let known = cached[pfn]
      guard let slot = known ?? takeFree() else { return .full }
      guard exchange(slot) else {
        if known == nil { freeSlots.append(slot) }
        return .lost
      }
      if known == nil {
        frames.frame(pfn).addReferences(1)
        slots[slot.index].frame = pfn
        cached[pfn] = slot
      }
      slots[slot.index].users += 1
      slots[slot.index].holds += 1
      return .replaced(slot)
    }
  }

  // MARK: In

  /// What a fault gets for an entry that leads to a slot.
  enum Claim {
    /// The frame, with a reference and a mapcount for the entry.
    case frame(PFN)
    /// It must be read first. The caller holds the slot.
    case unread
  }

  /// Takes the page back for an entry that leads to the slot. The caller has locked the entry.
  ///
  /// - Parameter own: a frame that no other thread knows, with the slot's contents. It is used if none is cached.
  func claim(_ slot: SwapSlot, own: PFN? = nil) -> Claim {
    monitor.locked {
      assert(slots[slot.index].users > 0, "an entry leads to a slot that has no users")
      if let pfn = slots[slot.index].frame {
        slots[slot.index].users -= 1
        // The last one gets the cache's reference.
        if slots[slot.index].users == 0 {
          forgetFrame(slot)
          freeIfUnused(slot)
        } else {
          frames.frame(pfn).addReferences(1)
        }
        frames.frame(pfn).addMapping()
        return .frame(pfn)
      }
      guard let own else {
        slots[slot.index].holds += 1
        return .unread
      }
      // The caller's hold keeps the slot.
      slots[slot.index].users -= 1
      frames.frame(own).begin(anonymous: true, mapped: true)
      if slots[slot.index].users > 0 {
        // The others are to have the same frame.
        frames.frame(own).addReferences(1)
        slots[slot.index].frame = own
        cached[own] = slot
        markIdle(slot)
      }
      return .frame(own)
    }
  }

  /// Reads a held slot into a frame that no other thread knows.
  ///
  /// - Throws: `file` if the file cannot be read, or holds something else than was written there. The program gets a
  ///   bus error for this page.
  func read(_ slot: SwapSlot, into pfn: PFN) throws(PageError) {
    let bytes = frames.bytes(of: pfn)
    try store.read(slot, into: bytes)
    let expected = monitor.locked { slots[slot.index].checksum }
    let found = SwapChecksum.of(UnsafeRawBufferPointer(start: bytes.address, count: Page.size))
    guard found == expected else { throw .file(.read, errno: EIO) }
  }

  /// Ends a hold.
  func release(hold slot: SwapSlot) { monitor.locked { unhold(slot) } }

  // MARK: Users

  /// One more entry leads to the slot, where one does already.
  func addUser(_ slot: SwapSlot) { monitor.locked { slots[slot.index].users += 1 } }

  /// An entry leads to the slot no more. Returns whether the page was still in memory.
  func removeUser(_ slot: SwapSlot) -> Bool {
    let (wasCached, freed) = monitor.locked { () -> (Bool, PFN?) in
      let wasCached = slots[slot.index].frame != nil
      slots[slot.index].users -= 1
      guard slots[slot.index].users == 0 else { return (wasCached, nil) }
      let freed = uncache(slot)
      freeIfUnused(slot)
      return (wasCached, freed)
    }
    freeFrame(freed, isNeeded: false)
    return wasCached
  }

  // MARK: The cache

  /// Whether one of a frame's references is the cache's.
  func caches(_ pfn: PFN) -> Bool { monitor.locked { cached[pfn] != nil } }

  /// The same of some frames in a row, for a caller that has them from no entry or file. No lock without a swap file.
  func cachesAny(of count: Int, from first: PFN) -> Bool {
    guard store.pages > 0 else { return false }
    return monitor.locked { !cached.isEmpty && (0..<count).contains { cached[first + $0] != nil } }
  }

  /// Whether a frame has left its entry or file for good, or may: the caller's reference does not keep it there.
  ///
  /// It does where a page-out is at work that has not decided: `decide` will find the reference.
  func isLeaving(_ pfn: PFN) -> Bool {
    guard store.pages > 0 else { return false }
    return monitor.locked {
      guard let slot = cached[pfn] else { return false }
      let state = slots[slot.index]
      return state.holds == 0 || state.writing != .idle || state.isWritten
    }
  }

  /// Frees cached frames that no entry maps and the file has. With `retrying`, queues again what could not be written.
  /// O(idle frames).
  func trim(retrying: Bool) {
    let freed = monitor.locked { () -> [PFN] in
      var freed: [PFN] = []
      for pfn in idleFrames where frames.frame(pfn).references == 1 {
        guard let slot = cached[pfn] else { continue }
        if slots[slot.index].isWritten {
          if let pfn = uncacheIfOnly(slot) { freed.append(pfn) }
        } else if retrying {
          // A page-out that is not over has a reference.
          enqueue(slot)
        }
      }
      return freed
    }
    for pfn in freed { freeFrame(pfn) }
  }

  /// Takes the frame out of the cache with its reference. Returns it if that was the last one: the caller frees it, not
  /// under the monitor.
  func uncache(_ slot: SwapSlot) -> PFN? {
    guard let pfn = slots[slot.index].frame else { return nil }
    forgetFrame(slot)
    // ORDERING [last-put]: as every put.
    return frames.frame(pfn).put(Frame.oneReference) ? pfn : nil
  }

  /// The same if there is no other reference, not even for a moment (`freeze`). Else the frame stays, and the result is
  /// nil.
  func uncacheIfOnly(_ slot: SwapSlot) -> PFN? {
    guard let pfn = slots[slot.index].frame, frames.frame(pfn).freeze(1) else { return nil }
    forgetFrame(slot)
    return pfn
  }

  /// Counts the slot's frame among the idle ones, or no longer.
  func markIdle(_ slot: SwapSlot) { if let pfn = slots[slot.index].frame { idleFrames.insert(pfn) } }
  func markBusy(_ slot: SwapSlot) { if let pfn = slots[slot.index].frame { idleFrames.remove(pfn) } }

  func forgetFrame(_ slot: SwapSlot) {
    markBusy(slot)
    if let pfn = slots[slot.index].frame { cached[pfn] = nil }
    slots[slot.index].frame = nil
  }

  /// Frees a frame that has lost its last reference. Not under the monitor: freeing may fill the page.
  ///
  /// - Parameter isNeeded: whether entries still lead to the page.
  func freeFrame(_ pfn: PFN?, isNeeded: Bool = true) {
    guard let pfn else { return }
    if isNeeded { freedFrames.wrappingAdd(1, ordering: .relaxed) }
    allocator.free(pfn)
  }

  // MARK: Slots

  private func takeFree() -> SwapSlot? {
    if let slot = freeSlots.popLast() { return slot }
    guard slots.count < store.pages else { return nil }
    slots.append(SwapSlotState())
    return SwapSlot(slots.count - 1)
  }

  func unhold(_ slot: SwapSlot) {
    slots[slot.index].holds -= 1
    freeIfUnused(slot)
  }

  func freeIfUnused(_ slot: SwapSlot) {
    guard slots[slot.index].isFree else { return }
    slots[slot.index] = SwapSlotState()
    freeSlots.append(slot)
  }
}
