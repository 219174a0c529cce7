import CPlatform

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
