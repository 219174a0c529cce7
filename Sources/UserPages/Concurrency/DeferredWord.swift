/// Something to free after a grace period, in one word: its kind in the low three bits, its address or number above
/// them.
///
/// This layer knows four kinds. Layers above define theirs with the tags that are left, and free those.
struct DeferredWord {
  let rawValue: UInt64

  init(tag: UInt64, payload: UInt64) {
    assert(tag < 8 && payload & 7 == 0)
    rawValue = payload | tag
  }

  init(rawValue: UInt64) { self.rawValue = rawValue }

  var tag: UInt64 { rawValue & 7 }
  var payload: UInt64 { rawValue & ~7 }

  /// A reference to give up. The object's `deinit` does the rest.
  static func object(_ object: AnyObject) -> DeferredWord {
    DeferredWord(tag: objectTag, payload: UInt64(UInt(bitPattern: Unmanaged.passRetained(object).toOpaque())))
  }

  /// A node of a `COWBTree`, for the queue's pool of them.
  static func treeNode(_ node: COWBTree.Node) -> DeferredWord {
    DeferredWord(tag: treeNodeTag, payload: UInt64(UInt(bitPattern: node)))
  }

  /// A published value.
  static func published(_ cell: UnsafeMutableRawPointer) -> DeferredWord {
    DeferredWord(tag: publishedTag, payload: UInt64(UInt(bitPattern: cell)))
  }

  /// A published value that holds no object and no other memory: it is freed and not destroyed.
  static func plainPublished(_ cell: UnsafeMutableRawPointer) -> DeferredWord {
    DeferredWord(tag: plainPublishedTag, payload: UInt64(UInt(bitPattern: cell)))
  }

  static let objectTag: UInt64 = 0
  static let treeNodeTag: UInt64 = 1
  static let publishedTag: UInt64 = 2
  static let plainPublishedTag: UInt64 = 3
  /// The first tag that a layer above may use.
  static let firstFreeTag: UInt64 = 4

  /// What a published value weighs in a batch: the bytes of a mapping.
  static let publishedWeight = 128

  /// Whether its end is a user's `deinit` or closure: an object, or a published value, which may hold one.
  @inline(__always) var isObject: Bool { tag == Self.objectTag || tag == Self.publishedTag }

  /// Whether it is a published value that is freed like memory.
  @inline(__always) var isPlainPublished: Bool { tag == Self.plainPublishedTag }

  /// Whether it is a node of the queue's pool.
  @inline(__always) var isTreeNode: Bool { tag == Self.treeNodeTag }

  @inline(__always) var pointer: UnsafeMutableRawPointer { UnsafeMutableRawPointer(bitPattern: UInt(payload))! }

  /// Gives up the reference to an object, or destroys a published value. Runs a user's code.
  func release() {
    if tag == Self.objectTag {
      Unmanaged<AnyObject>.fromOpaque(pointer).release()
    } else {
      PublishedCell.destroy(pointer)
    }
  }
}
