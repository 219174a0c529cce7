import Dispatch
import Foundation
import Synchronization
import TestSupport
import Testing
import UserPages

/// An object that says when it is used after it was reclaimed.
private final class Canary: Sendable {
  private static let alive = 0x11FE, dead = 0xDEAD
  private let state = Atomic<Int>(Canary.alive)

  var isAlive: Bool { state.load(ordering: .relaxed) == Canary.alive }
  func die() { state.store(Canary.dead, ordering: .relaxed) }
}

/// The canary that readers meet at present. The lock protects the place, not the canary: that is what RCU is for.
private final class Cage: Sendable {
  private let place = Locked(Canary())

  var canary: Canary { place.withLock { $0 } }

  func replace() -> Canary {
    place.withLock { canary in
      defer { canary = Canary() }
      return canary
    }
  }
}

/// Counts with relaxed atomics.
private final class Counter: Sendable {
  private let value = Atomic<Int>(0)
  var total: Int { value.load(ordering: .acquiring) }
  func count() { value.add(1, ordering: .acquiringAndReleasing) }
}

/// Read-side sections, grace periods and deferred frees, from every kind of thread.
@Suite(.serialized)
struct RCUTests {
  @Test func gracePeriodWaitsForReadersOnThreads() {
    let torture = Torture("grace periods and threads")
    let cage = Cage()
    torture.run([
      Worker("read", threads: 2) { run in
        while run.next() { read(cage, torture) }
      },
      Worker("reclaim") { run in
        while run.next() {
          let old = cage.replace()
          RCU.synchronize()
          old.die()
        }
      },
      Worker("defer") { run in
        while run.next() {
          let old = cage.replace()
          RCU.deferFree { old.die() }
          if run.turn % 64 == 0 { RCU.barrier() }
        }
      },
    ])
    RCU.barrier()
    #expect(torture.failures == [])
  }

  @Test func dispatchWorkersMayRead() {
    let torture = Torture("grace periods and Dispatch")
    let cage = Cage()
    DispatchQueue.concurrentPerform(iterations: 64) { index in
      for _ in 0..<50 { read(cage, torture) }
      let old = cage.replace()
      if index % 2 == 0 {
        RCU.deferFree { old.die() }
      } else {
        RCU.synchronize()
        old.die()
      }
    }
    RCU.barrier()
    #expect(torture.failures == [])
  }

  @Test func tasksMayRead() async {
    let torture = Torture("grace periods and tasks")
    let cage = Cage()
    await withTaskGroup(of: Void.self) { group in
      for index in 0..<64 {
        group.addTask {
          for _ in 0..<50 {
            read(cage, torture)
            // Between two sections a task may move to another thread; inside one it cannot.
            await Task.yield()
          }
          let old = cage.replace()
          if index % 2 == 0 { RCU.deferFree { old.die() } }
        }
      }
    }
    RCU.barrier()
    #expect(torture.failures == [])
  }

  @Test func manyShortLivedThreads() {
    let torture = Torture("short-lived threads")
    let cage = Cage()
    let group = DispatchGroup()
    for _ in 0..<20 {
      for _ in 0..<10 {
        group.enter()
        Thread {
          read(cage, torture)
          let old = cage.replace()
          RCU.deferFree { old.die() }
          group.leave()
        }.start()
      }
      group.wait()
    }
    RCU.barrier()
    #expect(torture.failures == [])
  }

  @Test func barrierWaitsForEverythingDeferredBefore() {
    let freed = Counter()
    let group = DispatchGroup()
    for _ in 0..<4 {
      group.enter()
      Thread {
        for _ in 0..<250 { RCU.deferFree { freed.count() } }
        group.leave()
      }.start()
    }
    group.wait()
    RCU.barrier()
    #expect(freed.total == 1000)
    RCU.barrier()
    #expect(freed.total == 1000)
  }

  @Test func barrierEndsWhileOthersDefer() {
    // It waits for what was deferred before it, not for what comes meanwhile.
    let torture = Torture("barriers among threads that defer")
    torture.run([
      Worker("defer", threads: 3) { run in
        while run.next() { RCU.deferFree {} }
      },
      Worker("barrier") { run in
        while run.next() { RCU.barrier() }
      },
    ])
    RCU.barrier()
    #expect(torture.failures == [])
  }

  @Test func aFullBatchWaitsForSections() {
    let freed = Counter()
    let (isReading, mayLeave) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let group = DispatchGroup()
    for body in [
      {
        RCU.read {
          isReading.signal()
          mayLeave.wait()
        }
      },
      {
        isReading.wait()
        // More than a batch: one of the calls drains.
        for _ in 0..<2000 { RCU.deferFree { freed.count() } }
      },
    ] as [@Sendable () -> Void] {
      group.enter()
      Thread {
        body()
        group.leave()
      }.start()
    }
    #expect(group.wait(timeout: .now() + 0.1) == .timedOut, "a drain did not wait for a section")
    #expect(freed.total == 0)
    mayLeave.signal()
    group.wait()
    RCU.barrier()
    #expect(freed.total == 2000)
  }

  @Test func deferredWorkMayDeferAgain() {
    let freed = Counter()
    RCU.deferFree {
      freed.count()
      RCU.deferFree { freed.count() }
    }
    RCU.barrier()
    #expect(freed.total >= 1)
    RCU.barrier()
    #expect(freed.total == 2)
  }

  @Test func deferringInsideASection() {
    let freed = Counter()
    let before = RCU.read { () -> Int in
      RCU.deferFree { freed.count() }
      // The grace period cannot end while this section runs.
      return freed.total
    }
    #expect(before == 0)
    RCU.barrier()
    #expect(freed.total == 1)
  }

  @Test func sectionsNest() {
    let torture = Torture("nested sections")
    let cage = Cage()
    torture.run([
      Worker("read", threads: 2) { run in
        while run.next() {
          RCU.read {
            let outer = cage.canary
            for _ in 0..<3 { RCU.read { torture.expect(cage.canary.isAlive, "a reader met a dead object") } }
            // The inner sections' ends must not have ended the outer one.
            torture.expect(outer.isAlive, "an object died inside the outer section")
          }
        }
      },
      Worker("reclaim") { run in
        while run.next() {
          let old = cage.replace()
          RCU.synchronize()
          old.die()
        }
      },
    ])
    #expect(torture.failures == [])
  }

  @Test func sectionsReturnAndThrow() throws {
    #expect(RCU.read { 42 } == 42)
    #expect(throws: PageError.busy) {
      try RCU.read { () throws(PageError) in throw PageError.busy }
    }
    // The section that threw is over: a grace period ends.
    RCU.synchronize()
  }
}

/// One read-side section: the object must live until its end.
private func read(_ cage: Cage, _ torture: Torture) {
  RCU.read {
    let canary = cage.canary
    for _ in 0..<8 { torture.expect(canary.isAlive, "a reader met a dead object") }
  }
}
