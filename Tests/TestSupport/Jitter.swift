import Foundation
import Synchronization
import UserPages

/// Makes threads hesitate at the library's yield points now and then: what is a few instructions wide otherwise becomes
/// wide enough for another thread to come in between. Does nothing in builds without yield points.
public final class Jitter: Sendable {
  private let dice = Atomic<UInt64>(TestSeed.named("jitter"))

  /// Takes the yield points' handler.
  public init() {
    #if DEBUG
      YieldPoint.install { [self] _, _ in hesitate() }
    #endif
  }

  /// Gives the handler back.
  public func remove() {
    #if DEBUG
      YieldPoint.removeHandler()
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
