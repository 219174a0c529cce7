import CPlatform
import Synchronization

/// An ordered map from 64-bit keys to words that is read without a lock and edited by one writer at a time.
///
/// A B+ tree. Its inner nodes never change once they are published. An edit that changes them copies the nodes on its
/// path, once each, and works on the copies. It publishes them together by storing one root word. Replaced nodes wait
/// for a grace period.
///
/// Most edits change one leaf and no node above it. Such an edit works on a *draft* of the leaf, which no reader sees,
/// and `publish` stores the draft's words into the leaf itself (`COWBTree+Leaves.swift`). So it defers no memory. A
/// copied leaf is 576 bytes. With such copies, two threads that map and unmap filled a batch of deferred frees after
/// 630 operations. Then they stopped each other for a grace period. Why drafts and not stores at once: an edit of
/// several steps stays invisible until `publish`, by whichever of the two ways. Why not smaller leaves: among many
/// mappings the inner nodes of each path would still be copied and deferred.
///
/// ORDERING [tree-root]: `publish` stores the root with release after the new nodes are complete. `root` is loaded with
/// acquire. So a reader that sees a root sees whole nodes. Replaced nodes are given to the queue of deferred frees
/// after the store, so a reader inside a section never walks freed memory.
///
/// The keys of an inner node are exactly the smallest keys of its children. That makes a floor search one descent. A
/// level of it counts the keys that are above, all 32 of them. That is a few vector instructions and no branch to
/// mispredict, and the node's cache lines are fetched side by side. A search by halves would wait for one line after
/// the other.
///
/// A reader in an old root may meet a leaf that was edited since. It misses nothing. An address moves from one leaf to
/// another by an edit that replaces both leaves. A replaced leaf is not edited any more.
final class COWBTree: @unchecked Sendable {
  static let fanout = 32

  // Nodes are raw memory: a node's identity is its address, its lifetime the grace period's.
  typealias Node = UnsafeMutablePointer<NodeBody>

  /// What a floor search reads comes first, on eight whole cache lines. The rest is the writer's.
  struct NodeBody {
    /// Ascending, with `noKey` behind the last one. Readers of a leaf may be at these and the slots while they change.
    var keys: InlineArray<32, UInt64>
    /// Words in a leaf, nodes above it, with 0 behind the last one.
    var slots: InlineArray<32, UInt64>
    /// Of a leaf: odd while a writer changes it, and larger by two afterwards. Else 0.
    var version: UInt64 = 0
    /// 0 for a leaf.
    var height: Int32
    var count: Int32
    /// The edit that made the node. Only that edit may change it.
    var edit: UInt64
    /// The list of nodes that the edit replaced.
    var nextReplaced: Node?
    private let padding: InlineArray<4, UInt64> = .init(repeating: 0)

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
  /// Above all keys, and the largest number at a distance from a key that has the highest bit clear.
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
  /// The one leaf that the edit changes, which is published, and the copy with its changes.
  @exclusivity(unchecked) var target: Node?
  @exclusivity(unchecked) var draft: Node?
  /// Whether the edit copies nodes instead.
  @exclusivity(unchecked) var isCopying = false
  private let paddingBehind: InlineArray<8, UInt64> = .init(repeating: 0)

  /// - Parameter queue: where replaced nodes are left for a grace period.
  init(queue: DeferredQueue) {
    self.queue = queue.handle
    queueOwner = queue
  }

  deinit {
    // No thread can reach the tree any more, so its nodes need no grace period.
    if let working { freeAll(working) }
    if let draft { queue.freeTreeNode(draft) }
  }

  typealias Entry = (key: UInt64, word: UInt64)

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
  var isEdited: Bool { target != nil || published.load(ordering: .relaxed) != Root(working).word }

  private var root: Root { Root(word: published.load(ordering: .acquiring)) }

