import MemoryModel
import Synchronization

/// A number that only a lock keeps from a race.
private final class LockedNumber: @unchecked Sendable {
  let lock = FutexLock()
  var value = 0
}

/// Each thread adds to a plain variable under the lock that sleeps in the kernel. The waiting threads come as far as
/// that.
func locks(threads: Int) {
  mm_let_loops_end()
  let number = LockedNumber()
  let body: Body = {
    number.lock.lock()
    number.value += 1
    number.lock.unlock()
  }
  if threads == 3 { inParallel(body, body, body) } else { inParallel(body, body) }
  check(number.value == threads, "an addition is lost")
}

/// As `locks`, by threads that do not wait.
func triedLocks() {
  let number = LockedNumber()
  let body: Body = {
    guard number.lock.tryLock() else { return }
    number.value += 1
    number.lock.unlock()
  }
  inParallel(body, body)
  check(number.value == 1 || number.value == 2, "an addition is lost")
}

private final class MadeDevice: @unchecked Sendable {
  // For the thread that makes it, and after that thread has ended.
  var device: DeviceRange?
}

/// A thread looks at a frame by its number while a device's range comes to be there: it finds a hole, or a descriptor.
func lookAgainstNewSection(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let frames = setting.memory.frames
  var first: DeviceRange? = try! DeviceRange(setting.memory, pages: 1)
  let pfn = first!.firstPFN
  first = nil
  setting.memory.flushDeferredFrees()
  let made = MadeDevice()
  inParallel(
    {
      RCU.read {
        guard frames.isValid(pfn), frames.frame(pfn).references > 0 else { return }
        check(frames.frame(pfn).has(Frame.reservedBit), "a frame has a reference and no state")
      }
    },
    {
      made.device = try! DeviceRange(setting.memory, pages: 1)
      check(made.device!.firstPFN == pfn, "the range is elsewhere")
    })
  made.device = nil
  setting.memory.flushDeferredFrees()
  setting.end()
}

/// Each thread changes a guarded value.
func guardedValue() {
  let value = Guarded<[Int]>([])
  inParallel({ value.withLock { $0.append(1) } }, { value.withLock { $0.append(2) } })
  check(value.withLock { $0.sorted() } == [1, 2], "a change is lost")
}

private struct Pair: ~Copyable {
  var first: Int
  var second: Int
}

private final class PublishedPair: Sendable {
  let word: Atomic<UInt64>
  init(_ value: consuming Pair, in queue: DeferredQueue.Handle) { word = Atomic(Published(value, in: queue).word) }
}

/// A section reads a value while a writer replaces it and frees the old one.
func publishedValue() {
  let queue = DeferredQueue { _ in [] }
  let handle = queue.handle
  let cell = PublishedPair(Pair(first: 1, second: 1), in: handle)
  inParallel(
    {
      RCU.read {
        let value = Published<Pair>(word: cell.word.load(ordering: .acquiring))!
        check(value.value.first == value.value.second, "a value was half there")
      }
    },
    {
      let new = Published(Pair(first: 2, second: 2), in: handle)
      let old = Published<Pair>(word: cell.word.exchange(new.word, ordering: .acquiringAndReleasing))!
      handle.enqueue(old.retired())
      handle.drain()
    })
  Published<Pair>(word: cell.word.load(ordering: .acquiring))!.destroy()
  withExtendedLifetime(queue) {}
}

/// A place for a value that readers find, and that a writer frees.
private final class Cell: @unchecked Sendable {
  let isThere = Atomic<Bool>(true)
  // Plain: a read that is not ordered before the writer's is a race.
  var value = 1

  func look() {
    RCU.read { if isThere.load(ordering: .acquiring) { check(value == 1, "a value was freed in a section") } }
  }
}

/// A section reads a value. A writer hides the value by a plain release, and waits for a grace period that the third
/// thread may run.
func sharedGracePeriod() {
  let cell = Cell()
  inParallel(
    { cell.look() },
    {
      cell.isThere.store(false, ordering: .releasing)
      RCU.synchronize()
      cell.value = 0
    },
    { RCU.synchronize() })
}

/// The same with a cookie: the writer waits for nothing, and frees what a grace period of the third thread has served.
func cookie() {
  let cell = Cell()
  inParallel(
    { cell.look() },
    {
      cell.isThere.store(false, ordering: .releasing)
      let required = GracePeriod.next
      if required.hasEnded { cell.value = 0 }
    },
    { RCU.synchronize() })
}

private final class Tracked: Sendable {
  let ended: Flag
  init(_ ended: Flag) { self.ended = ended }
  deinit { ended.set() }
}

/// Two threads defer an object each and drain: each object ends once, before its thread's drain of all returns.
func twoDrains() {
  let queue = DeferredQueue { _ in [] }
  let handle = queue.handle
  let flags = [Flag(), Flag()]
  func body(_ flag: Flag) -> Body {
    {
      handle.enqueue(.object(Tracked(flag)))
      handle.drainAll()
      check(flag.isSet, "a drain returned before what was deferred had ended")
    }
  }
  inParallel(body(flags[0]), body(flags[1]))
  check(!handle.isAnythingPending, "something is still deferred")
  withExtendedLifetime(queue) {}
}

/// A thread defers an object while another drains: the object ends once, after a grace period of its own.
func drainAgainstEnqueue() {
  let queue = DeferredQueue { _ in [] }
  let handle = queue.handle
  let flag = Flag()
  inParallel({ handle.enqueue(.object(Tracked(flag))) }, { handle.drainAll() })
  handle.drainAll()
  check(flag.isSet, "a drain of all left something")
  check(!handle.isAnythingPending, "something is still deferred")
  withExtendedLifetime(queue) {}
}

/// A thread defers an object while another looks at what waits: it finds the whole word, or none.
func enqueueAgainstLook() {
  let queue = DeferredQueue { _ in [] }
  let handle = queue.handle
  let flag = Flag()
  let word = DeferredWord.object(Tracked(flag))
  inParallel(
    { handle.enqueue(word) },
    { check(handle.waitingWords().allSatisfy { $0.rawValue == word.rawValue }, "a word waits that was not deferred") })
  handle.drainAll()
  check(flag.isSet, "a drain of all left something")
  withExtendedLifetime(queue) {}
}

private final class EndCount: @unchecked Sendable {
  private let monitor = Monitor()
  private var ended = 0

  func add() {
    monitor.locked {
      ended += 1
      monitor.wakeAll()
    }
  }

  func wait(for count: Int) { monitor.locked { while ended < count { monitor.wait() } } }
}

private final class Counted: Sendable {
  let count: EndCount
  init(_ count: EndCount) { self.count = count }
  deinit { count.add() }
}

/// Two ends that sections put off: both come by themselves, whether one thread makes them or two.
func endingsComeByThemselves() {
  RCU.finishEndings()
  let count = EndCount()
  for _ in 0..<2 { RCU.endOutsideSection(Counted(count)) }
  // An end that no thread makes is a deadlock.
  count.wait(for: 2)
}

private func writeAndLook(_ frame: borrowing FrameReference, _ stamp: UInt64) {
  check(frame.bytes.load() as UInt64 == 0, "a new frame is not empty")
  frame.bytes.store(stamp)
  check(frame.bytes.load() as UInt64 == stamp, "a frame has two owners")
}

/// Two threads take a frame each, write to it and give it back: no frame has two owners.
func allocations(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let body: Body = {
    for stamp in UInt64(1)...2 {
      let frame = try! setting.memory.allocate()
      writeAndLook(frame, stamp)
      frame.put()
    }
  }
  inParallel(body, body)
  setting.end()
}
