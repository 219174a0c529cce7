import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// Threads of the library's own leave the program's signals to the program's threads.
@Suite struct ServiceThreadTests {
  /// What the kernel says of the calling thread.
  private struct Status {
    let name: String
    /// A bit for each signal that the thread takes none of: bit 0 for signal 1.
    let blocked: UInt64

    static func ofThisThread() -> Status? {
      guard let text = try? String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8) else { return nil }
      func value(_ key: String) -> String? {
        text.split(separator: "\n").first { $0.hasPrefix(key + ":\t") }.map { String($0.dropFirst(key.count + 2)) }
      }
      guard let name = value("Name"), let blocked = value("SigBlk").flatMap({ UInt64($0, radix: 16) }) else {
        return nil
      }
      return Status(name: name, blocked: blocked)
    }

    func blocks(_ signal: Int32) -> Bool { blocked >> UInt64(signal - 1) & 1 == 1 }
  }

  private func check(_ status: Status?, isNamed name: String) {
    guard let status else {
      Issue.record("the kernel says nothing of the thread")
      return
    }
    #expect(status.name == name)
    for signal in [SIGHUP, SIGINT, SIGTERM, SIGALRM, SIGUSR1, SIGCHLD, SIGPIPE] { #expect(status.blocks(signal)) }
    for signal in [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT] { #expect(!status.blocks(signal)) }
  }

  @Test func aServiceTakesNoSignal() throws {
    let found = Mutex<Status?>(nil)
    let before = Status.ofThisThread()
    let thread = try #require(ServiceThread.start("gup-test") { found.withLock { $0 = .ofThisThread() } })
    thread.join()
    check(found.withLock { $0 }, isNamed: "gup-test")
    // The thread that starts it takes what it took before.
    #expect(Status.ofThisThread()?.blocked == before?.blocked)
  }

  /// An object that says on which thread it ends.
  private final class Ending {
    private let tell: (Status?) -> Void

    init(_ tell: @escaping (Status?) -> Void) { self.tell = tell }

    deinit { tell(.ofThisThread()) }
  }

  @Test func endsOfObjectsTakeNoSignal() {
    let found = Mutex<Status?>(nil)
    let hasEnded = DispatchSemaphore(value: 0)
    // Another thread may drain the ends meanwhile, and this object's with them.
    for _ in 0..<100 where found.withLock({ $0?.name }) != "gup-endings" {
      RCU.endOutsideSection(
        Ending { status in
          found.withLock { $0 = status }
          hasEnded.signal()
        })
      hasEnded.wait()
    }
    check(found.withLock { $0 }, isNamed: "gup-endings")
  }
}
