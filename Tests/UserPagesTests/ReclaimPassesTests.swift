import Dispatch
import TestSupport
import Testing

@testable import UserPages

/// Waiting for reclaims that keep objects alive.
@Suite(.timeLimit(.minutes(1))) struct ReclaimPassesTests {
  /// A waiter goes on when another thread's pass is over, and not before.
  @Test func anotherThreadsPass() throws {
    let passes = ReclaimPasses()
    let (begun, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let isOver = Locked(false)
    let thread = CheckedThread {
      _ = passes.run {
        begun.signal()
        mayEnd.wait()
        isOver.withLock { $0 = true }
        return 0
      }
    }
    begun.wait()
    let sawTheEnd = Locked(false)
    let waiter = CheckedThread {
      passes.waitForOthers()
      sawTheEnd.withLock { $0 = isOver.withLock { $0 } }
    }
    mayEnd.signal()
    try waiter.join()
    try thread.join()
    #expect(sawTheEnd.withLock { $0 })
  }

  /// A callback of the reclaim that ends something does not wait for itself. Nor does a hook of a cache: the reclaim
  /// may wait for a lock of that cache.
  @Test func passesThatAreNotWaitedFor() throws {
    let passes = ReclaimPasses()
    let freed = passes.run {
      passes.waitForOthers()
      return 3
    }
    #expect(freed == 3)
    try besideAPass(of: passes) { ReclaimScope.withoutReclaim { passes.waitForOthers() } }
  }

  /// Runs `body` while another thread's pass is under way. It ends after that in any case.
  private func besideAPass(of passes: ReclaimPasses, _ body: () -> Void) throws {
    let (begun, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let thread = CheckedThread {
      passes.run {
        begun.signal()
        mayEnd.wait()
      }
    }
    begun.wait()
    body()
    mayEnd.signal()
    try thread.join()
  }

  /// Each of two reclaims ends something at the same time, as a program's `release` may: neither waits for the other.
  @Test func twoPassesThatWait() throws {
    let passes = ReclaimPasses()
    let (begun, ended) = (Locked(0), DispatchSemaphore(value: 0))
    let threads = (0..<2).map { _ in
      CheckedThread {
        _ = passes.run {
          begun.withLock { $0 += 1 }
          while begun.withLock({ $0 }) < 2 {}
          passes.waitForOthers()
          return 0
        }
        ended.signal()
      }
    }
    for _ in threads {
      // Bounded: a wait without an end would keep the test from failing.
      try #require(ended.wait(timeout: .now() + 20) == .success, "two reclaims wait for each other")
    }
    for thread in threads { try thread.join() }
  }

  /// Nor does a round of releases wait: a reclaim may wait for the round.
  @Test func aRoundOfReleasesDoesNotWait() throws {
    let passes = ReclaimPasses()
    let ended = DispatchSemaphore(value: 0)
    var round: CheckedThread?
    try besideAPass(of: passes) {
      round = CheckedThread {
        RCU.deferFree { passes.waitForOthers() }
        RCU.barrier()
        ended.signal()
      }
      // Bounded, and the reclaim ends in any case: a wait for it would keep the test from failing.
      #expect(ended.wait(timeout: .now() + 20) == .success, "a round waits for a reclaim")
    }
    try round?.join()
  }

  /// A cache that reclaim has at hand ends when that is over: what waits then finds its file written.
  @Test func aCacheThatReclaimHasAtHand() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let (writing, mayWrite) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let store = MemoryStore(pages: 4) { _ in 0 }
    let hooks = PageCache.Hooks(willWriteBack: { _ in
      writing.signal()
      mayWrite.wait()
    })
    var cache: PageCache? = try PageCache(memory, store, limit: 8, hooks: hooks)
    weak let living = cache
    try cache?.write([7], at: 0)
    let thread = CheckedThread { memory.reclaim(pages: 8) }
    writing.wait()
    cache = nil
    #expect(living != nil, "reclaim does not keep what it writes")
    mayWrite.signal()
    // The cache's end asks once more, if the page is dirty still.
    mayWrite.signal()
    memory.waitForReclaims()
    #expect(living == nil && MemoryStore.word(store.contents, at: 0) == 7)
    try thread.join()
  }
}
