import Synchronization

/// Leaves, which edits change in place while readers are in them.
///
///     writer: publish                              reader: look
///                                                  a. version, with acquire: even, or no result
///     1. version <- odd
///     2. fence (release)
///     3. words and keys that differ                b. keys, and the word of the one it is for
///                                                  c. fence (acquire)
///     4. version <- even (release)                 d. version again: the same, or no result
///
/// ORDERING [leaf-edit]: let b read what a step 3 has stored. Then the fences make d see the odd number of its step 1,
/// or a later one. If a reads the number of a step 4, it is release and acquire: b sees all that came before. So b is
/// what the leaf held at one moment. The writer never waits between 1 and 4, so a section may wait for it, as for an
/// entry.
///
/// ORDERING [leaf-edit]: a word is stored with release and before its key. A word that leaves the leaf is overwritten
/// before it is deferred. So a section that begins after its grace period does not load it.
extension COWBTree {
  /// The entry with the largest key that is not above `key`, in a leaf that no writer was changing. O(log n).
  @inline(never)
  func floor(_ key: UInt64, _ section: RCU.Section) -> Entry? {
    var turns = 0
    while let leaf = leaf(for: key) {
      let (entry, isWhole) = Self.look(in: leaf, notAbove: key)
      if isWhole { return entry }
      BusyWait.turn(&turns)
    }
    return nil
  }

  /// The entry with the largest key that is not above `key`, and whether the leaf held it at one moment. If not, key
  /// and word may not belong together.
  @inline(__always)
  static func look(in leaf: Node, notAbove key: UInt64) -> (entry: Entry?, isWhole: Bool) {
    let version = version(of: leaf)
    // ORDERING [leaf-edit].
    let before = version.pointee.load(ordering: .acquiring)
    let index = lastIndex(in: leaf, notAbove: min(key, noKey - 1))
    let place = max(index, 0)
    let found = Self.key(place, of: leaf).pointee.load(ordering: .relaxed)
    let word = Self.word(place, of: leaf).pointee.load(ordering: .acquiring)
    atomicMemoryFence(ordering: .acquiring)
    let isWhole = before & 1 == 0 && version.pointee.load(ordering: .relaxed) == before
    return (index < 0 ? nil : (found, word), isWhole)
  }

  // MARK: The writer

  /// Whether the edit in progress may change `leaf` by a draft: it has changed no other node.
  @inline(__always)
  func mayDraft(_ leaf: Node) -> Bool { !isCopying && (target == nil || target == leaf) }

  /// The draft of `leaf`.
  @inline(__always)
  func draft(of leaf: Node) -> Node {
    if let draft { return draft }
    let copy = newNode()
    copy.initialize(to: leaf.pointee)
    copy.pointee.edit = edit
    copy.pointee.version = 0
    target = leaf
    draft = copy
    return copy
  }

  /// Stores what the draft has into the leaf, and frees the draft.
  func publishDraft(_ draft: Node, of leaf: Node) {
    let version = Self.version(of: leaf)
    let before = version.pointee.load(ordering: .relaxed)
    // ORDERING [leaf-edit].
    version.pointee.store(before + 1, ordering: .relaxed)
    atomicMemoryFence(ordering: .releasing)
    for index in 0..<Int(max(leaf.pointee.count, draft.pointee.count)) {
      let (key, word) = (draft.pointee.keys[index], draft.pointee.slots[index])
      if leaf.pointee.slots[index] != word { Self.word(index, of: leaf).pointee.store(word, ordering: .releasing) }
      YieldPoint.leafBetweenWordAndKey.reach()
      if leaf.pointee.keys[index] != key { Self.key(index, of: leaf).pointee.store(key, ordering: .relaxed) }
    }
    leaf.pointee.count = draft.pointee.count
    version.pointee.store(before + 2, ordering: .releasing)
    queue.freeTreeNode(draft)
  }

  // MARK: Words that readers and the writer share

  typealias Word = UnsafeMutablePointer<Atomic<UInt64>>

  @inline(__always)
  private static func shared(_ node: Node, _ offset: Int) -> Word {
    (UnsafeMutableRawPointer(node) + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  private static func key(_ index: Int, of leaf: Node) -> Word { shared(leaf, 8 * index) }
  static func word(_ index: Int, of leaf: Node) -> Word { shared(leaf, 8 * (fanout + index)) }
  private static func version(of leaf: Node) -> Word { shared(leaf, 8 * 2 * fanout) }
}
