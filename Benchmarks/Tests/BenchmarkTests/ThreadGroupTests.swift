import Measuring
import Synchronization
import Testing

@Suite struct ThreadGroupTests {
  @Test func everyThreadRunsTheBodyOnce() throws {
    let runs = Mutex<[Int]>([])
    let group = try ThreadGroup(5) { index in runs.withLock { $0.append(index) } }
    #expect(runs.withLock { $0.isEmpty })
    group.open()
    group.join()
    #expect(runs.withLock { $0.sorted() } == [0, 1, 2, 3, 4])
  }

  /// No machine has a stack of 2^60 bytes. The threads that did start end, and the body does not run.
  @Test(arguments: [0, 2, 4]) func threadThatCannotBeStarted(failing: Int) throws {
    let runs = Atomic(0)
    do {
      _ = try ThreadGroup(5, stackSize: { $0 == failing ? 1 << 60 : 1 << 20 }) { _ in
        runs.wrappingAdd(1, ordering: .relaxed)
      }
      Issue.record("the group started")
    } catch {
      #expect(error.description.contains("cannot start thread \(failing + 1) of 5"))
      #expect(error.description.contains("(E"))
    }
    #expect(runs.load(ordering: .relaxed) == 0)
  }

  /// What the body captured is released when `join` returns.
  @Test func bodyIsReleased() throws {
    final class Captured: Sendable {}
    weak var left: Captured?
    do {
      let captured = Captured()
      left = captured
      let group = try ThreadGroup(3) { _ in withExtendedLifetime(captured) {} }
      group.open()
      group.join()
    }
    #expect(left == nil)
  }
}
