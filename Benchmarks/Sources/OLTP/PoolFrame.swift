import Synchronization

/// What the buffer pool knows of one of its frames.
struct PoolFrame: ~Copyable {
  /// The page in this frame, -1 for none. Changes only under the lock of the page's bucket.
  let page = Atomic<Int>(-1)
  /// How many threads have fixed it. It leaves zero by compare and exchange, and grows further under the bucket's lock only: so the
  /// thread that evicts a page and a thread that looks it up do not both succeed.
  let fixes = Atomic<Int32>(0)
  /// The next frame in the bucket, -1 for none. Under the bucket's lock.
  var next: Int32 = -1
  /// Whether a thread used it since the clock's hand passed.
  let referenced = Atomic<Bool>(false)
  /// Whether it changed since it was read or written back. Set under the frame's latch.
  let dirty = Atomic<Bool>(false)
  /// Whether its bytes are the page's. Under the frame's latch.
  var valid = false
  /// The log sequence number of its last change. Under the frame's latch.
  var lsn: UInt64 = 0
}

/// A hash table from page to frame: chains through the frames, locked in stripes.
struct PoolDirectory: @unchecked Sendable {
  // Sendable: every access is under the stripe's lock.
  private let buckets: UnsafeMutablePointer<Int32>
  private let mask: Int
  private let stripes: Latches
  private static let stripeCount = 64

  init(frames: Int) {
    var size = Self.stripeCount
    while size < 2 * frames { size *= 2 }
    mask = size - 1
    buckets = .allocate(capacity: size)
    buckets.initialize(repeating: -1, count: size)
    stripes = Latches(count: Self.stripeCount)
  }

  func deallocate() {
    buckets.deallocate()
    stripes.deallocate()
  }

  @inline(__always)
  func bucket(of page: Int) -> Int {
    Int(truncatingIfNeeded: (UInt64(truncatingIfNeeded: page) &* 0x9e37_79b9_7f4a_7c15) >> 20) & mask
  }

  @inline(__always)
  func lock(_ bucket: Int) { stripes.lock(bucket & (Self.stripeCount - 1)) }

  @inline(__always)
  func unlock(_ bucket: Int) { stripes.unlock(bucket & (Self.stripeCount - 1)) }

  @inline(__always)
  func find(_ page: Int, in bucket: Int, _ frames: UnsafeMutablePointer<PoolFrame>) -> Int? {
    var index = buckets[bucket]
    while index >= 0 {
      if frames[Int(index)].page.load(ordering: .relaxed) == page { return Int(index) }
      index = frames[Int(index)].next
    }
    return nil
  }

  func insert(_ frame: Int, into bucket: Int, _ frames: UnsafeMutablePointer<PoolFrame>) {
    frames[frame].next = buckets[bucket]
    buckets[bucket] = Int32(frame)
  }

  func remove(_ frame: Int, from bucket: Int, _ frames: UnsafeMutablePointer<PoolFrame>) {
    var index = buckets[bucket]
    if index == Int32(frame) {
      buckets[bucket] = frames[frame].next
    } else {
      while frames[Int(index)].next != Int32(frame) { index = frames[Int(index)].next }
      frames[Int(index)].next = frames[frame].next
    }
    frames[frame].next = -1
  }
}
