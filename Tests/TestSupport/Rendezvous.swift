import Foundation

/// A place where a run's threads wait for each other, again and again. It lets all of them go when the run stops.
public final class Rendezvous: @unchecked Sendable {
  // Everything below is read and written under `condition` alone.
  private let condition = NSCondition()
  private let parties: Int
  private var waiting = 0
  private var round = 0
  private let torture: Torture

  /// A rendezvous of `parties` threads of `torture`.
  public init(_ torture: Torture, parties: Int) {
    self.torture = torture
    self.parties = parties
  }

  /// Waits for the others. False if the run stopped meanwhile.
  public func meet() -> Bool {
    condition.lock()
    defer { condition.unlock() }
    let mine = round
    waiting += 1
    if waiting == parties {
      waiting = 0
      round += 1
      condition.broadcast()
      return true
    }
    while round == mine {
      if torture.isStopping {
        condition.broadcast()
        return false
      }
      _ = condition.wait(until: Date(timeIntervalSinceNow: 0.05))
    }
    return true
  }
}
