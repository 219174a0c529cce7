import Foundation
import Synchronization

/// Ctrl-C: the first asks the run to end and print what it has. The second ends the process.
enum Interruption {
  private static let request = Atomic<Bool>(false)

  static var isRequested: Bool { request.load(ordering: .relaxed) }

  /// Catches the first SIGINT from now on.
  static func catchFirst() {
    // The handler must not run the initializer of a global. This load has run it.
    _ = isRequested
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in Interruption.request.store(true, ordering: .relaxed) }
    // A parent with many threads may have started this program with the signal blocked.
    var interrupt = sigset_t()
    sigemptyset(&interrupt)
    sigaddset(&interrupt, SIGINT)
    pthread_sigmask(SIG_UNBLOCK, &interrupt, nil)
    // An interrupted read continues. The handler is gone after its first run.
    action.sa_flags = SA_RESTART | Int32(bitPattern: UInt32(SA_RESETHAND))
    sigaction(SIGINT, &action, nil)
  }
}
