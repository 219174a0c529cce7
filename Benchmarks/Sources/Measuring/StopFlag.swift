import Synchronization

/// A flag that tells threads to stop, on a cache line that no thread writes until then.
public final class StopFlag: Sendable {
  private let raised = Atomic(false)

  public init() {}

  @inline(__always)
  public var isRaised: Bool { raised.load(ordering: .relaxed) }

  public func raise() { raised.store(true, ordering: .relaxed) }
}
