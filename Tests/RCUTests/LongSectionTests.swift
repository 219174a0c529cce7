import Foundation
import TestSupport
import Testing
import UserPages

/// A thread that stays in a read-side section until it is let go.
private final class LongReader: Sendable {
  private let entered = DispatchSemaphore(value: 0)
  private let mayLeave = DispatchSemaphore(value: 0)
  private let left = DispatchSemaphore(value: 0)
  private let number = Locked(0)

  /// Returns when the thread is in its section.
  init() {
    Thread { [self] in
      // The kernel's number is the link's last part.
      let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
      number.withLock { $0 = link?.split(separator: "/").last.flatMap { Int($0) } ?? 0 }
      RCU.read {
        entered.signal()
        mayLeave.wait()
      }
      left.signal()
    }.start()
    entered.wait()
  }

  var thread: Int { number.withLock { $0 } }

  func leave() {
    mayLeave.signal()
    left.wait()
  }
}

/// Reports of sections that a grace period waits for too long. Other tests' sections may be reported meanwhile: each
/// test looks at its own threads.
@Suite(.serialized)
struct LongSectionTests {
  private typealias Reports = Locked<[RCU.LongSection]>

  private func collecting(limit: Duration, _ body: (Reports) -> Void) {
    let reports = Reports([])
    RCU.longSectionLimit = limit
    RCU.onLongSection { report in reports.withLock { $0.append(report) } }
    body(reports)
    RCU.onLongSection(nil)
    RCU.longSectionLimit = .seconds(10)
  }

  /// Starts a grace period, and returns what waits for its end.
  private func synchronizing() -> DispatchSemaphore {
    let ended = DispatchSemaphore(value: 0)
    Thread {
      RCU.synchronize()
      ended.signal()
    }.start()
    return ended
  }

  private func count(_ reports: Reports, of reader: LongReader) -> Int {
    reports.withLock { $0.filter { $0.thread == reader.thread }.count }
  }

  /// Each section is reported once, by its thread's number. Threads that come after each other may share liburcu's
  /// place.
  @Test func aLongSectionIsReportedOnce() {
    collecting(limit: .milliseconds(50)) { reports in
      for _ in 0..<3 {
        var waiting = [LongReader(), LongReader()]
        let ended = synchronizing()
        // Another test's grace period may have begun between the two. It waits for the first alone. The next one, which
        // waits for the second, begins when the first has left.
        while !waiting.isEmpty {
          let deadline = ContinuousClock.now + .seconds(20)
          while !waiting.contains(where: { count(reports, of: $0) > 0 }), ContinuousClock.now < deadline {
            usleep(1000)
          }
          usleep(100_000)
          let reader = waiting.remove(at: waiting.firstIndex { count(reports, of: $0) > 0 } ?? 0)
          let own = reports.withLock { $0.filter { $0.thread == reader.thread } }
          #expect(own.count == 1)
          #expect(own.allSatisfy { $0.waited >= .milliseconds(50) }, "\(own)")
          reader.leave()
        }
        ended.wait()
        reports.withLock { $0.removeAll() }
      }
    }
  }

  @Test func aSectionBelowTheLimitIsNotReported() {
    collecting(limit: .seconds(60)) { reports in
      let reader = LongReader()
      let ended = synchronizing()
      usleep(200_000)
      reader.leave()
      ended.wait()
      #expect(count(reports, of: reader) == 0)
    }
  }

  /// No grace period waits for it. The first one is the program's only reader, if the test runs alone.
  @Test func aSectionThatBeganAfterTheGracePeriodIsNotReported() {
    collecting(limit: .milliseconds(50)) { reports in
      let first = LongReader()
      let ended = synchronizing()
      let deadline = ContinuousClock.now + .seconds(20)
      while count(reports, of: first) == 0, ContinuousClock.now < deadline { usleep(1000) }
      #expect(count(reports, of: first) == 1)
      let second = LongReader()
      usleep(200_000)
      #expect(count(reports, of: second) == 0)
      second.leave()
      first.leave()
      ended.wait()
    }
  }

  @Test func theLimitMayChangeDuringTheWait() {
    collecting(limit: .seconds(3600)) { reports in
      let reader = LongReader()
      let ended = synchronizing()
      usleep(50_000)
      #expect(count(reports, of: reader) == 0)
      RCU.longSectionLimit = nil
      #expect(RCU.longSectionLimit == nil)
      usleep(50_000)
      RCU.longSectionLimit = .milliseconds(20)
      #expect(RCU.longSectionLimit == .milliseconds(20))
      let deadline = ContinuousClock.now + .seconds(20)
      while count(reports, of: reader) == 0, ContinuousClock.now < deadline { usleep(1000) }
      #expect(count(reports, of: reader) == 1)
      reader.leave()
      ended.wait()
    }
  }

  /// In a program of its own: it prints one line. The watching thread comes with the second reader, and ends with the
  /// grace periods.
  @Test func withoutAHandlerALineIsPrinted() throws {
    let result = try Tool.run(BuiltProgram.url(named: "ForkProbe").path, ["longSection", "50"])
    let words = result.output.split(separator: "\n").map(String.init)
    #expect(result.status == 0 && words.count == 3, "\(result)")
    let lines = result.errors.split(separator: "\n")
    #expect(lines.count == 1, "\(result)")
    let start = "user-pages: thread \(words.dropFirst().first ?? "") is in a read-side section"
    #expect(lines.first?.hasPrefix(start) == true, "\(result)")
    #expect(words.first == "unwatched" && words.last == "unwatched", "\(result)")
  }
}
