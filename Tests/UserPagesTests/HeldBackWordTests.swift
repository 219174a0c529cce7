import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// Words that cannot be freed yet although their grace period is over.
@Suite(.timeLimit(.minutes(2)))
struct HeldBackWordTests {
  /// A queue of words that are held, or not, and how many were freed and looked at.
  private final class Holder: Sendable {
    let isHolding = Atomic<Bool>(true)
    let freed = Atomic<Int>(0)
    let looks = Atomic<Int>(0)

    func free(_ words: Span<DeferredWord>) -> [DeferredWord] {
      looks.add(1, ordering: .relaxed)
      guard isHolding.load(ordering: .relaxed) else {
        freed.add(words.count, ordering: .relaxed)
        return []
      }
      return words.indices.map { words[$0] }
    }
  }

  private func fill(_ queue: DeferredQueue, _ count: Int = 2 * DeferredQueue.batch) {
    for index in 1...count { queue.enqueue(DeferredWord(tag: DeferredWord.firstFreeTag, payload: UInt64(index) << 3)) }
  }

  @Test func theyDoNotMakeABatch() {
    let holder = Holder()
    let queue = DeferredQueue { holder.free($0) }
    fill(queue)
    queue.drainIfFull()
    let looks = holder.looks.load(ordering: .relaxed)
    for _ in 0..<100 {
      fill(queue, 1)
      queue.drainIfFull()
    }
    #expect(holder.looks.load(ordering: .relaxed) == looks, "a drain for a word")
    holder.isHolding.store(false, ordering: .relaxed)
    queue.drainAll()
    #expect(holder.freed.load(ordering: .relaxed) == 2 * DeferredQueue.batch + 100)
  }

  @Test func theyAreFreedSoonAfterTheyCanBe() {
    let holder = Holder()
    let queue = DeferredQueue { holder.free($0) }
    fill(queue)
    queue.drainIfFull()
    for _ in 0..<10_000 { queue.drainIfFull() }
    // Looks become rare while they find nothing.
    #expect(holder.looks.load(ordering: .relaxed) < 30)
    holder.isHolding.store(false, ordering: .relaxed)
    for _ in 0..<2 * DeferredQueue.batch { queue.drainIfFull() }
    #expect(holder.freed.load(ordering: .relaxed) == 2 * DeferredQueue.batch)
    #expect(!queue.isAnythingPending)
  }

  /// The same with slots: a fault waits for no grace period because of them.
  @Test func framesThatSlotsHoldComeBack() throws {
    let machine = try Machine(frames: 4096)
    do {
      let space = AddressSpace(machine.memory, engine: .slot)
      let pages = DeferredQueue.batch + 64
      try space.map(at: 0x100000, pages: pages, protection: .readWrite, sharing: .shared)
      let threads = pages / 16
      let (pinned, mayRelease) = (DispatchGroup(), DispatchSemaphore(value: 0))
      let released = DispatchGroup()
      for thread in 0..<threads {
        pinned.enter()
        released.enter()
        Thread {
          pinSixteen(space, from: 0x100000 + 16 * thread * Page.size, pinned, mayRelease)
          released.leave()
        }.start()
      }
      pinned.wait()
      try space.unmap(at: 0x100000, pages: pages)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse >= 16 * threads)
      for _ in 0..<threads { mayRelease.signal() }
      released.wait()
      try space.map(at: 0x100000, pages: 1, protection: .readWrite)
      var faults = 0
      // Each of them leaves a frame that waits for a grace period, too few to make a batch.
      while machine.memory.census().framesInUse > faults + 16, faults < 1000 {
        try space.advise(at: 0x100000, pages: 1, .dontNeed)
        try space.store(UInt64(1), at: 0x100000)
        faults += 1
      }
      #expect(machine.memory.census().framesInUse <= faults + 16, "\(machine.memory.census()) after \(faults) faults")
    }
    #expect(machine.leaks() == [])
  }
}

/// Pins sixteen pages by the calling thread's slots, and releases them when it may.
private func pinSixteen(
  _ space: AddressSpace, from address: VirtualAddress, _ pinned: DispatchGroup, _ mayRelease: DispatchSemaphore
) {
  func pin(_ count: Int) {
    guard count < 16 else {
      pinned.leave()
      mayRelease.wait()
      return
    }
    do {
      let at = address + count * Page.size
      try space.store(UInt64(1), at: at)
      let page = try space.pin(at: at, .write)
      pin(count + 1)
      page.release()
    } catch {
      Issue.record("a page could not be pinned: \(error)")
    }
  }
  pin(0)
}
