#if DEBUG
  import Foundation

  @testable import UserPages

  /// Stops chosen threads at chosen yield points, and tells which thread has passed where.
  ///
  /// Threads that it did not start pass every point unhindered.
  public final class Freezer: Sendable {
    private let actors = ActorTable()
    // The number of the yield points' handler.
    private let handler: Int
    private let collected = Locked<[String]>([])

    /// Installs a handler of yield points.
    public init() {
      handler = YieldPoint.install { [actors] point, memory in actors.actor(at: point, in: memory)?.reached(point) }
    }

    /// Removes the handler.
    public func remove() {
      YieldPoint.remove(handler)
    }

    /// What staged threads saw and must not see.
    public var failures: [String] { collected.withLock { $0 } }

    /// Records `message` unless `condition` holds. For staged threads, which the test library does not know.
    public func expect(_ condition: Bool, _ message: @autoclosure () -> String) {
      let text = condition ? nil : message()
      if let text { collected.withLock { $0.append(text) } }
    }

    /// Records a failure unless `body` fails with `expected`.
    public func expect(_ expected: PageError, _ body: () throws(PageError) -> Void) {
      do throws(PageError) {
        try body()
        expect(false, "expected \(expected.name), and nothing was thrown")
      } catch {
        expect(error == expected, "expected \(expected.name), not \(error.name)")
      }
    }

    /// Starts a thread that runs `body`, and freezes it when it comes to `point` (never where `point` is nil) after
    /// having passed it `passes` times.
    package func start(
      _ name: String, freezeAt point: YieldPoint? = nil, after passes: Int = 0,
      _ body: @escaping @Sendable () throws -> Void
    ) -> StagedThread {
      let staged = StagedThread(freezeAt: point, after: passes)
      let once = OneShot(body)
      let thread = Thread { [actors] in
        staged.began()
        actors.enter(staged)
        do {
          try once.take()?()
        } catch {
          staged.failed(error)
        }
        actors.leave()
        staged.finished()
      }
      thread.name = name
      thread.start()
      return staged
    }
  }

  extension Freezer {
    /// Freezes the next of the library's own threads that comes to `point` for `machine`, as the swap file's writer.
    ///
    /// Other tests' machines have such threads too. A thread that is caught so is thawed, and not joined.
    package func freezeThread(of machine: PhysicalMemory, at point: YieldPoint) -> StagedThread {
      let staged = StagedThread(freezeAt: point, after: 0)
      actors.catchThread(staged, at: point, in: machine.frames.bytesBase)
      return staged
    }
  }

  /// Which staged thread the calling thread is.
  private final class ActorTable: @unchecked Sendable {
    // Read and written under `lock` alone.
    private let lock = NSLock()
    private var threads: [UInt: StagedThread] = [:]

    private var me: UInt { UInt(pthread_self()) }

    // A thread of the library's that is to be caught, where, and in which machine's memory.
    private var wanted: (thread: StagedThread, point: YieldPoint, memory: UnsafeRawPointer)?

    /// The staged thread that the calling thread is, or becomes by coming to `point`.
    func actor(at point: YieldPoint, in memory: UnsafeRawPointer?) -> StagedThread? {
      lock.withLock {
        if let staged = threads[me] { return staged }
        guard let wanted, wanted.point == point, wanted.memory == memory else { return nil }
        self.wanted = nil
        return wanted.thread
      }
    }

    func catchThread(_ thread: StagedThread, at point: YieldPoint, in memory: UnsafeRawPointer) {
      lock.withLock { wanted = (thread, point, memory) }
    }
    func enter(_ thread: StagedThread) { lock.withLock { threads[me] = thread } }
    func leave() { lock.withLock { threads[me] = nil } }
  }

  /// A thread that a test directs through the yield points.
  public final class StagedThread: @unchecked Sendable {
    // Everything below is read and written under `condition` alone.
    private let condition = NSCondition()
    private var freezeAt: YieldPoint?
    private var passesLeft: Int
    private var passed: Set<YieldPoint> = []
    private var isFrozen = false
    private var isFinished = false
    private var error: (any Error)?
    // Where the kernel tells of the thread. Nil until it runs.
    private var folder: String?

    init(freezeAt: YieldPoint?, after passes: Int) {
      self.freezeAt = freezeAt
      passesLeft = passes
    }

    /// Waits until the thread stands still at its point. False if it ended without coming there.
    public func waitUntilFrozen() -> Bool {
      condition.lock()
      defer { condition.unlock() }
      while !isFrozen && !isFinished { condition.wait() }
      return isFrozen
    }

    /// Waits until the thread has come to `point`, frozen or not. False if it ended without.
    package func waitUntilPast(_ point: YieldPoint) -> Bool {
      condition.lock()
      defer { condition.unlock() }
      while !passed.contains(point) && !isFinished { condition.wait() }
      return passed.contains(point)
    }

    /// Lets the thread run as far as it comes by itself. Returns true if that is its end.
    ///
    /// A thread that was ready all the time and got no processor has not been let run. A busy machine takes longer to
    /// answer, and answers the same. So false means that the thread waits. It sleeps, or it has used up what a thread
    /// needs to come to its end if nothing stops it.
    public func mayFinish() -> Bool {
      condition.lock()
      defer { condition.unlock() }
      repeat {
        let limit = Date(timeIntervalSinceNow: 0.05)
        while !isFinished && condition.wait(until: limit) {}
      } while !isFinished && !isWaiting
      return isFinished
    }

    /// Processor time after which a thread that is not at its end is taken for one that spins.
    private static let spinningTime = 0.1

    /// Whether the thread has begun, and sleeps or spins at this moment (`/proc/PID/task/TID/stat`).
    private var isWaiting: Bool {
      guard let folder, let text = try? String(contentsOfFile: "\(folder)/stat", encoding: .utf8) else { return false }
      // The name, in parentheses, may hold spaces. Behind it come the state and, as the 12th and 13th, the times in
      // ticks.
      let words = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ").dropFirst()
      guard words.count > 12, let user = Int(words[words.startIndex + 11]),
        let system = Int(words[words.startIndex + 12])
      else { return false }
      return words.first == "S" || Double(user + system) / Double(sysconf(Int32(_SC_CLK_TCK))) >= Self.spinningTime
    }

    /// Called by the thread itself, first of all.
    fileprivate func began() {
      let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
      condition.lock()
      folder = own.map { "/proc/\($0)" }
      condition.unlock()
    }

    /// Lets a frozen thread go on. It is not frozen again.
    public func thaw() {
      condition.lock()
      freezeAt = nil
      isFrozen = false
      condition.broadcast()
      condition.unlock()
    }

    /// Lets a frozen thread go on until it comes to `point`.
    package func thaw(until point: YieldPoint) {
      condition.lock()
      freezeAt = point
      passesLeft = 0
      isFrozen = false
      condition.broadcast()
      condition.unlock()
    }

    /// Waits for the thread's end. Rethrows what its body threw.
    public func join() throws {
      condition.lock()
      defer { condition.unlock() }
      while !isFinished { condition.wait() }
      if let error { throw error }
    }

    func reached(_ point: YieldPoint) {
      condition.lock()
      defer { condition.unlock() }
      passed.insert(point)
      if freezeAt == point {
        if passesLeft == 0 { isFrozen = true } else { passesLeft -= 1 }
      }
      condition.broadcast()
      while isFrozen { condition.wait() }
    }

    func failed(_ error: any Error) {
      condition.lock()
      self.error = error
      condition.unlock()
    }

    func finished() {
      condition.lock()
      isFinished = true
      isFrozen = false
      condition.broadcast()
      condition.unlock()
    }
  }
#endif
