#if DEBUG
  import Dispatch
  import Synchronization
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Grace periods that several threads wait for.
    @Suite struct FrozenGracePeriods {
      private final class Flag: Sendable {
        private let value = Atomic<Bool>(false)
        var isSet: Bool { value.load(ordering: .acquiring) }
        func set() { value.store(true, ordering: .releasing) }
      }

      /// Starts a thread that runs grace periods, and freezes it in one that has waited for its sections. Other tests'
      /// threads run some of those that it waits for.
      private func freezeGracePeriod(_ freezer: Freezer, _ isOver: Flag) -> StagedThread {
        freezer.start("grace period", freezeAt: .gracePeriodBetweenSectionsAndEnd) {
          while !isOver.isSet { RCU.synchronize() }
        }
      }

      @Test func oneThatRunsServesNoLaterChange() throws {
        // A section that began while it ran, and may last longer than it, can have met what is unmapped now.
        try play { freezer, machine in
          let space = try machine.space(engine: .reference, holding: 7)
          let isOver = Flag()
          let runner = freezeGracePeriod(freezer, isOver)
          #expect(runner.waitUntilFrozen())
          let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) {
            freezer.expect(try space.load(at: 0x5000, as: UInt64.self) == 7, "another page")
          }
          #expect(loader.waitUntilFrozen())
          let unmapper = freezer.start("unmap and flush") {
            try space.unmap(at: 0x5000, pages: 1)
            machine.memory.flushDeferredFrees()
          }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          #expect(!unmapper.mayFinish(), "a grace period has ended that is frozen")
          isOver.set()
          runner.thaw()
          try runner.join()
          #expect(!unmapper.mayFinish(), "served by a grace period that began before the change")
          loader.thaw()
          try loader.join()
          try unmapper.join()
        }
      }

      @Test func wordsThatCameWhileItRanAreNotServed() {
        let freed = Atomic<Int>(0)
        let tag = DeferredWord.firstFreeTag
        let queue = DeferredQueue(weights: [tag: BatchSchedule.leastWeight / 8]) { words in
          freed.add(words.count, ordering: .acquiringAndReleasing)
          return []
        }
        /// Defers a word, which is due to be looked at.
        func deferWord() {
          queue.enqueue(DeferredWord(tag: tag, payload: 8))
          queue.drainIfFull()
        }
        let gate = GracePeriodGate()
        deferWord()
        // The one that serves the first word runs now.
        gate.letOneGo()
        // A section may meet this one now, and last longer than the grace period.
        deferWord()
        gate.letOneGo()
        deferWord()
        let early = freed.load(ordering: .acquiring)
        #expect(early == 1, "the first word alone has had its grace period")
        gate.open()
        queue.drainAll()
        #expect(freed.load(ordering: .acquiring) == 3)
      }

      @Test func aThreadGoesOnWhileOneServesItsBatch() throws {
        try play { freezer, _ in
          let queue = DeferredQueue(weights: [DeferredWord.firstFreeTag: BatchSchedule.leastWeight / 8]) { _ in [] }
          /// Defers words that are due to be looked at.
          @Sendable func deferWords(_ count: Int) {
            for _ in 0..<count {
              queue.enqueue(DeferredWord(tag: DeferredWord.firstFreeTag, payload: 8))
              queue.drainIfFull()
            }
          }
          let gate = GracePeriodGate()
          let (isCut, isServed) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
          let filler = freezer.start("fill") {
            deferWords(1)
            isCut.signal()
            isServed.wait()
            // As much as a batch and a half.
            deferWords(11)
          }
          isCut.wait()
          // The one that serves the first word runs now.
          gate.letOneGo()
          isServed.signal()
          #expect(filler.mayFinish(), "a thread waits for a grace period while another one serves its batch")
          gate.open()
          try filler.join()
          queue.drainAll()
        }
      }

      @Test func threadsThatWaitShareOne() throws {
        try play { freezer, machine in
          let isOver = Flag()
          let runner = freezeGracePeriod(freezer, isOver)
          #expect(runner.waitUntilFrozen())
          let waiters = (0..<8).map { freezer.start("wait \($0)") { RCU.synchronize() } }
          for waiter in waiters { #expect(!waiter.mayFinish()) }
          isOver.set()
          runner.thaw()
          for waiter in waiters { try waiter.join() }
          try runner.join()
          // None if a thread of another test has run it.
          let runs = waiters.filter { $0.waitUntilPast(.gracePeriodBetweenSectionsAndEnd) }.count
          #expect(runs <= 1, "\(runs) grace periods for what one could do")
        }
      }
    }
  }
#endif
