/// Edits, by one writer at a time.
///
/// An edit begins with the draft of a leaf, if one leaf is all that it changes. It goes on by copying nodes if it
/// splits or joins one, or comes to a second leaf. It also copies if it changes a leaf's smallest key below an inner
/// node.
extension COWBTree {
  /// Sets the word of `key` in the edit in progress.
  ///
  /// - Precondition: `key` is below `noKey`.
  func insert(_ key: UInt64, _ word: UInt64) {
    if insertInDraft(key, word, of: workingLeaf(for: key)) { return }
    guard let root = workByCopies() else {
      let leaf = makeNode(height: 0)
      Self.place(key, word, at: 0, in: leaf)
      working = leaf
      count = 1
      return
    }
    guard let right = insert(key, word, into: root, isRightmost: true) else { return }
    let top = makeNode(height: root.pointee.height + 1)
    Self.place(root.pointee.keys[0], UInt64(UInt(bitPattern: root)), at: 0, in: top)
    Self.place(right.pointee.keys[0], UInt64(UInt(bitPattern: right)), at: 1, in: top)
    working = top
  }

  /// The published leaf that `key` is in, or belongs in, and whether it is the root.
  private func workingLeaf(for key: UInt64) -> (leaf: Node, isRoot: Bool)? {
    guard !isCopying, var node = working else { return nil }
    let isRoot = node.pointee.height == 0
    while node.pointee.height > 0 { node = Self.child(node, max(Self.lastCounted(in: node, notAbove: key), 0)) }
    return mayDraft(node) ? (node, isRoot) : nil
  }

  /// Inserts in the draft of a leaf, if that keeps the leaf's place. Returns whether it has.
  private func insertInDraft(_ key: UInt64, _ word: UInt64, of place: (leaf: Node, isRoot: Bool)?) -> Bool {
    guard let (leaf, isRoot) = place else { return false }
    let now = edited(leaf)
    let index = Self.lastCounted(in: now, notAbove: key)
    if index >= 0, now.pointee.keys[index] == key {
      draft(of: leaf).pointee.slots[index] = word
      return true
    }
    guard index >= 0 || isRoot, Int(now.pointee.count) < Self.fanout else { return false }
    Self.place(key, word, at: index + 1, in: draft(of: leaf))
    count += 1
    return true
  }

  /// Removes in the draft of a leaf, if that keeps the leaf's place. Returns whether it has.
  private func removeInDraft(_ key: UInt64, of place: (leaf: Node, isRoot: Bool)?) -> Bool {
    guard let (leaf, isRoot) = place else { return false }
    let now = edited(leaf)
    let index = Self.lastCounted(in: now, notAbove: key)
    precondition(index >= 0 && now.pointee.keys[index] == key, "removing a key that is not in the tree")
    guard isRoot || (index > 0 && Int(now.pointee.count) > Self.fanout / 4) else { return false }
    Self.close(index, in: draft(of: leaf))
    count -= 1
    return true
  }

  /// Goes on by copies: the draft takes its leaf's place below copies of the nodes above. Returns the root, which this
  /// edit owns, or nil if there is none.
  private func workByCopies() -> Node? {
    isCopying = true
    guard let root = working.map(own) else { return nil }
    working = root
    guard let target else { return root }
    // It is in the leaf: smallest keys below an inner node change by copies alone.
    let key = target.pointee.keys[0]
    var node = root
    while node.pointee.height > 0 {
      let index = max(Self.lastCounted(in: node, notAbove: key), 0)
      let below = own(Self.child(node, index))
      node.pointee.slots[index] = UInt64(UInt(bitPattern: below))
      node = below
    }
    precondition(draft == nil, "the draft's leaf is not where its keys are")
    return root
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

  /// Places an entry. A full node gives its right half to a new one, which it returns. But where keys come in ascending
  /// order, at the tree's right edge, nothing moves and nodes stay full.
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
      node.pointee.slots[i] = 0
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
    if removeInDraft(key, of: workingLeaf(for: key)) { return }
    guard let root = workByCopies() else { preconditionFailure("removing from an empty tree") }
    remove(key, from: root)
    count -= 1
    if root.pointee.height > 0, root.pointee.count == 1 {
      working = Self.child(root, 0)
      discard(root)
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
    node.pointee.slots[Int(node.pointee.count)] = 0
  }

  /// Makes the edit visible to readers, as one step, and begins the next.
  func publish() {
    edit += 1
    if let target, let draft {
      self.target = nil
      self.draft = nil
      return publishDraft(draft, of: target)
    }
    guard isCopying else { return }
    isCopying = false
    // ORDERING [tree-root]: release, pairs with the acquire in `root`.
    published.store(Root(working).word, ordering: .releasing)
    while let node = replaced {
      replaced = node.pointee.nextReplaced
      queue.enqueue(.treeNode(node))
    }
  }

  /// A version of `node` that the edit in progress may change.
  private func own(_ node: Node) -> Node {
    if node.pointee.edit == edit { return node }
    replace(node)
    if let draft, node == target {
      self.draft = nil
      target = nil
      return draft
    }
    let copy = newNode()
    copy.initialize(to: node.pointee)
    copy.pointee.edit = edit
    copy.pointee.version = 0
    return copy
  }

  private func makeNode(height: Int32) -> Node {
    let node = newNode()
    node.initialize(to: NodeBody(height: height, edit: edit))
    return node
  }

  func newNode() -> Node {
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

  func freeAll(_ node: Node) {
    if node.pointee.height > 0 {
      for index in 0..<Int(node.pointee.count) { freeAll(Self.child(node, index)) }
    }
    queue.freeTreeNode(node)
  }
}
