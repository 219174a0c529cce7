import Synchronization

/// An ordered map from 64-bit keys to words that is read without a lock and edited by one writer at a time.
///
/// A B+ tree whose published nodes never change. An edit copies the nodes on its path, once each, works on the copies,
/// and publishes them together by storing one root word: a reader sees the tree before the edit or after it, never
/// between.
///
/// ORDERING [tree-root]: `publish` stores the root with release after the new nodes are complete; `root` is loaded
/// with acquire, so a reader that sees a root sees whole nodes. Replaced nodes are given to the queue of deferred frees
/// after the store, so a reader inside a section never walks freed memory.
///
/// The keys of an inner node are exactly the smallest keys of its children; that makes a floor search one descent. A
/// level of it counts the keys that are above, all 32 of them: a few vector instructions and no branch to mispredict,
/// and the node's cache lines are fetched side by side. A search by halves would wait for one line after the other.
final class COWBTree: @unchecked Sendable {
  static let fanout = 32

  // Nodes are raw memory: a node's identity is its address, its lifetime the grace period's.
  typealias Node = UnsafeMutablePointer<NodeBody>

  /// What a floor search reads comes first, on eight whole cache lines; the rest is the writer's.
  struct NodeBody {
    /// Ascending; `noKey` behind the last one.
    var keys: InlineArray<32, UInt64>
    /// Words in a leaf, nodes above.
    var slots: InlineArray<32, UInt64>
    /// 0 for a leaf.
    var height: Int32
    var count: Int32
    /// The edit that made the node. Only that edit may change it.
    var edit: UInt64
    /// The list of nodes that the edit replaced.
    var nextReplaced: Node?
    private let padding: InlineArray<5, UInt64> = .init(repeating: 0)

    init(height: Int32, edit: UInt64) {
      keys = .init(repeating: COWBTree.noKey)
      slots = .init(repeating: 0)
      self.height = height
      count = 0
      self.edit = edit
    }
  }

  /// A cache line. A node's address leaves that many bits free, which hold the height in the root's word.
  static let nodeAlignment = 64
  /// Above all keys, and the largest number whose distance from a key has the highest bit clear.
  static let noKey = UInt64(Int64.max)

  // What edits write shares no line with other objects of the heap: other threads edit trees of their own.
  private let paddingBefore: InlineArray<8, UInt64> = .init(repeating: 0)
  let published = Atomic<UInt>(0)
  let queue: DeferredQueue.Handle
  // Keeps the queue alive for the nodes that are left at the end.
  private let queueOwner: DeferredQueue
  // The edit in progress (`COWBTree+Editing.swift`). Guarded by the lock that makes a thread the only writer. Each
  // access is one load or store, so Swift's checks for overlapping accesses could find nothing. They cost a fifth of a
  // small edit.
  @exclusivity(unchecked) var working: Node?
  @exclusivity(unchecked) var edit: UInt64 = 1
  @exclusivity(unchecked) var replaced: Node?
  @exclusivity(unchecked) var count = 0
  private let paddingBehind: InlineArray<8, UInt64> = .init(repeating: 0)

  /// - Parameter queue: where replaced nodes are left for a grace period.
  init(queue: DeferredQueue) {
    self.queue = queue.handle
    queueOwner = queue
  }

  deinit {
    // No thread can reach the tree any more, so its nodes need no grace period.
    if let working { freeAll(working) }
  }

  // MARK: Reading

  /// A root's address, and its height in the bits that the alignment leaves.
  struct Root {
    let word: UInt

    init(word: UInt) { self.word = word }
    init(_ node: Node?) { word = node.map { UInt(bitPattern: $0) | UInt($0.pointee.height) } ?? 0 }

    var node: Node? { Node(bitPattern: word & ~UInt(COWBTree.nodeAlignment - 1)) }
    var height: UInt { word & UInt(COWBTree.nodeAlignment - 1) }
  }

  /// Whether the edit in progress has changed anything. For the writer.
  var isEdited: Bool { published.load(ordering: .relaxed) != Root(working).word }

  private var root: Root { Root(word: published.load(ordering: .acquiring)) }

  /// The entry with the largest key that is not above `key`. O(log n).
  func floor(_ key: UInt64, _ section: RCU.Section) -> (key: UInt64, word: UInt64)? { Self.floor(key, in: root) }

  /// The entry with the smallest key that is not below `key`. O(log n).
  func ceiling(_ key: UInt64, _ section: RCU.Section) -> (key: UInt64, word: UInt64)? {
    root.node.flatMap { Self.ceiling(key, in: $0) }
  }

  /// As `floor` and `ceiling`, of the edit in progress. For the writer.
  func workingFloor(_ key: UInt64) -> (key: UInt64, word: UInt64)? {
    guard var node = working else { return nil }
    while true {
      let index = Self.lastCounted(in: node, notAbove: key)
      guard index >= 0 else { return nil }
      if node.pointee.height == 0 { return (node.pointee.keys[index], node.pointee.slots[index]) }
      node = Self.child(node, index)
    }
  }

  func workingCeiling(_ key: UInt64) -> (key: UInt64, word: UInt64)? {
    guard let working else { return nil }
    return Self.ceiling(key, in: working)
  }

  private static func floor(_ key: UInt64, in root: Root) -> (key: UInt64, word: UInt64)? {
    guard var node = root.node else { return nil }
    let key = min(key, noKey - 1)
    var index = lastIndex(in: node, notAbove: key)
    // Only in the root: a child's smallest key is its parent's.
    guard index >= 0 else { return nil }
    for _ in 0..<root.height {
      node = child(node, index)
      index = lastIndex(in: node, notAbove: key)
    }
    return (node.pointee.keys[index], node.pointee.slots[index])
  }

  private static func ceiling(_ key: UInt64, in node: Node) -> (key: UInt64, word: UInt64)? {
    let key = min(key, noKey - 1)
    var index = max(lastCounted(in: node, notAbove: key), 0)
    while index < Int(node.pointee.count) {
      if node.pointee.height == 0 {
        if node.pointee.keys[index] >= key { return (node.pointee.keys[index], node.pointee.slots[index]) }
      } else if let found = ceiling(key, in: child(node, index)) {
        return found
      }
      index += 1
    }
    return nil
  }

  @inline(__always)
  static func child(_ node: Node, _ index: Int) -> Node { Node(bitPattern: UInt(node.pointee.slots[index]))! }

  /// The index of the last key that is not above `key`, or -1.
  ///
  /// The highest bit of `key - other` says whether `other` is above, since both are at most `noKey`.
  @inline(__always)
  private static func lastIndex(in node: Node, notAbove key: UInt64) -> Int {
    let keys = UnsafeRawPointer(node).assumingMemoryBound(to: UInt64.self)
    var above: UInt64 = 0
    for index in 0..<fanout { above &+= (key &- keys[index]) &>> 63 }
    return fanout - 1 - Int(above)
  }

  /// The same for the writer, which has the count at hand. Most edits are of trees of few entries, and search them six
  /// times.
  static func lastCounted(in node: Node, notAbove key: UInt64) -> Int {
    let count = Int(node.pointee.count)
    if count > fanout / 4 { return lastIndex(in: node, notAbove: key) }
    return (0..<count).partitioningIndex { node.pointee.keys[$0] > key } - 1
  }
}
