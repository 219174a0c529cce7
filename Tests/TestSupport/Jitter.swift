import Foundation
import Synchronization
import UserPages

/// Makes threads hesitate at the library's yield points now and then. What is a few instructions wide otherwise becomes
/// wide enough for another thread to come in between. Does nothing in builds without yield points.
public final class Jitter: Sendable {
  // The number of the yield points' handler.
  private let handler = Locked<Int?>(nil)
  private let dice = Atomic<UInt64>(TestSeed.named("jitter"))

  /// Installs a handler of yield points.
  public init() {
    #if DEBUG
      let number = YieldPoint.install { [self] _, _ in hesitate() }
      handler.withLock { $0 = number }
    #endif
  }

  /// Removes the handler.
  public func remove() {
    #if DEBUG
      if let number = handler.withLock({ $0 }) { YieldPoint.remove(number) }
    #endif
  }

  private func hesitate() {
    // Relaxed: the dice must order nothing.
    var roll = SeededGenerator(seed: dice.wrappingAdd(1, ordering: .relaxed).newValue)
    switch roll.below(32) {
    case 0...1: sched_yield()
    case 2: usleep(UInt32(roll.below(60)))
    default: break
    }
  }
}
