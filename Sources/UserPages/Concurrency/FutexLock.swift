import CPlatform
import Synchronization

/// A lock for sections of some tens of instructions: one word, uncontended in user space, waiters asleep in the kernel.
///
/// It can neither be waited for with a timeout nor taken twice by one thread. For a value that it guards alone see
/// `Guarded`. `LockArray` says when to use which lock.
///
/// Drepper's three-state mutex ("Futexes Are Tricky"): 0 free, 1 held, 2 held while a thread may be asleep. Not
/// `Synchronization.Mutex`: the slow path of that lock lives in an uninstrumented library, where ThreadSanitizer cannot
/// see what it orders.
struct FutexLock: ~Copyable {
  private let state = Atomic<UInt32>(0)

  init() {}

  @inline(__always)
  func lock() {
    // ORDERING [lock-hand-over]: acquire, in each function that takes the lock.
    if state.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged { return }
    lockSlowly()
  }

  func tryLock() -> Bool { state.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged }

  @inline(__always)
  func unlock() {
    // ORDERING [lock-hand-over]: release: what the holder did comes before what the next one does.
    if state.exchange(0, ordering: .releasing) == 2 { wakeOne() }
  }

  @inline(never)
  private func lockSlowly() {
    // A holder that runs on another core is done within a few turns. A preempted holder is not worth spinning for.
    for _ in 0..<64 {
      cp_pause()
      if state.load(ordering: .relaxed) == 0,
        state.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
      {
        return
      }
    }
    while state.exchange(2, ordering: .acquiring) != 0 { cp_futex_wait(word, 2) }
  }

  @inline(never)
  private func wakeOne() { cp_futex_wake(word, 1) }

  // The kernel wants the address of the word. `Atomic` keeps its value at a stable address as long as the lock itself
  // is not moved. Every lock here lives in raw memory or in a class, so none is moved.
  private var word: UnsafeMutablePointer<UInt32> {
    withUnsafePointer(to: state) { UnsafeMutableRawPointer(mutating: $0).assumingMemoryBound(to: UInt32.self) }
  }
}
