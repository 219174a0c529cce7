import CPlatform
import Glibc

/// An io_uring by which one thread at a time has many stretches of a file written at once.
final class TransferRing: @unchecked Sendable {
  /// Stretches that are under way together.
  static let entries = 64

  // Used under the lock.
  private let ring: OpaquePointer
  private let lock = Monitor()

  /// Returns nil where the kernel has no io_uring, or allows none.
  init?() {
    guard let ring = cp_ring_open(UInt32(Self.entries)) else { return nil }
    self.ring = ring
  }

  deinit { cp_ring_close(ring) }

  /// A stretch of consecutive pages, and where its frames lie.
  struct Stretch {
    let page: Int
    let vectors: [iovec]
    let byteCount: Int
  }

  /// Writes stretches. Returns for each whether all of it was written.
  func write(_ stretches: [Stretch], to file: Int32) -> [Bool] {
    lock.locked {
      var written: [Bool] = []
      for start in stride(from: 0, to: stretches.count, by: Self.entries) {
        written += write(stretches[start..<min(start + Self.entries, stretches.count)], to: file)
      }
      return written
    }
  }

  private func write(_ stretches: ArraySlice<Stretch>, to file: Int32) -> [Bool] {
    // One block for all vectors: their addresses must stay.
    let count = stretches.reduce(0) { $0 + $1.vectors.count }
    return withUnsafeTemporaryAllocation(of: iovec.self, capacity: count) { vectors in
      var transfers: [cp_ring_transfer] = []
      var next = 0
      for stretch in stretches {
        let first = next
        for vector in stretch.vectors {
          vectors.initializeElement(at: next, to: vector)
          next += 1
        }
        transfers.append(
          cp_ring_transfer(
            file: file, is_write: 1, vectors: vectors.baseAddress.map { UnsafePointer($0 + first) },
            vector_count: Int32(stretch.vectors.count), offset: stretch.page * Page.size, result: 0))
      }
      transfers.withUnsafeMutableBufferPointer { cp_ring_run(ring, $0.baseAddress, UInt32($0.count)) }
      return zip(transfers, stretches).map { $0.result == $1.byteCount }
    }
  }
}
