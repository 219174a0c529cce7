import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pins that outlive the thread that took them, or are released by another. More threads come, one after the other,
  /// than there ever are at a time, so that their numbers are used again.
  @Suite struct PinsOfManyThreads {
    @Test(arguments: Engines.all)
    func threadsEndWithPins(engine: PinEngine) throws {
      try race("threads that end with pins", engine: engine, frames: 512) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let other = AddressSpace(machine.memory, engine: engine)
        // More than a thread has slots. The threads come one after the other, and most have the same number.
        let region = Region(at: 0x7000_0000, pages: 20)
        let parcels = Locked<[Parcel]>([])
        for life in 1...10 {
          try space.map(at: region.start, pages: region.pages, protection: .readWrite)
          try space.stamp(region, life: life)
          Threads().run(torture) {
            for page in 0..<region.pages {
              let parcel = Parcel(try space.pin(at: region.address(page), .write), page: page)
              parcels.withLock { $0.append(parcel) }
            }
          }
          #expect(space.frameInformation(at: region.address(7))?.pinCount == 1)
          try space.unmap(at: region.start, pages: region.pages)
          machine.memory.flushDeferredFrees()
        }
        let held = 10 * region.pages
        #expect(machine.memory.freePages == 512 - held)
        // A thread that wants them all gets the rest.
        try other.map(at: 0x10_0000, pages: 512 - held + 1, protection: .readWrite)
        for page in 0..<(512 - held) { try other.store(UInt64.max, at: 0x10_0000 + page * Page.size) }
        #expect(throws: PageError.outOfMemory) { try other.store(UInt64.max, at: 0x10_0000 + (512 - held) * Page.size) }
        for (index, parcel) in parcels.withLock({ $0 }).enumerated() {
          let stamp = Stamp(owner: 1, page: parcel.page, life: index / region.pages + 1)
          torture.expect(parcel.stamp == stamp, "a pin of \(stamp) shows something else")
        }
        // Half are given back by a thread that never took one, which may have the number of those that did.
        Threads().run(torture) { parcels.withLock { $0.removeFirst(held / 2) } }
        machine.memory.flushDeferredFrees()
        #expect(machine.memory.freePages == held / 2)
        parcels.withLock { $0 = [] }
        other.exit()
      }
    }

    @Test(arguments: Engines.all)
    func handedOn(engine: PinEngine) throws {
      try race("pins handed on", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 8)
        let parcels = Locked<[Parcel]>([])
        let received = torture.tally("pins received", goal: 100)
        torture.run([
          Worker("pin and hand on", threads: 2) { run in
            while run.next() {
              guard parcels.withLock({ $0.count < 60 }) else {
                run.pauseRandomly()
                continue
              }
              let page = run.random.below(region.pages)
              let options: PinOptions = [.write, [], .get, [.write, .longTerm]][run.random.below(4)]
              let pin = try space.pin(at: region.address(page), options, orGiveUpOn: [.badAddress])
              guard let pin else { continue }
              let parcel = Parcel(pin, page: page)
              parcels.withLock { $0.append(parcel) }
            }
          },
          Worker("receive and release", threads: 2) { run in
            while run.next() {
              let parcel = parcels.withLock { $0.isEmpty ? nil : $0.remove(at: run.random.below($0.count)) }
              guard let parcel else { continue }
              received.count()
              parcel.check(owner: 1, torture)
            }
          },
          churn(space, region),
          .neighbour(machine, engine: engine, torture),
        ])
        parcels.withLock { $0 = [] }
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func manyShortLivedThreads(engine: PinEngine) throws {
      try race("many short-lived threads", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 8)
        let left = Locked<[Parcel]>([])
        let ended = torture.tally("threads that pinned and ended", goal: 4000)
        torture.run([
          Worker("begin threads", threads: 2) { run in
            while run.next() {
              let threads = Threads()
              for _ in 0..<16 {
                let page = run.random.below(region.pages)
                let leaves = run.random.oneIn(8)
                threads.start(torture) {
                  let pin = try space.pin(at: region.address(page), .write, orGiveUpOn: [.badAddress])
                  guard let pin else { return }
                  let parcel = Parcel(pin, page: page)
                  parcel.check(owner: 1, torture)
                  ended.count()
                  // The thread that begins and ends at the same time may have this one's number, and the pin still its
                  // slot.
                  if leaves { left.withLock { $0.append(parcel) } }
                }
              }
              threads.join()
              for parcel in left.withLock({ $0.count > 40 ? $0 : [] }) { parcel.check(owner: 1, torture) }
              left.withLock { if $0.count > 40 { $0.removeFirst($0.count / 2) } }
            }
          },
          churn(space, region),
        ])
        left.withLock { $0 = [] }
        space.exit()
      }
    }

    /// Maps, stamps and unmaps, or throws the pages away.
    private func churn(_ space: AddressSpace, _ region: Region) -> Worker {
      Worker("map and unmap") { run in
        while run.next() {
          try space.map(at: region.start, pages: region.pages, protection: .readWrite)
          try space.stamp(region, life: run.turn)
          for _ in 0..<4 { run.pauseRandomly() }
          try space.unmap(at: region.start, pages: region.pages)
        }
      }
    }
  }
}

/// A pin on its way from thread to thread. The last holder releases it.
private final class Parcel: Sendable {
  private let pin: PinnedPage
  let page: Int

  init(_ pin: consuming PinnedPage, page: Int) {
    self.pin = pin
    self.page = page
  }

  /// What the first of its places says.
  var stamp: Stamp? { Stamp(word: pin.deviceBytes.load(as: UInt64.self)) }

  /// Looks at the page a few times, for what must not change as long as it is pinned.
  func check(owner: UInt8, _ torture: Torture) {
    var watch = StampWatch(owner: owner, page: page, rule: .once)
    for _ in 0..<3 {
      if let wrong = watch.look(pin.deviceBytes) { torture.fail(wrong) }
      sched_yield()
    }
  }
}

/// Threads that do one thing and end.
private final class Threads: Sendable {
  private let running = Locked(0)
  private let ended = NSCondition()

  func start(_ torture: Torture, _ body: @escaping @Sendable () throws -> Void) {
    running.withLock { $0 += 1 }
    // Taken out to be run: what it holds, a space above all, is let go of before any thread is told that it is done.
    let job = Locked<(@Sendable () throws -> Void)?>(body)
    let thread = Thread { [self] in
      do {
        let body = job.withLock { job in
          defer { job = nil }
          return job
        }
        try body?()
      } catch {
        torture.fail("a short-lived thread: unexpected \(error)")
      }
      ended.lock()
      running.withLock { $0 -= 1 }
      ended.broadcast()
      ended.unlock()
    }
    thread.stackSize = 1 << 19
    thread.start()
  }

  /// Waits until each has done what it had to, though it may not be gone yet.
  func join() {
    ended.lock()
    while running.withLock({ $0 > 0 }) { ended.wait() }
    ended.unlock()
  }

  func run(_ torture: Torture, _ body: @escaping @Sendable () throws -> Void) {
    start(torture, body)
    join()
  }
}
