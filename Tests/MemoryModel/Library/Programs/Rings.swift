import CPlatform
import Glibc

/// Reads by a ring, two together and then one, which the kernel has to do in turns: each brings its bytes, and an entry
/// that is used again is the new one.
func transfersAgainstKernel() {
  guard let ring = cp_ring_open(2) else { return check(false, "no ring") }
  for count in [2, 1] {
    let words = UnsafeMutablePointer<UInt64>.allocate(capacity: count)
    words.initialize(repeating: 0, count: count)
    let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: count)
    let transfers = UnsafeMutablePointer<cp_ring_transfer>.allocate(capacity: count)
    for index in 0..<count {
      vectors[index] = iovec(iov_base: words + index, iov_len: 8)
      transfers[index] = cp_ring_transfer(
        file: 0, is_write: 0, vectors: vectors + index, vector_count: 1, offset: 0, result: 0)
    }
    cp_ring_run(ring, transfers, UInt32(count))
    for index in 0..<count {
      check(transfers[index].result == 8 && words[index] == UInt64.max, "a transfer is not done")
    }
    words.deallocate()
    vectors.deallocate()
    transfers.deallocate()
  }
  cp_ring_close(ring)
}

/// A ring of two threads, and a word for each to read.
private final class SharedRing: @unchecked Sendable {
  private let lock = FutexLock()
  private let ring = cp_ring_open(2)!
  private let words = UnsafeMutablePointer<UInt64>.allocate(capacity: 2)
  private let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: 2)

  init() {
    words.initialize(repeating: 0, count: 2)
    for index in 0..<2 { vectors[index] = iovec(iov_base: words + index, iov_len: 8) }
    cp_ring_refuse(ring, EINVAL, 1)
  }

  /// Returns the kernel's result.
  func read(_ index: Int) -> Int {
    lock.lock()
    defer { lock.unlock() }
    var transfer = cp_ring_transfer(
      file: 0, is_write: 0, vectors: vectors + index, vector_count: 1, offset: 0, result: 0)
    cp_ring_run(ring, &transfer, 1)
    check((transfer.result == 8) == (words[index] == UInt64.max), "a transfer is half done")
    return Int(transfer.result)
  }

  func close() {
    cp_ring_close(ring)
    words.deallocate()
    vectors.deallocate()
  }
}

/// The kernel refuses the first of two transfers. It is taken back, and the other thread's is done.
func transfersAgainstRefusal() {
  mm_ring_takes_at_calls()
  let ring = SharedRing()
  let wasDone = [Flag(), Flag()]
  func body(_ index: Int) -> Body {
    {
      let result = ring.read(index)
      check(result == 8 || result == -Int(EINVAL), "a transfer has another result")
      if result == 8 { wasDone[index].set() }
    }
  }
  inParallel(body(0), body(1))
  check(wasDone[0].isSet != wasDone[1].isSet, "not one of two transfers is done")
  ring.close()
}
