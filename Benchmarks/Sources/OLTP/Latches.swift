import Glibc
import Synchronization

/// Locks of pages, a cache line each, so that threads with different latches write different lines. With each lies the
/// number of the last record that changed one of its pages.
///
/// A table has latches of its own, and pages of one table may share one. A transaction latches one page of each table,
/// in the order in which the tables lie in the file. So no two transactions wait for each other.
struct Latches: @unchecked Sendable {
  // Sendable: pthread mutexes and atomics at fixed addresses.
  private let lines: Lines
  private let geometry: Geometry

  private static let perTable = 1024
  private static let stride = 64
  private static let changeOffset = 56

  /// Frees the memory with the last copy.
  private final class Lines {
    let base: UnsafeMutableRawPointer
    static let count = 5 * perTable

    init() {
      base = .allocate(byteCount: Self.count * stride, alignment: stride)
      for index in 0..<Self.count {
        let line = base + index * stride
        pthread_mutex_init(line.assumingMemoryBound(to: pthread_mutex_t.self), nil)
        (line + changeOffset).initializeMemory(as: UInt64.self, to: 0)
      }
    }

    deinit {
      for index in 0..<Self.count {
        pthread_mutex_destroy((base + index * stride).assumingMemoryBound(to: pthread_mutex_t.self))
      }
      base.deallocate()
    }
  }

  init(_ geometry: Geometry) {
    self.geometry = geometry
    lines = Lines()
  }

  @inline(__always)
  private func line(_ page: Int) -> UnsafeMutableRawPointer {
    let index = Int(geometry.kind(of: page).rawValue) * Self.perTable + page % Self.perTable
    return lines.base + index * Self.stride
  }

  @inline(__always)
  func lock(_ page: Int) { pthread_mutex_lock(line(page).assumingMemoryBound(to: pthread_mutex_t.self)) }

  @inline(__always)
  func unlock(_ page: Int) { pthread_mutex_unlock(line(page).assumingMemoryBound(to: pthread_mutex_t.self)) }

  @inline(__always)
  private func change(_ page: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
    (line(page) + Self.changeOffset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// Notes that record `lsn` changes `page`. The caller has the latch, so numbers rise.
  @inline(__always)
  func noteChange(of page: Int, _ lsn: UInt64) { change(page).pointee.store(lsn, ordering: .releasing) }

  /// A record that is no earlier than the last that changed `page`.
  func lastChange(of page: Int) -> UInt64 { change(page).pointee.load(ordering: .acquiring) }
}
