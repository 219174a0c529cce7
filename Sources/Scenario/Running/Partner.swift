import Foundation
import Synchronization
import UserPages

/// A second thread that does one thing while the calling thread does another. Both start together.
package final class Partner {
  /// The thread and its owner share this. `condition` guards the three variables.
  private final class Exchange: @unchecked Sendable {
    let condition = NSCondition()
    var work: (@Sendable () -> Void)?
    var isDone = false
    var isOver = false
    /// How often a thread has come to the start. Two arrivals are one start.
    let arrivals = Atomic<Int>(0)

    /// Waits for the other thread. It spins, because a wake-up takes longer than most statements.
    func meet() {
      let mine = arrivals.add(1, ordering: .acquiringAndReleasing).newValue
      let both = (mine + 1) / 2 * 2
      var turns = 0
      while arrivals.load(ordering: .acquiring) < both {
        turns += 1
        // The other thread may need this processor.
        if turns > 2000 { sched_yield() }
      }
    }

    func serve() {
      condition.lock()
      while true {
        while work == nil, !isOver { condition.wait() }
        guard let work else { break }
        condition.unlock()
        meet()
        work()
        condition.lock()
        self.work = nil
        isDone = true
        condition.signal()
      }
      condition.unlock()
    }
  }

  private let exchange = Exchange()
  private let thread: pthread_t

  /// Starts the thread.
  ///
  /// - Throws: `tryAgain` if there can be no more threads.
  package init() throws(PageError) {
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(exchange)
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Exchange>.fromOpaque(argument).takeRetainedValue().serve()
        return nil
      }, argument.toOpaque())
    guard code == 0 else {
      argument.release()
      throw .tryAgain
    }
    self.thread = thread
  }

  deinit {
    exchange.condition.lock()
    exchange.isOver = true
    exchange.condition.signal()
    exchange.condition.unlock()
    pthread_join(thread, nil)
  }

  /// Runs `first` on the calling thread and `second` on the other one, and returns once both have ended.
  package func run(_ first: () -> Void, besides second: @escaping @Sendable () -> Void) {
    exchange.condition.lock()
    exchange.work = second
    exchange.isDone = false
    exchange.condition.signal()
    exchange.condition.unlock()
    exchange.meet()
    first()
    exchange.condition.lock()
    while !exchange.isDone { exchange.condition.wait() }
    exchange.condition.unlock()
  }
}
