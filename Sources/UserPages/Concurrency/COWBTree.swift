import Synchronization

/// An ordered map from 64-bit keys to words that is read without a lock and edited by one writer at a time.
///
/// A B+ tree whose published nodes never change. An edit copies the nodes on its path, once each, works on the copies, and
/// publishes them together by storing one root word: a reader sees the tree before the edit or after it, never between.
///
/// ORDERING [tree-root]: `publish` stores the root with release after the new nodes are complete; `root` is loaded
/// with acquire, so a reader that sees a root sees whole nodes. Replaced nodes are given to the queue of deferred frees
/// after the store, so a reader inside a section never walks freed memory.
///
/// The keys of an inner node are exactly the smallest keys of its children; that makes a floor search one descent. A level of it
/// counts the keys that are above, all 32 of them: a few vector instructions and no branch to mispredict, and the node's cache lines
/// are fetched side by side. A search by halves would wait for one line after the other.
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

  private let published = Atomic<UInt>(0)
  private let queue: DeferredQueue.Handle
  // Keeps the queue alive for the nodes that are left at the end.
  private let queueOwner: DeferredQueue
  // Guarded by the lock that makes a thread the only writer. Each access is one load or store, so Swift's checks for overlapping
  // accesses could find nothing. They cost a fifth of a small edit.
  @exclusivity(unchecked) private var working: Node?
  @exclusivity(unchecked) private var edit: UInt64 = 1
  @exclusivity(unchecked) private var replaced: Node?
  @exclusivity(unchecked) private(set) var count = 0

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
  private struct Root {
    let word: UInt

    init(word: UInt) { self.word = word }
    init(_ node: Node?) { word = node.map { UInt(bitPattern: $0) | UInt($0.pointee.height) } ?? 0 }

    var node: Node? { Node(bitPattern: word & ~UInt(COWBTree.nodeAlignment - 1)) }
    var height: UInt { word & UInt(COWBTree.nodeAlignment - 1) }
  }

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
  private static func child(_ node: Node, _ index: Int) -> Node { Node(bitPattern: UInt(node.pointee.slots[index]))! }

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

  /// The same for the writer, which has the count at hand. Most edits are of trees of few entries, and search them six times.
  private static func lastCounted(in node: Node, notAbove key: UInt64) -> Int {
    let count = Int(node.pointee.count)
    if count > fanout / 4 { return lastIndex(in: node, notAbove: key) }
    return (0..<count).partitioningIndex { node.pointee.keys[$0] > key } - 1
  }

  // MARK: Editing, by one writer

  /// Sets the word of `key` in the edit in progress.
  ///
  /// - Precondition: `key` is below `noKey`.
  func insert(_ key: UInt64, _ word: UInt64) {
    guard let old = working else {
      let leaf = makeNode(height: 0)
      Self.place(key, word, at: 0, in: leaf)
      working = leaf
      count = 1
      return
    }
    let root = own(old)
    working = root
    guard let right = insert(key, word, into: root, isRightmost: true) else { return }
    let top = makeNode(height: root.pointee.height + 1)
    Self.place(root.pointee.keys[0], UInt64(UInt(bitPattern: root)), at: 0, in: top)
    Self.place(right.pointee.keys[0], UInt64(UInt(bitPattern: right)), at: 1, in: top)
    working = top
  }

  /// Inserts below a node that this edit owns. Returns the new right half if the node had to be split.
  private func insert(_ key: UInt64, _ word: UInt64, into node: Node, isRightmost: Bool) -> Node? {
    let index = Self.lastCounted(in: node, notAbove: key)
    if node.pointee.height == 0 {
      if index >= 0, node.pointee.keys[index] == key {
        node.pointee.slots[index] = word
        return nil
      }
      count += 1
      return place(key, word, after: index, in: node, isRightmost: isRightmost)
    }
    let at = max(index, 0)
    let below = own(Self.child(node, at))
    node.pointee.slots[at] = UInt64(UInt(bitPattern: below))
    let isLast = isRightmost && at == Int(node.pointee.count) - 1
    let right = insert(key, word, into: below, isRightmost: isLast)
    node.pointee.keys[at] = below.pointee.keys[0]
    guard let right else { return nil }
    return place(
      right.pointee.keys[0], UInt64(UInt(bitPattern: right)), after: at, in: node, isRightmost: isRightmost)
  }

  /// Places an entry. A full node gives its right half to a new one, which it returns. But where keys come in ascending order, at the
  /// tree's right edge, nothing moves and nodes stay full.
  private func place(_ key: UInt64, _ word: UInt64, after index: Int, in node: Node, isRightmost: Bool) -> Node? {
    if Int(node.pointee.count) < Self.fanout {
      Self.place(key, word, at: index + 1, in: node)
      return nil
    }
    let right = makeNode(height: node.pointee.height)
    let half = isRightmost && index + 1 == Self.fanout ? Self.fanout : Self.fanout / 2
    for i in half..<Self.fanout {
      Self.place(node.pointee.keys[i], node.pointee.slots[i], at: i - half, in: right)
      node.pointee.keys[i] = Self.noKey
    }
    node.pointee.count = Int32(half)
    if index + 1 > half || half == Self.fanout {
      Self.place(key, word, at: index + 1 - half, in: right)
    } else {
      Self.place(key, word, at: index + 1, in: node)
    }
    return right
  }

  private static func place(_ key: UInt64, _ word: UInt64, at index: Int, in node: Node) {
    var i = Int(node.pointee.count)
    while i > index {
      node.pointee.keys[i] = node.pointee.keys[i - 1]
      node.pointee.slots[i] = node.pointee.slots[i - 1]
      i -= 1
    }
    node.pointee.keys[index] = key
    node.pointee.slots[index] = word
    node.pointee.count += 1
  }

  /// Removes `key` from the edit in progress.
  ///
  /// - Precondition: the key is there.
  func remove(_ key: UInt64) {
    guard let old = working else { preconditionFailure("removing from an empty tree") }
    let root = own(old)
    remove(key, from: root)
    count -= 1
    if root.pointee.count == 0 {
      discard(root)
      working = nil
    } else if root.pointee.height > 0, root.pointee.count == 1 {
      working = Self.child(root, 0)
      discard(root)
    } else {
      working = root
    }
  }

  private func remove(_ key: UInt64, from node: Node) {
    let index = Self.lastCounted(in: node, notAbove: key)
    precondition(index >= 0, "removing a key that is not in the tree")
    if node.pointee.height == 0 {
      precondition(node.pointee.keys[index] == key, "removing a key that is not in the tree")
      Self.close(index, in: node)
      return
    }
    let below = own(Self.child(node, index))
    node.pointee.slots[index] = UInt64(UInt(bitPattern: below))
    remove(key, from: below)
    if below.pointee.count == 0 {
      discard(below)
      Self.close(index, in: node)
      return
    }
    node.pointee.keys[index] = below.pointee.keys[0]
    if Int(below.pointee.count) < Self.fanout / 4 { mergeChildren(around: index, of: node) }
  }

  /// Joins a thin child with a neighbour if both fit in three quarters of a node, so that the tree stays shallow.
  private func mergeChildren(around index: Int, of node: Node) {
    let left = index > 0 ? index - 1 : index
    guard left + 1 < Int(node.pointee.count) else { return }
    let a = Self.child(node, left)
    let b = Self.child(node, left + 1)
    guard Int(a.pointee.count + b.pointee.count) <= Self.fanout * 3 / 4 else { return }
    let merged = own(a)
    for i in 0..<Int(b.pointee.count) {
      Self.place(b.pointee.keys[i], b.pointee.slots[i], at: Int(merged.pointee.count), in: merged)
    }
    node.pointee.slots[left] = UInt64(UInt(bitPattern: merged))
    discard(b)
    Self.close(left + 1, in: node)
  }

  private static func close(_ index: Int, in node: Node) {
    for i in index..<Int(node.pointee.count) - 1 {
      node.pointee.keys[i] = node.pointee.keys[i + 1]
      node.pointee.slots[i] = node.pointee.slots[i + 1]
    }
    node.pointee.count -= 1
    node.pointee.keys[Int(node.pointee.count)] = noKey
  }

  /// Makes the edit visible to readers, as one step, and begins the next.
  func publish() {
    // ORDERING [tree-root]: release, pairs with the acquire in `root`.
    published.store(Root(working).word, ordering: .releasing)
    edit += 1
    while let node = replaced {
      replaced = node.pointee.nextReplaced
      queue.enqueue(.treeNode(node))
    }
  }

  /// A version of `node` that the edit in progress may change.
  private func own(_ node: Node) -> Node {
    if node.pointee.edit == edit { return node }
    let copy = newNode()
    copy.initialize(to: node.pointee)
    copy.pointee.edit = edit
    replace(node)
    return copy
  }

  private func makeNode(height: Int32) -> Node {
    let node = newNode()
    node.initialize(to: NodeBody(height: height, edit: edit))
    return node
  }

  private func newNode() -> Node {
    queue.takeTreeNode().bindMemory(to: NodeBody.self, capacity: 1)
  }

  private func replace(_ node: Node) {
    // Readers may be in the node. They do not read this field.
    node.pointee.nextReplaced = replaced
    replaced = node
  }

  /// Frees a node that left the tree: at once if no reader ever saw it, otherwise by way of the queue.
  private func discard(_ node: Node) {
    if node.pointee.edit == edit { queue.freeTreeNode(node) } else { replace(node) }
  }

  private func freeAll(_ node: Node) {
    if node.pointee.height > 0 {
      for index in 0..<Int(node.pointee.count) { freeAll(Self.child(node, index)) }
    }
    queue.freeTreeNode(node)
  }
}
