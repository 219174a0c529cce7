/// Something to free after a grace period, in one word: its kind in the low three bits, its address or number above them.
///
/// This layer knows three kinds. Layers above define theirs with the tags that are left, and free those.
struct DeferredWord {
  let rawValue: UInt64

  init(tag: UInt64, payload: UInt64) {
    assert(tag < 8 && payload & 7 == 0)
    rawValue = payload | tag
  }

  init(rawValue: UInt64) { self.rawValue = rawValue }

  var tag: UInt64 { rawValue & 7 }
  var payload: UInt64 { rawValue & ~7 }

  /// A reference to give up; the object's `deinit` does the rest.
  static func object(_ object: AnyObject) -> DeferredWord {
    DeferredWord(tag: 0, payload: UInt64(UInt(bitPattern: Unmanaged.passRetained(object).toOpaque())))
  }

  /// A node of a `COWBTree`, for the queue's pool of them.
  static func treeNode(_ node: COWBTree.Node) -> DeferredWord {
    DeferredWord(tag: 1, payload: UInt64(UInt(bitPattern: node)))
  }

  /// A published value.
  static func published(_ cell: UnsafeMutableRawPointer) -> DeferredWord {
    DeferredWord(tag: 2, payload: UInt64(UInt(bitPattern: cell)))
  }

  /// The first tag that a layer above may use.
  static let firstFreeTag: UInt64 = 3

  /// Whether its end is a user's `deinit` or closure: an object, or a published value, which may hold one.
  @inline(__always) var isObject: Bool { tag == 0 || tag == 2 }

  /// Whether it is a node of the queue's pool.
  @inline(__always) var isTreeNode: Bool { tag == 1 }

  @inline(__always) var pointer: UnsafeMutableRawPointer { UnsafeMutableRawPointer(bitPattern: UInt(payload))! }

  /// Gives up the reference to an object, or destroys a published value. Runs a user's code.
  func release() {
    if tag == 0 { Unmanaged<AnyObject>.fromOpaque(pointer).release() } else { PublishedCell.destroy(pointer) }
  }
}

/// Words gathered in a row, so that the queue's lock is taken once for all of them.
///
/// What they mean must be unreachable when they are added. They need not be in the queue at once: the batch's owner calls `flush`
/// before its operation returns.
struct DeferredBatch: ~Copyable {
  // Few, because they are set to nothing first, and most batches hold one or two.
  private static let capacity = 8

  private var words = InlineArray<8, DeferredWord>(repeating: DeferredWord(rawValue: 0))
  private var count = 0

  init() {}

  deinit { precondition(count == 0, "a batch of deferred frees was dropped") }

  @inline(__always)
  mutating func add(_ word: DeferredWord, for queue: DeferredQueue.Handle) {
    if count == Self.capacity { flush(to: queue) }
    words[count] = word
    count += 1
  }

  mutating func flush(to queue: DeferredQueue.Handle) {
    if count > 0 { queue.enqueue(words.span.extracting(0..<count)) }
    count = 0
  }
}
