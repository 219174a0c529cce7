import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// A backing of one page that owns what it likes, and calls the library from its `deinit`.
private final class OwningBacking: Backing {
  private let memory: PhysicalMemory
  private let space: AddressSpace?
  private let atEnd: @Sendable () -> Void

  init(_ memory: PhysicalMemory, owning space: AddressSpace?, atEnd: @escaping @Sendable () -> Void = {}) {
    self.memory = memory
    self.space = space
    self.atEnd = atEnd
  }

  deinit { atEnd() }

  var pageCount: Int { 1 }
  func fault(page: Int, write: Bool) -> FaultAnswer { .frameNumber(memory.zeroPage, writable: false) }
}

private final class Count: Sendable {
  private let value = Atomic<Int>(0)
  var total: Int { value.load(ordering: .acquiring) }
  func add() { value.add(1, ordering: .acquiringAndReleasing) }
}

/// Objects that end in a drain, and use the library while they do.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct DeferredReleaseTests {
  /// A space that shows `backing`, which nothing else holds from then on.
  private func show(_ backing: OwningBacking, in space: AddressSpace, at address: VirtualAddress = 0x10000) throws {
    try space.map(at: address, pages: 1, protection: .read, sharing: .shared, backing: .mixed(backing))
    _ = try space.load(at: address, as: UInt8.self)
  }

  @Test(arguments: PinEngine.allCases)
  func aBackingOwnsASpace(engine: PinEngine) throws {
    let machine = try Machine(frames: 256)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      do {
        let owned = AddressSpace(machine.memory, engine: engine)
        try owned.map(at: 0x10000, pages: 8, protection: .readWrite, sharing: .shared)
        try owned.store(UInt64(1), at: 0x10000)
        try show(OwningBacking(machine.memory, owning: owned), in: space)
      }
      try space.unmap(at: 0x10000, pages: 1)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 0)
    }
    #expect(machine.leaks() == [])
  }

  /// What a `deinit` may call, one after the other.
  @Test(arguments: PinEngine.allCases)
  func aDeinitUsesTheLibrary(engine: PinEngine) throws {
    let machine = try Machine(frames: 64)
    let calls = Count()
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      let (memory, other) = (machine.memory, AddressSpace(machine.memory, engine: engine))
      try other.map(at: 0x10000, pages: 256, protection: .readWrite)
      try show(
        OwningBacking(memory, owning: nil) {
          memory.flushDeferredFrees()
          calls.add()
          RCU.barrier()
          calls.add()
          RCU.deferFree { calls.add() }
          // More than there is: the allocation drains until it gives up.
          let error = #expect(throws: PageError.self) {
            for page in 0..<256 { try other.store(UInt64(page), at: 0x10000 + page * Page.size) }
          }
          #expect(error == .outOfMemory)
          calls.add()
          other.exit()
          calls.add()
        }, in: space)
      try space.unmap(at: 0x10000, pages: 1)
      memory.flushDeferredFrees()
      #expect(calls.total >= 4)
      RCU.barrier()
      #expect(calls.total == 5)
    }
    #expect(machine.leaks() == [])
  }

  /// An allocation under pressure drains, in the middle of the operations that hold the mmap lock too. What it ends
  /// uses that very space.
  @Test(arguments: PinEngine.allCases, [false, true])
  func anAllocationUnderPressureEndsABacking(engine: PinEngine, inAFork: Bool) throws {
    let machine = try Machine(frames: 32)
    let ends = Count()
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: 0x100000, pages: 64, protection: .readWrite)
      // What ends holds the memory that is asked for.
      let owned = AddressSpace(machine.memory, engine: engine)
      try owned.map(at: 0x10000, pages: 8, protection: .readWrite)
      for page in 0..<8 { try owned.store(UInt64(page), at: 0x10000 + page * Page.size) }
      try show(
        OwningBacking(machine.memory, owning: nil) { [unowned space] in
          owned.exit()
          try? space.map(at: 0x900000, pages: 1, protection: .read)
          try? space.unmap(at: 0x900000, pages: 1)
          ends.add()
        }, in: space)
      var pins: [Held] = []
      for page in 0..<20 {
        try space.store(UInt64(page), at: 0x100000 + page * Page.size)
        if inAFork { pins.append(Held(try space.pin(at: 0x100000 + page * Page.size, [.write, .longTerm]))) }
      }
      while machine.memory.freePages > 2 {
        try space.store(UInt64(1), at: 0x120000 + machine.memory.freePages * Page.size)
      }
      try space.unmap(at: 0x10000, pages: 1)
      if inAFork {
        // Each pinned page needs a copy. There are too few frames for them all, but more than without the end.
        #expect(throws: PageError.outOfMemory) { _ = try space.fork() }
      } else {
        for page in 0..<6 { try space.store(UInt64(page), at: 0x130000 + page * Page.size) }
      }
      #expect(ends.total == 1)
      pins = []
    }
    #expect(machine.leaks() == [])
  }

  /// A pin in a class, for an array.
  private final class Held {
    private let pin: PinnedPage
    init(_ pin: consuming PinnedPage) { self.pin = pin }
  }

  /// The stack does not grow with the number of objects that one drain ends.
  @Test func thousandsOfBackingsThatOwnSpacesEndInOneDrain() throws {
    let machine = try Machine(frames: 64)
    let ends = Count()
    do {
      let space = AddressSpace(machine.memory)
      let pages = 4000
      for page in 0..<pages {
        let owned = AddressSpace(machine.memory)
        try owned.map(at: 0x10000, pages: 1, protection: .read)
        let backing = OwningBacking(machine.memory, owning: owned) { ends.add() }
        try space.map(
          at: 0x10000 + page * Page.size, pages: 1, protection: .read, sharing: .shared, backing: .mixed(backing))
      }
      let done = DispatchSemaphore(value: 0)
      let thread = Thread { [unowned space] in
        do { try space.unmap(at: 0x10000, pages: pages) } catch { Issue.record(error) }
        done.signal()
      }
      thread.stackSize = 256 << 10
      thread.start()
      done.wait()
      machine.memory.flushDeferredFrees()
      #expect(ends.total == pages)
    }
    #expect(machine.leaks() == [])
  }

  // MARK: Barriers

  @Test func aClosureCallsBarrier() {
    let runs = Count()
    RCU.deferFree {
      RCU.deferFree { runs.add() }
      RCU.barrier()
      runs.add()
    }
    RCU.barrier()
    RCU.barrier()
    #expect(runs.total == 2)
  }

  /// Each of two threads drains, and is in a closure that calls `barrier`, when the other is.
  @Test func twoClosuresCallBarrierAtOnce() {
    let begun = Count()
    let ended = Count()
    let closure: @Sendable () -> Void = {
      begun.add()
      while begun.total < 2 { sched_yield() }
      RCU.barrier()
      ended.add()
    }
    let group = DispatchGroup()
    for turn in 0..<2 {
      while begun.total < turn { sched_yield() }
      group.enter()
      Thread {
        RCU.deferFree(closure)
        RCU.barrier()
        #expect(ended.total >= 1)
        group.leave()
      }.start()
    }
    group.wait()
    #expect(ended.total == 2)
  }

  /// A drain has taken the closure, and runs it: a barrier on another thread waits for its end.
  @Test func aBarrierWaitsForAClosureThatAnotherThreadRuns() {
    for _ in 0..<50 {
      let begun = Count()
      let mayEnd = Count()
      let ended = Count()
      let group = DispatchGroup()
      group.enter()
      Thread {
        RCU.deferFree {
          begun.add()
          while mayEnd.total == 0 { sched_yield() }
          for _ in 0..<100 { sched_yield() }
          ended.add()
        }
        RCU.barrier()
        group.leave()
      }.start()
      while begun.total == 0 { sched_yield() }
      mayEnd.add()
      RCU.barrier()
      #expect(ended.total == 1)
      group.wait()
    }
  }

  @Test func aBarrierEndsThoughAClosureDefersItselfAgain() {
    let runs = Count()
    final class Again: Sendable {
      let runs: Count
      init(_ runs: Count) { self.runs = runs }
      func run() {
        runs.add()
        if runs.total < 1000 { RCU.deferFree { self.run() } }
      }
    }
    Again(runs).run()
    RCU.barrier()
    #expect(runs.total >= 2 && runs.total < 1000)
    while runs.total < 1000 { RCU.barrier() }
  }

  /// A user of a backing that looks at all users when it ends.
  private final class LooksAgain: BackingUser {
    private let users: BackingUsers

    init(_ users: BackingUsers) { self.users = users }

    deinit { for user in users.all where user === self { Issue.record("a user that has ended was found") } }

    func takeAccessedPages(of backing: any Backing) -> [Int] { [] }
    func mapsWritably(_ backing: any Backing) -> Bool { false }
    func unmap(pages: [Int], of backing: any Backing, sparingLocked: Bool) -> Bool { true }
    func unmap(_ frames: [PFN], ofPages pages: [Int], of backing: any Backing, sparingLocked: Bool) {}
    func unmapEverywhere(pages: [Int], of backing: any Backing) {}
    func unmapAll(from page: Int, of backing: any Backing) {}
    func reclaimTables(showing pages: Range<Int>, of backing: any Backing) {}
    func writeProtect(pages: [Int], of backing: any Backing) {}
    func takeAccessed(among pages: [Int], of backing: any Backing) -> [Int] { [] }
    func lockedPages(among pages: [Int], showing frames: [PFN], of backing: any Backing) -> [Int] { [] }
  }

  /// The last reference to a user may be the one that a look at all users took: its `deinit` looks at them again.
  @Test func aUserEndsWhileUsersAreLookedAt() {
    let users = BackingUsers()
    let torture = Torture("users of a backing that end")
    torture.run([
      Worker("join") { run in
        while run.next() { users.add(LooksAgain(users)) }
      },
      Worker("hold") { run in
        while run.next() {
          let user = LooksAgain(users)
          users.add(user)
          withExtendedLifetime(user) { _ = sched_yield() }
        }
      },
      Worker("look", threads: 2) { run in
        while run.next() { _ = users.all.count }
      },
    ])
    #expect(torture.failures == [])
  }
}
