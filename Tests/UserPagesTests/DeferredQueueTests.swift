import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// When the words of a queue are freed.
@Suite(.timeLimit(.minutes(2)))
struct DeferredQueueTests {
  private static let step = BatchSchedule.leastWeight / 8

  /// A queue of words that weigh an eighth of a batch, and how many were freed.
  private final class Counting: Sendable {
    let freed = Atomic<Int>(0)
    var count: Int { freed.load(ordering: .acquiring) }

    func queue(weight: Int = step) -> DeferredQueue {
      DeferredQueue(weights: [DeferredWord.firstFreeTag: weight]) { words in
        self.freed.add(words.count, ordering: .acquiringAndReleasing)
        return []
      }
    }
  }

  private func fill(_ queue: DeferredQueue, _ count: Int) {
    for index in 1...count { queue.enqueue(DeferredWord(tag: DeferredWord.firstFreeTag, payload: UInt64(index) << 3)) }
  }

  /// Runs `body` while another thread is in a section, so that no grace period ends that begins meanwhile, on any
  /// thread.
  private func besideASection(_ body: () -> Void) {
    let (isReading, mayLeave) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let hasLeft = DispatchSemaphore(value: 0)
    Thread {
      RCU.read {
        isReading.signal()
        mayLeave.wait()
      }
      hasLeft.signal()
    }.start()
    isReading.wait()
    body()
    mayLeave.signal()
    hasLeft.wait()
  }

  @Test func aGracePeriodOfAnyThreadServesABatch() {
    let counting = Counting()
    let queue = counting.queue()
    besideASection {
      for _ in 0..<3 {
        fill(queue, 1)
        queue.drainIfFull()
      }
      #expect(counting.count == 0, "freed beside a section that may have met it")
    }
    let other = Thread { RCU.synchronize() }
    let required = GracePeriod.next
    other.start()
    while !required.hasEnded { sched_yield() }
    fill(queue, 1)
    queue.drainIfFull()
    // If a grace period of another test ran beside the section, the words after the first were not cut.
    #expect((1...3).contains(counting.count), "freed what was cut before the grace period, and no more")
    queue.drainAll()
    #expect(counting.count == 4)
  }

  /// Whether a queue's words wait until a batch of `full` has gathered, and an eighth of one more at most, and are
  /// freed then.
  ///
  /// A grace period of another test may serve only what was cut before it, or put the wait off. One undisturbed try is
  /// enough.
  private func isBatch(_ full: Int, weight: Int, _ prepare: (DeferredQueue) -> Void = { _ in }) -> Bool {
    (0..<200).contains { _ in
      let counting = Counting()
      let queue = counting.queue(weight: weight)
      prepare(queue)
      besideASection {
        // One word less than a batch waits for nothing.
        for _ in 1..<full {
          fill(queue, 1)
          queue.drainIfFull()
        }
        #expect(counting.count == 0, "freed beside a section that may have met it")
      }
      var added = full - 1
      while counting.count == 0, added < 2 * full + full / 8 {
        fill(queue, 1)
        queue.drainIfFull()
        added += 1
      }
      #expect(counting.count > 0, "two batches wait")
      let isAll = counting.count == added
      queue.drainAll()
      #expect(counting.count == added)
      return isAll && added <= full + full / 8
    }
  }

  @Test(arguments: [(step, 8), (2 * step, 4), (step / 8, 64)])
  func aBatchIsWeighed(weight: Int, full: Int) {
    #expect(isBatch(full, weight: weight), "\(full) words of \(weight) bytes are no batch")
  }

  @Test func batchesGrowWithWhatAGracePeriodTakes() {
    let (smallest, largest) = (BatchSchedule.leastWeight, BatchSchedule.mostWeight)
    let waits: [([Duration], Int)] = [
      ([.nanoseconds(300), .microseconds(2)], smallest), ([.microseconds(40), .seconds(30)], largest),
      // One long wait says nothing.
      ([.microseconds(1), .seconds(30)], smallest), ([.seconds(30), .seconds(30), .microseconds(1)], smallest),
    ]
    for (waits, weight) in waits {
      let isRight = isBatch(weight / Self.step, weight: Self.step) { queue in
        for wait in waits { queue.weighBatches(after: wait) }
      }
      #expect(isRight, "after \(waits)")
    }
  }

  @Test func wordsOfManyThreadsAreFreedOnce() {
    let counting = Counting()
    let queue = counting.queue(weight: Self.step / 64)
    // More threads than lists: the last ones share one.
    let (threads, each) = (80, 2000)
    let group = DispatchGroup()
    let mayEnd = DispatchSemaphore(value: 0)
    for thread in 0..<threads {
      group.enter()
      Thread {
        for index in 0..<each {
          fill(queue, 1)
          queue.drainIfFull()
          if index % 500 == thread { queue.reclaim() }
        }
        group.leave()
        // So that all threads have numbers at one time.
        mayEnd.wait()
      }.start()
    }
    group.wait()
    queue.drainAll()
    #expect(counting.count == threads * each)
    #expect(!queue.isAnythingPending)
    for _ in 0..<threads { mayEnd.signal() }
  }

  @Test func waitingWordsAreThoseThatAreLeft() {
    let counting = Counting()
    let queue = counting.queue(weight: 1)
    // More than two chunks.
    fill(queue, 1500)
    #expect(queue.waitingWords().map(\.payload) == (1...1500).map { UInt64($0) << 3 })
    queue.reclaim()
    #expect(queue.waitingWords().isEmpty)
    fill(queue, 40)
    #expect(queue.waitingWords().map(\.payload) == (1...40).map { UInt64($0) << 3 })
    queue.drainAll()
    #expect(counting.count == 1540)
  }
}
