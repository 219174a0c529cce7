import CPlatform
import Glibc

/// An io_uring by which one thread at a time has many stretches of a file read or written at once.
final class TransferRing: @unchecked Sendable {
  /// Stretches that are under way together.
  static let entries = 64

  // Used by the thread that took the ring from `TransferRings`.
  private let ring: OpaquePointer

  /// Returns nil where the kernel has no io_uring, or allows none.
  ///
  /// - Parameter entries: stretches that fit in. The kernel refuses a ring for none.
  init?(entries: Int = TransferRing.entries) {
    guard let ring = cp_ring_open(UInt32(entries)) else { return nil }
    self.ring = ring
  }

  deinit { cp_ring_close(ring) }

  /// A stretch of consecutive pages, and where its frames lie.
  struct Stretch {
    let page: Int
    let vectors: [iovec]
  }

  /// Reads or writes stretches. Returns for each what `preadv` or `pwritev` would have: bytes, or a negated errno.
  func transfer(_ stretches: [Stretch], isWrite: Bool, _ file: Int32) -> [Int] {
    var results: [Int] = []
    results.reserveCapacity(stretches.count)
    for start in stride(from: 0, to: stretches.count, by: Self.entries) {
      results += transfer(stretches[start..<min(start + Self.entries, stretches.count)], isWrite: isWrite, file)
    }
    return results
  }

  private func transfer(_ stretches: ArraySlice<Stretch>, isWrite: Bool, _ file: Int32) -> [Int] {
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
            file: file, is_write: isWrite ? 1 : 0, vectors: vectors.baseAddress.map { UnsafePointer($0 + first) },
            vector_count: Int32(stretch.vectors.count), offset: stretch.page * Page.size, result: 0))
      }
      transfers.withUnsafeMutableBufferPointer { cp_ring_run(ring, $0.baseAddress, UInt32($0.count)) }
      return transfers.map(\.result)
    }
  }

  /// For tests: the ring's next `times` system calls fail with `error`, and do nothing.
  func refuse(_ error: Int32, times: Int) { cp_ring_refuse(ring, error, UInt32(times)) }
}

/// The rings of one file: as many as threads transfer at once, up to a few.
///
/// A thread takes a ring for its transfers and gives it back. One that finds none left transfers without: threads that
/// are many have many transfers under way as it is.
final class TransferRings: Sendable {
  static let limit = 4

  private struct Rings {
    var idle: [TransferRing]
    var opened = 1
  }

  private let rings: Guarded<Rings>

  /// Returns nil where the kernel has no io_uring, or allows none.
  init?() {
    guard let first = TransferRing() else { return nil }
    rings = Guarded(Rings(idle: [first]))
  }

  /// Runs `body` with a ring of its own, or returns nil if there is none left.
  func withRing<Result>(_ body: (TransferRing) -> Result) -> Result? {
    guard let ring = take() else { return nil }
    defer { rings.withLock { $0.idle.append(ring) } }
    return body(ring)
  }

  private func take() -> TransferRing? {
    let (idle, mayOpen) = rings.withLock { rings -> (TransferRing?, Bool) in
      if let ring = rings.idle.popLast() { return (ring, false) }
      guard rings.opened < Self.limit else { return (nil, false) }
      rings.opened += 1
      return (nil, true)
    }
    guard mayOpen else { return idle }
    // A kernel that gives no further one is asked again later.
    guard let ring = TransferRing() else {
      rings.withLock { $0.opened -= 1 }
      return nil
    }
    return ring
  }
}
