#if DEBUG
  import Foundation
  import TestSupport
  import Testing

  extension TortureTests {
    /// What `mayFinish` says of a staged thread. The tests of races rely on it.
    @Suite struct FrozenThreads {
      /// Every processor is busy, and the staged thread gets the smallest part of one. It waits for nothing, so it is
      /// let run to its end.
      @Test func aThreadThatGetsNoProcessorIsWaitedFor() throws {
        try play { freezer, _ in
          let isOver = Locked(false)
          for _ in 0..<ProcessInfo.processInfo.processorCount {
            Thread { while !isOver.withLock({ $0 }) { compute(seconds: 0.001) } }.start()
          }
          let starved = freezer.start("starved") {
            var parameters = sched_param()
            // SCHED_IDLE, which Glibc's module hides: some thousandths of what the other threads get.
            freezer.expect(sched_setscheduler(0, 5, &parameters) == 0, "no thread can be starved here")
            compute(seconds: 0.003)
          }
          #expect(starved.mayFinish())
          isOver.withLock { $0 = true }
          try starved.join()
        }
      }

      @Test func aThreadThatSleepsIsNotWaitedFor() throws {
        try play { freezer, _ in
          let gate = DispatchSemaphore(value: 0)
          let sleeper = freezer.start("asleep") { gate.wait() }
          #expect(!sleeper.mayFinish())
          gate.signal()
          #expect(sleeper.mayFinish())
          try sleeper.join()
        }
      }

      @Test func aThreadThatSpinsIsNotWaitedFor() throws {
        try play { freezer, _ in
          let isOver = Locked(false)
          let spinner = freezer.start("spinning") { while !isOver.withLock({ $0 }) {} }
          #expect(!spinner.mayFinish())
          isOver.withLock { $0 = true }
          try spinner.join()
        }
      }
    }
  }

  /// Uses processor time.
  private func compute(seconds: Double) {
    func used() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let end = used() + seconds
    while used() < end {}
  }
#endif