  /// The entry with the largest key that is not above `key`. If a writer is changing its leaf, `currentKey` may give
  /// the key of a word, so that the search waits for no writer. O(log n).
  ///
  /// `currentKey` is asked about a word that the tree has held since the section began. It may be another key's, or one
  /// that was replaced meanwhile. If it returns nil, the search begins again and waits for the edit of the leaf.
  ///
  /// ORDERING [leaf-edit]: a current word needs no look at the leaf's version. It is loaded with acquire, so what it
  /// stands for is complete.
  @inline(__always)
  func find(_ key: UInt64, _ section: RCU.Section, currentKey: (UInt64) -> UInt64?) -> Entry? {
    guard let leaf = leaf(for: key) else { return nil }
    let (entry, isWhole) = Self.look(in: leaf, notAbove: key)
    if isWhole { return entry }
    if let word = entry?.word, let current = currentKey(word) { return (current, word) }
    return floor(key, section)
  }

  /// The leaf that `key` is in, if it is in the tree.
  @inline(__always)
  func leaf(for key: UInt64) -> Node? {
    let root = root
    guard var node = root.node else { return nil }
    let key = min(key, Self.noKey - 1)
    for _ in 0..<root.height {
      // Below the smallest key only in the root: a child's smallest key is its parent's.
      node = Self.child(node, max(Self.lastIndex(in: node, notAbove: key), 0))
    }
    return node
  }

  /// As a floor search, of the edit in progress. For the writer.
  func workingFloor(_ key: UInt64) -> Entry? {
    guard var node = working else { return nil }
    while true {
      node = edited(node)
      let index = Self.lastCounted(in: node, notAbove: key)
      guard index >= 0 else { return nil }
      if node.pointee.height == 0 { return (node.pointee.keys[index], node.pointee.slots[index]) }
      node = Self.child(node, index)
    }
  }

  /// The entry with the smallest key that is not below `key`, of the edit in progress. For the writer. O(log n).
  func workingCeiling(_ key: UInt64) -> Entry? {
    let (floor, above) = workingNeighbours(of: key)
    return floor?.key == key ? floor : above
  }

  /// The entry with the largest key that is not above `key`, and the next one, of the edit in progress. For the writer.
  /// One descent. O(log n).
  func workingNeighbours(of key: UInt64) -> (floor: Entry?, above: Entry?) {
    guard var node = working else { return (nil, nil) }
    let key = min(key, Self.noKey - 1)
    // The next subtree, where the entry above is if the leaf has none.
    var next: Node?
    while true {
      node = edited(node)
      let index = Self.lastCounted(in: node, notAbove: key)
      let hasMore = index + 1 < Int(node.pointee.count)
      if node.pointee.height == 0 {
        let above = hasMore ? Self.entry(index + 1, of: node) : next.map(smallestEntry)
        return (index < 0 ? nil : Self.entry(index, of: node), above)
      }
      // Below the smallest key only in the root: then the leaf has the entry above.
      let place = max(index, 0)
      if hasMore { next = Self.child(node, index + 1) }
      node = Self.child(node, place)
    }
  }

  private func smallestEntry(in node: Node) -> Entry {
    var node = node
    while node.pointee.height > 0 { node = Self.child(node, 0) }
    return Self.entry(0, of: edited(node))
  }

  @inline(__always)
  private static func entry(_ index: Int, of leaf: Node) -> Entry {
    (leaf.pointee.keys[index], leaf.pointee.slots[index])
  }

  /// The node as the edit in progress has it.
  @inline(__always)
  func edited(_ node: Node) -> Node {
    if let draft, node == target { return draft }
    return node
  }

  @inline(__always)
  static func child(_ node: Node, _ index: Int) -> Node { Node(bitPattern: UInt(node.pointee.slots[index]))! }

  /// The index of the last key that is not above `key`, or -1. A leaf may be edited meanwhile.
  @inline(__always)
  static func lastIndex(in node: Node, notAbove key: UInt64) -> Int {
    fanout - 1 - cp_count_above(UnsafeRawPointer(node).assumingMemoryBound(to: UInt64.self), key)
  }

  /// The same for the writer, which has the count at hand. Most edits are of trees of few entries, and search them six
  /// times.
  static func lastCounted(in node: Node, notAbove key: UInt64) -> Int {
    let count = Int(node.pointee.count)
    if count > fanout / 4 { return lastIndex(in: node, notAbove: key) }
    return (0..<count).partitioningIndex { node.pointee.keys[$0] > key } - 1
  }
}
