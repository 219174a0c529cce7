import Foundation
import Testing

/// Runs a suite's tests one after the other, on a thread of its own.
///
/// The tests of a run share a pool of as many threads as there are processors. A test that waits for a program or for
/// time blocks one of them, and a processor idles. After each of its tests, a long serialized suite stands behind all
/// other tests of the run again. So most of it would run last and alone. A thread of its own avoids both.
///
/// For suites that wait or race. A suite that only calculates stays in the pool.
public struct OffThePool: SuiteTrait, TestScoping {
  public var isRecursive: Bool { false }

  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    try await withTaskExecutorPreference(SerialThread(named: test.name)) { try await function() }
  }
}

extension Trait where Self == OffThePool {
  /// The suite's tests run one after the other, on a thread of its own.
  public static var offThePool: Self { OffThePool() }
}

/// One thread that runs the jobs of its tasks in the order in which they became ready.
private final class SerialThread: TaskExecutor {
  private let queue: DispatchQueue

  init(named name: String) {
    queue = DispatchQueue(label: name)
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    let executor = asUnownedTaskExecutor()
    queue.async { job.runSynchronously(on: executor) }
  }
}
