import CBenchmark
import Glibc

/// Threads that start together and are waited for together. Either all of them start, or none runs the body.
///
/// The caller opens the gate and joins the group. After `join` the threads have ended and hold nothing that their body
/// captured.
public final class ThreadGroup {
  public typealias Body = @Sendable (Int) -> Void

  private let gate: Gate
  private var threads: [pthread_t] = []

  /// Starts `count` threads and returns when all of them wait at the gate.
  ///
  /// `bound` binds the first ones to a processor each, as many as there are. If a thread cannot be started, those that
  /// wait at the gate already end without running the body, and the error says which one it was. `stackSize` is a
  /// parameter so that a test can ask for a stack that no machine has.
  public init(
    _ count: Int, bound: Bool = false, stackSize: (Int) -> Int = { _ in 1 << 20 }, _ body: @escaping Body
  ) throws(Failure) {
    gate = Gate(body)
    for index in 0..<count {
      var thread = pthread_t()
      let code = Self.start(&thread, Ticket(index, bound, gate), stackSize: stackSize(index))
      if code != 0 {
        gate.decide(.shut)
        join()
        throw Failure("cannot start thread \(index + 1) of \(count): \(Failure.reason(code))")
      }
      threads.append(thread)
    }
    gate.awaitArrivals(count)
  }

  /// Lets them all go.
  public func open() { gate.decide(.open) }

  /// Waits until every thread has ended.
  public func join() {
    for thread in threads { pthread_join(thread, nil) }
    threads = []
    gate.dropBody()
  }

  /// Returns an errno value if the thread did not start, and then nothing holds the ticket.
  private static func start(_ thread: inout pthread_t, _ ticket: Ticket, stackSize: Int) -> Int32 {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    let refused = pthread_attr_setstacksize(&attributes, stackSize)
    if refused != 0 { return refused }
    let argument = Unmanaged.passRetained(ticket).toOpaque()
    let code = pthread_create(&thread, &attributes, live, argument)
    if code != 0 { Unmanaged<Ticket>.fromOpaque(argument).release() }
    return code
  }
}

/// A thread's life. The ticket is released before the thread ends, so that `join` waits for that too.
private func live(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument else { return nil }
  let ticket = Unmanaged<Ticket>.fromOpaque(argument).takeRetainedValue()
  if ticket.bound { _ = run_on_processor(Int32(ticket.index)) }
  if let body = ticket.gate.pass() { body(ticket.index) }
  return nil
}

/// What a new thread is given.
private final class Ticket: Sendable {
  let index: Int
  let bound: Bool
  let gate: Gate

  init(_ index: Int, _ bound: Bool, _ gate: Gate) {
    self.index = index
    self.bound = bound
    self.gate = gate
  }
}

/// Where the threads of a group wait for each other.
private final class Gate: @unchecked Sendable {
  // Sendable: everything is reached under the monitor.
  enum Decision {
    case none, open
    /// A thread could not be started: the others end.
    case shut
  }

  private let monitor = Monitor()
  private var body: ThreadGroup.Body?
  private var decision = Decision.none
  private var arrivals = 0

  init(_ body: @escaping ThreadGroup.Body) {
    self.body = body
  }

  /// Waits for the decision. Returns the body if the gate opens.
  func pass() -> ThreadGroup.Body? {
    monitor.lock()
    defer { monitor.unlock() }
    arrivals += 1
    monitor.wakeAll()
    while decision == .none { monitor.wait() }
    return decision == .open ? body : nil
  }

  func awaitArrivals(_ count: Int) {
    monitor.lock()
    while arrivals < count { monitor.wait() }
    monitor.unlock()
  }

  func decide(_ decision: Decision) {
    monitor.lock()
    self.decision = decision
    monitor.wakeAll()
    monitor.unlock()
  }

  func dropBody() {
    monitor.lock()
    body = nil
    monitor.unlock()
  }
}
