import Foundation
import TestSupport
import Testing

@testable import UserPages

/// The ends of users' objects: not in a call of a page cache, nor under its locks, nor while the thread reclaims.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct ReleaseScopeTests {
  /// What of a cache calls a user's code under the cache's locks.
  enum Place: CaseIterable { case hook, write, read, cut, hole, sync }

  /// What releases objects that are ready, outside of such a call.
  enum Releasing: CaseIterable { case fault, unmap, exit, fork, end, flush, barrier, deferFree }

  private let page: VirtualAddress = 0x10_0000

  private func run(_ releasing: Releasing, in space: AddressSpace) throws {
    let memory = space.memory
    switch releasing {
    case .fault:
      try space.unmap(at: page, pages: 1)
      try space.map(at: page, pages: 1, protection: .readWrite)
      try space.store(UInt64(1), at: page)
    case .unmap: try space.unmap(at: page, pages: 1)
    case .exit: space.exit()
    case .fork: try space.fork().exit()
    case .end:
      let other = AddressSpace(memory)
      try other.map(at: page, pages: 1, protection: .readWrite)
    case .flush: memory.flushDeferredFrees()
    case .barrier: RCU.barrier()
    case .deferFree: for _ in 0..<2 * DeferredQueue.batch { RCU.deferFree {} }
    }
  }

  /// The object is ready when the call begins. It ends when the cache has given up its last lock, by the thread that
  /// had left it.
  @Test(arguments: Place.allCases, Releasing.allCases)
  func anEndWaitsForTheCall(place: Place, releasing: Releasing) throws {
    let inside = Locked<(@Sendable () -> Void)?>(nil)
    let call: @Sendable () -> Void = { inside.withLock { $0.take() }?() }
    let hooks = PageCache.Hooks(willWriteBack: { _ throws(PageError) in if place == .hook { call() } })
    try CacheStage.run(pages: 8, hooks: hooks) { stage in
      let ends = Ends()
      let (memory, cache) = (stage.memory, stage.cache)
      let locks = [cache.writeBackLock, cache.evictionLock]
      let other = AddressSpace(memory)
      try other.map(at: page, pages: 1, protection: .readWrite)
      try other.store(UInt64(1), at: page)
      try cache.write([1], at: 0)
      if releasing == .barrier || releasing == .deferFree {
        RCU.deferFree { ends.add(locks) }
      } else {
        try other.leave(EndingBacking(memory) { ends.add(locks) })
        memory.reclaimDeferredFrees()
        #expect(ends.seen == [], "it ended before the call")
      }
      let seenInside = Locked<[String]?>(nil)
      inside.withLock {
        $0 = {
          do { try run(releasing, in: other) } catch { Issue.record(error) }
          // What another test's thread has released ended on that thread, and was free there.
          seenInside.withLock { $0 = ends.seen.filter { $0 != "free" } }
        }
      }
      stage.store.onCall { made in
        switch (place, made) {
        case (.write, .write), (.read, .read), (.cut, .setByteCount), (.hole, .punchHole), (.sync, .sync): call()
        default: break
        }
      }
      switch place {
      case .hook, .write, .sync: try cache.sync()
      case .read: _ = try cache.read(at: 5 * Page.size, count: 1)
      case .cut: try cache.setByteCount(7 * Page.size)
      case .hole: try cache.punchHole(1..<2)
      }
      stage.store.onCall(nil)
      #expect(seenInside.withLock { $0 } == [])
      // Another test's thread may be about to run the closure.
      if releasing == .barrier || releasing == .deferFree { RCU.barrier() }
      #expect(ends.seen == ["free"])
      other.exit()
    }
  }

  /// The file of one cache lies in another one. The first one's end is ready when a call of the second one's store
  /// releases objects.
  @Test func aCacheOfAFileInACache() throws {
    try CacheStage.run(pages: 8) { stage in
      let (memory, cache) = (stage.memory, stage.cache)
      let other = AddressSpace(memory)
      try other.map(at: page, pages: 2, protection: .readWrite)
      let mapped: VirtualAddress = 0x2000_0000
      do {
        let upper = try PageCache(memory, FileInCache(cache), limit: 4, maximumPages: 8)
        try other.map(at: mapped, pages: 8, protection: .readWrite, sharing: .shared, backing: .file(upper))
      }
      try other.store(UInt64(77), at: mapped + 2 * Page.size)
      try other.unmap(at: mapped, pages: 8)
      memory.reclaimDeferredFrees()
      cache.waitForReads()
      // The end must read its page again, through the call that it would run in.
      while cache.evict(8) > 0 {}
      #expect(!cache.isResident(page: 2))
      let place = page
      stage.store.onNextCall {
        do { try other.store(UInt64(1), at: place) } catch { Issue.record(error) }
      }
      _ = try cache.read(at: 5 * Page.size, count: 1)
      try cache.sync()
      #expect(stage.written(2) == 77, "what the end wrote is lost")
      other.exit()
    }
  }

  /// The last writes of a cache are calls of its store under none of its locks.
  @Test func anEndCallsItsStore() throws {
    let machine = try Machine(frames: 64)
    do {
      let (ends, store) = (Ends(), MemoryStore(pages: 8))
      let other = AddressSpace(machine.memory)
      let place = page
      try other.map(at: place, pages: 2, protection: .readWrite)
      let seenInside = Locked<[String]?>(nil)
      do {
        let cache = try PageCache(machine.memory, store, limit: 4, maximumPages: 8)
        try cache.write([1], at: 0)
        try other.leave(EndingBacking(machine.memory) { ends.add() })
        machine.memory.reclaimDeferredFrees()
        store.onNextCall {
          do { try other.store(UInt64(1), at: place) } catch { Issue.record(error) }
          seenInside.withLock { $0 = ends.seen }
        }
      }
      #expect(seenInside.withLock { $0 } == [])
      #expect(ends.seen == ["free"])
      other.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// 1. a thread in a hook of a cache waits until another thread releases an object
  /// 2. that object's end syncs the cache, and waits for the hook's end
  /// 3. the hook waits for all that is deferred
  @Test func aCallWaitsForNoRound() throws {
    let inside = Locked<(@Sendable () -> Void)?>(nil)
    let hooks = PageCache.Hooks(willWriteBack: { _ throws(PageError) in inside.withLock { $0.take() }?() })
    try CacheStage.run(pages: 8, hooks: hooks) { stage in
      let (memory, cache, space) = (stage.memory, stage.cache, stage.space)
      let (begun, ended) = (Rounds(1), Rounds(2))
      try space.leave(
        EndingBacking(memory) {
          begun.arrive()
          do { try cache.sync() } catch { Issue.record(error) }
          ended.arrive()
        })
      inside.withLock {
        $0 = {
          runThread {
            memory.flushDeferredFrees()
            ended.arrive()
          }
          begun.wait()
          memory.flushDeferredFrees()
          RCU.barrier()
        }
      }
      try cache.write([1], at: 0)
      try cache.sync()
      ended.wait()
    }
  }

  /// A machine's end releases what waits in its queue, so it is put off: here by a thread that releases nothing.
  @Test func aMachineEndsInACall() throws {
    let ends = Ends()
    try CacheStage.run(pages: 100, limit: 64) { stage in
      let work = Locked<(@Sendable () -> Void)?>({
        do {
          let memory = try PhysicalMemory(ramPages: 16)
          try AddressSpace(memory).leave(EndingBacking(memory) { ends.add() })
        } catch {
          Issue.record(error)
        }
      })
      stage.store.onCall { _ in if Thread.isReadingAhead { work.withLock { $0.take() }?() } }
      for page in 0..<30 {
        _ = try stage.cache.read(at: page * Page.size, count: 1)
        stage.cache.waitForReads()
      }
      #expect(work.withLock { $0 == nil })
      stage.store.onCall(nil)
    }
    RCU.barrier()
    #expect(ends.seen == ["free"])
  }

  /// 1. a store of a cache touches memory, and the fault asks a backing
  /// 2. another thread unmaps the backing, and the fault's reference to it is the last
  /// 3. the fault fails
  @Test func aFaultInACallHasTheLastReference() throws {
    try CacheStage.run(pages: 8) { stage in
      let (memory, space) = (stage.memory, stage.space)
      let ends = Ends()
      let place: VirtualAddress = 0x9000_0000
      do {
        let backing = EndingBacking(memory) { [unowned space] in
          let unmapped = Rounds(1)
          runThread { [unowned space] in
            do { try space.unmap(at: place, pages: 1) } catch { Issue.record(error) }
            memory.flushDeferredFrees()
            unmapped.arrive()
          }
          unmapped.wait()
        } atEnd: {
          ends.add()
        }
        try space.map(at: place, pages: 1, protection: .read, sharing: .shared, backing: .mixed(backing))
      }
      stage.store.onNextCall { [unowned space] in
        #expect(throws: PageError.segmentationViolation) { try space.load(at: place, as: UInt8.self) }
        #expect(ends.seen == [])
      }
      _ = try stage.cache.read(at: 5 * Page.size, count: 1)
      memory.flushDeferredFrees()
      #expect(ends.seen == ["free"])
    }
  }

  /// Reclaim breaks 2 MiB up, which makes ready what was deferred, under the reclaim lock.
  @Test func reclaimReleasesUnderNoLock() throws {
    let machine = try Machine(
      frames: 2048, swapPages: 1024, reclaim: ReclaimPolicy(usesBackgroundThread: false, swapsForAllocations: false))
    do {
      let memory = machine.memory
      let space = AddressSpace(memory)
      let ends = Ends()
      try space.mapNumbered(pages: 512)
      #expect(space.says(hugeBase) == "huge rw dirty")
      try space.leave(EndingBacking(memory) { ends.add([memory.reclaimer.lock]) })
      #expect(ends.seen == [])
      #expect(memory.reclaim(pages: 8) > 0)
      #expect(space.says(hugeBase) != "huge rw dirty")
      #expect(ends.seen == ["free"])
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// A cache's end waits for the thread that reads ahead, so that thread leaves what it finds ready to others.
  @Test func theThreadThatReadsAheadReleasesNothing() throws {
    try CacheStage.run(pages: 100, limit: 64) { stage in
      let ends = Ends()
      let other = AddressSpace(stage.memory)
      let place = page
      let faults = Locked(0)
      try other.map(at: place, pages: 64, protection: .readWrite)
      try other.leave(EndingBacking(stage.memory) { ends.add() })
      stage.memory.reclaimDeferredFrees()
      stage.store.onCall { _ in
        guard Thread.isReadingAhead else { return }
        let fault = faults.withLock { faults in
          faults += 1
          return faults
        }
        do { try other.store(UInt64(1), at: place + fault * Page.size) } catch { Issue.record(error) }
      }
      for page in 0..<30 {
        _ = try stage.cache.read(at: page * Page.size, count: 1)
        stage.cache.waitForReads()
      }
      stage.store.onCall(nil)
      #expect(faults.withLock { $0 } > 0)
      #expect(ends.seen == [])
      stage.memory.flushDeferredFrees()
      #expect(ends.seen == ["free"])
      other.exit()
    }
  }
}
