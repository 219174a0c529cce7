import CPlatform
import Glibc

/// A thread of the library's own, which its owner starts at the first work and joins at its end.
///
/// It takes none of the program's signals but those that its own instructions cause (`service_thread.h`). A forked
/// child has no such thread, and cannot miss it: the child's first use of the library ends it (`fork_guard.h`).
package struct ServiceThread: Sendable {
  private let thread: pthread_t

  /// Starts a thread that runs `body`, or returns nil if the process has none to spare. Debuggers and `ps -T` show
  /// `name`, at most 15 characters.
  package static func start(_ name: String, _ body: @escaping @Sendable () -> Void) -> ServiceThread? {
    let box = Unmanaged.passRetained(Body(run: body))
    var thread = pthread_t()
    let error = cp_start_thread(
      &thread, name,
      { context in
        guard let context else { return nil }
        Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    guard error == 0 else {
      box.release()
      return nil
    }
    return ServiceThread(thread: thread)
  }

  /// Waits for the thread's end. On the thread itself, lets it end by itself.
  package func join() {
    if pthread_equal(thread, pthread_self()) != 0 { pthread_detach(thread) } else { pthread_join(thread, nil) }
  }

  private final class Body: Sendable {
    let run: @Sendable () -> Void

    init(run: @escaping @Sendable () -> Void) { self.run = run }
  }
}
