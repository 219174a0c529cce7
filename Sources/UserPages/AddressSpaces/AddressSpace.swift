import Synchronization

/// One address space: mappings, a page table, and the operations on them (Linux's `mm_struct`).
///
/// Thread-safe throughout. Operations that change mappings, or replace entries for a while, hold the mmap lock for
/// writing. It is the lock of their stripe, one at a time, or of the whole space (`MmapLock`). Page-out and advice that
/// empties entries hold it for reading. A fault waits for them. A load, store or pin does not if its entry allows
/// it, except with engine `locked`.
///
/// A fault that fails takes the lock for a moment. So do a slow pin before it reports an error, and the fault that
/// gives a mapping its `anon_vma`. A long-term pin takes it for writing to move its page out of a movable frame. The
/// holders are in <doc:OperationLabels>. The order of all locks is in <doc:LockOrder>.
///
/// The order of events that keeps a lock-free reader safe:
///
///     a change of a mapping                           a fault, a load, a pin
///     1. old mappings are marked detached             a. finds the mapping, then the entry
///     2. new ones are published                       b. fault: locks the entry; checks that its mapping is live; installs
///     3. entries are emptied or write-protected       c. load, store: acts on the entry it read, in one section
///     4. a grace period (`Teardown`)                  d. pin: adds to the counts and looks again, or stores its
///                                                        slot in the section (`AddressSpace+Hold.swift`, `Engines`)
///     5. references of emptied entries fall, nodes and mappings are freed: a grace period after 3
public final class AddressSpace: Sendable {
  /// The machine.
  public let memory: PhysicalMemory
  /// How pins are taken.
  public let engine: PinEngine

  // What the fast path needs, each a trivial value, so that reaching it touches no reference count.
  @usableFromInline let table: PageTable
  @usableFromInline let frames: FrameTable
  @usableFromInline let events: ShardedCounters

  let mappings: VMATree
  let mmapLock: MmapLock
  let stripeNodes = StripeNodes()
  let staleAccesses = StaleAccesses()
  /// The mirrors of the space, each of which keeps it.
  let mirrors = MirrorList()
  /// Where reclaim goes on to look for idle pages.
  let clockHand = Guarded(VirtualAddress(0))
  /// Whether an entry may be a guard marker. Never false again.
  let mayHoldGuards = Atomic<Bool>(false)
  /// Whether a mapping may be sealed. Never false again. The mmap lock orders it with the mappings that it is for.
  let mayHoldSeals = Atomic<Bool>(false)
  /// The page-table locks, where the engine takes them.
  let tableLocks: PageTableLocks?

  /// An empty address space.
  public init(_ memory: PhysicalMemory, engine: PinEngine = .reference) {
    self.memory = memory
    self.engine = engine
    table = PageTable(memory)
    frames = memory.frames
    events = ShardedCounters()
    mappings = VMATree(queue: memory.deferredQueue)
    tableLocks = engine.makeTableLocks()
    mmapLock = MmapLock(isStriped: engine.hasStripedLock)
    memory.reclaimer.add(self)
  }

  /// Another's parts, in a space of its own: see `deinit`.
  private init(successorOf parts: Parts) {
    memory = parts.memory
    engine = parts.engine
    table = parts.table
    frames = parts.memory.frames
    events = parts.events
    mappings = parts.mappings
    tableLocks = parts.tableLocks
    mmapLock = MmapLock(isStriped: engine.hasStripedLock)
  }

  private struct Parts {
    let memory: PhysicalMemory
    let engine: PinEngine
    let table: PageTable
    let events: ShardedCounters
    let mappings: VMATree
    let tableLocks: PageTableLocks?
  }

  deinit {
    // The machine's end may come with this one, and cannot come inside a section.
    if RCU.isReading {
      let parts = Parts(
        memory: memory, engine: engine, table: table, events: events, mappings: mappings, tableLocks: tableLocks)
      return RCU.endOutsideSection(AddressSpace(successorOf: parts))
    }
    // No thread can load or store here any more: there is nothing to wait for. A mirror could, but keeps its space.
    var teardown = Teardown(memory.deferred)
    mmapLock.writing { writer in remove(VirtualAddress(0)..<VirtualAddress.limit, writer, &teardown) }
    teardown.finishWithoutGracePeriod()
    // The mappings kept backings alive, and backings the machine: let them go now, not at some later drain.
    memory.deferred.drain()
    table.release(to: memory)
    events.release()
  }

  /// What happened since the space was made. Exact when nothing else runs.
  public var counters: Counters {
    Counters(
      fast: events.total(Counters.fastIndex), slow: events.total(Counters.slowIndex),
      faults: events.total(Counters.faultIndex), copies: events.total(Counters.copyIndex))
  }
}

/// Event counts of an address space.
public struct Counters: Equatable, Sendable {
  /// Pages that the lockless fast path pinned or got (`fast_gup`).
  public var fast: Int
  /// Pages that the slow path pinned or got (`fast_gup_slow`).
  public var slow: Int
  /// Faults resolved.
  public var faults: Int
  /// Copies made by copy-on-write.
  public var copies: Int

  @usableFromInline static var fastIndex: Int { 0 }
  static let slowIndex = 1
  static let faultIndex = 2
  static let copyIndex = 3
  static let anonVMAIndex = 4
}
