import CBenchmark
import Foundation
import Synchronization

/// Threads that start together and are waited for together. When `join` returns, nothing that their body captured is held by
/// them any more, although a thread itself may still be ending.
public final class ThreadGroup: Sendable {
  public typealias Body = @Sendable (Int) -> Void

  private struct Gate {
    var body: Body?
    var waiting = 0
    var open = false
    var running = 0
  }

  private let condition = NSCondition()
  private let gate = Mutex(Gate())

  /// Starts `count` threads at the gate. `bound` binds the first ones to a processor each, as many as there are.
  public init(_ count: Int, bound: Bool = false, _ body: @escaping Body) {
    gate.withLock {
      $0.running = count
      $0.body = body
    }
    for index in 0..<count {
      let thread = Thread { [self] in
        if bound { _ = run_on_processor(Int32(index)) }
        awaitGate()
        perform(index)
        finish()
      }
      thread.stackSize = 1 << 20
      thread.start()
    }
    locked { while gate.withLock({ $0.waiting }) < count { condition.wait() } }
  }

  /// Lets them all go.
  public func open() {
    locked {
      gate.withLock { $0.open = true }
      condition.broadcast()
    }
  }

  public func join() {
    locked { while gate.withLock({ $0.running }) > 0 { condition.wait() } }
  }

  private func awaitGate() {
    locked {
      gate.withLock { $0.waiting += 1 }
      condition.broadcast()
      while !gate.withLock({ $0.open }) { condition.wait() }
    }
  }

  private func perform(_ index: Int) {
    let body = gate.withLock { $0.body }
    body?(index)
  }

  private func finish() {
    locked {
      gate.withLock {
        $0.running -= 1
        if $0.running == 0 { $0.body = nil }
      }
      condition.broadcast()
    }
  }

  private func locked(_ body: () -> Void) {
    condition.lock()
    body()
    condition.unlock()
  }
}

/// A flag that tells threads to stop, on a cache line that nobody writes until then.
public final class StopFlag: Sendable {
  private let raised = Atomic(false)

  public init() {}

  @inline(__always)
  public var isRaised: Bool { raised.load(ordering: .relaxed) }

  public func raise() { raised.store(true, ordering: .relaxed) }
}
