import MemoryModel

/// A piece of a program that one thread runs.
typealias Body = @Sendable () -> Void

private final class ThreadBody: Sendable {
  let run: Body
  init(_ run: @escaping Body) { self.run = run }
}

/// Runs each body on a thread of its own, and `meanwhile` on the calling one. Returns when all have ended.
func inParallel(_ bodies: Body..., meanwhile: () -> Void = {}) {
  let threads = bodies.map { body in
    let context = Unmanaged.passRetained(ThreadBody(body)).toOpaque()
    return mm_spawn({ Unmanaged<ThreadBody>.fromOpaque($0!).takeRetainedValue().run() }, context)
  }
  meanwhile()
  for thread in threads { mm_join(thread) }
}

/// Fails the execution unless `holds`.
func check(_ holds: Bool, _ what: StaticString) {
  mm_assert(holds ? 1 : 0, UnsafeRawPointer(what.utf8Start).assumingMemoryBound(to: CChar.self))
}

/// What one thread tells another that waits for its end, or for a lock: a plain variable, so that a missing order is a
/// race.
final class Flag: @unchecked Sendable {
  private(set) var isSet = false
  func set() { isSet = true }
}
