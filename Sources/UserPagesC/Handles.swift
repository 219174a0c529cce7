import CUserPages
import Glibc
import UserPages

/// The handles that C programs hold: which objects they retain, of which kind, and of which machine.
///
/// A handle is the object's address. Functions that are called often take it as it is. The registry is for functions
/// that make and end handles. With it, a second end, an end of another kind, and the end of a machine that is in use
/// are errors and not corruption.
enum Handles {
  /// What a handle refers to.
  enum Kind { case machine, space, backing, mirror, cacheHandle }

  private struct Entry {
    let kind: Kind
    /// The machine that the object is of, by its handle.
    let machine: UInt
    /// Of a machine: how many other handles are of it.
    var dependents = 0
  }

  private static let live = Guarded<[UInt: Entry]>([:])

  /// Retains `object` for the caller of C, and returns its handle.
  static func make(_ object: some AnyObject, _ kind: Kind, of machine: PhysicalMemory) -> OpaquePointer {
    let opaque = Unmanaged.passRetained(object).toOpaque()
    let owner = UInt(bitPattern: Unmanaged.passUnretained(machine).toOpaque())
    live.withLock { live in
      live[UInt(bitPattern: opaque)] = Entry(kind: kind, machine: owner)
      if kind != .machine { live[owner]?.dependents += 1 }
    }
    return OpaquePointer(opaque)
  }

  /// Whether a handle is live and of this kind.
  static func isLive(_ handle: OpaquePointer, _ kind: Kind) -> Bool {
    live.withLock { $0[UInt(bitPattern: handle)]?.kind == kind }
  }

  /// How many other handles are of a machine.
  static func dependents(of machine: OpaquePointer) -> Int {
    live.withLock { $0[UInt(bitPattern: machine)]?.dependents ?? 0 }
  }

  /// Ends a handle, runs `last`, and then releases the object. Returns false if the handle was not live, or of another
  /// kind.
  ///
  /// `last` and the object's end run outside of the lock: they may call a program's `release`, which may end another
  /// handle.
  static func end<Object: AnyObject>(
    _ handle: OpaquePointer, _ kind: Kind, _ type: Object.Type, _ last: (Object) -> Void = { _ in }
  ) -> Bool {
    // Kept: as soon as it has no dependents, another thread may end it.
    var machine: PhysicalMemory?
    let isEnded = live.withLock { live in
      guard let entry = live[UInt(bitPattern: handle)], entry.kind == kind, entry.dependents == 0 else { return false }
      live[UInt(bitPattern: handle)] = nil
      if kind != .machine, live[entry.machine] != nil, let pointer = UnsafeRawPointer(bitPattern: entry.machine) {
        machine = Unmanaged<PhysicalMemory>.fromOpaque(pointer).takeUnretainedValue()
        live[entry.machine]?.dependents -= 1
      }
      return true
    }
    guard isEnded else { return false }
    lending(handle, type, last)
    Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle)).release()
    // A cache that reclaim has at hand ends with that: its file is written and closed when this returns. A mirror is
    // the last to keep nothing.
    if kind != .mirror { machine?.waitForReclaims() }
    return true
  }
}

/// What a program has passed to it again.
///
/// Sendable: the program promises that its callbacks may run on any thread.
struct CallbackContext: @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer?
}

/// Calls `body` with the object behind a handle, without a change of its reference count: the caller of C keeps it
/// alive.
@inline(__always)
func lending<Object: AnyObject, Result>(
  _ handle: OpaquePointer, _ type: Object.Type = Object.self, _ body: (Object) -> Result
) -> Result {
  Unmanaged<Object>.fromOpaque(UnsafeRawPointer(handle))._withUnsafeGuaranteedRef(body)
}

extension PageError {
  /// The negated errno that C gets.
  ///
  /// The errors that are signals for a program are numbers here: `EFAULT` for SIGSEGV, and `ENXIO` for SIGBUS.
  /// `mmap(2)` too has `ENXIO` for addresses that the object does not have.
  var code: Int32 {
    switch self {
    case .segmentationViolation: -EFAULT
    case .busError, .busErrorOfFile: -ENXIO
    default: -(self.errno ?? EINVAL)
    }
  }

  /// The error for the negated errno value that a callback returned while it did `step` of a file.
  init(code: Int32, _ step: FileStep) {
    self = .file(step, errno: code < 0 && code > -4096 ? -code : EIO)
  }
}

/// Runs `body` with the object behind a handle. Returns 0, or the code of the error that it throws.
@inline(__always)
func attempt<Object: AnyObject>(
  _ handle: OpaquePointer?, _ type: Object.Type = Object.self, _ body: (Object) throws(PageError) -> Void
) -> Int32 {
  guard let handle else { return -EINVAL }
  return lending(handle, type) { object in
    do throws(PageError) {
      try body(object)
      return 0
    } catch {
      return error.code
    }
  }
}

/// The same for a count.
@inline(__always)
func counting<Object: AnyObject>(
  _ handle: OpaquePointer?, _ type: Object.Type = Object.self, _ body: (Object) throws(PageError) -> Int
) -> Int64 {
  guard let handle else { return Int64(-EINVAL) }
  return lending(handle, type) { object in
    do throws(PageError) {
      return Int64(try body(object))
    } catch {
      return Int64(error.code)
    }
  }
}

/// A number of C as the library takes it. What is too large for any machine stays too large.
@inline(__always)
func count(_ number: UInt64) -> Int { Int(clamping: number) }
