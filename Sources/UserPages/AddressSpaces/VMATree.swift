import Synchronization

/// An address space's mappings, ordered by address, disjoint (Linux's maple tree of `vm_area_struct`).
///
/// Look-ups take no lock and run inside a read-side section. They read the leaf, which says of a mapping all that most
/// of them ask (`Entry`). They read mappings only if that is not enough. A writer changes the mappings in one step:
/// `carve` and `insert` prepare, `publish` makes all of it visible. A replaced mapping is detached before. The writer
/// gives it to `retire` when its entries are gone. Until a grace period after that, the mapping keeps its backing's
/// memory for threads that read through such an entry.
///
/// Narrow mappings (`Stripe`) are in the tree of their stripe's slot, which the holder of the stripe's lock edits. Wide
/// ones are in one further tree, which only the holder of the whole edits, and which the holder of a stripe may read.
///
/// A tree's publication is one step for a look-up. An edit that moves addresses between the trees is two, and a look-up
/// between them would find neither mapping. `publications` is odd meanwhile:
///
///     the holder of the whole                      a look-up
///                                                  a. reads `publications`
///     1. `publications` becomes odd                b. looks into the stripe's tree, then into that of the wide
///     2. publishes the trees                       c. a mapping is found: it was there at some moment
///     3. `publications` becomes even               d. none is found: believed if `publications` is even, as in a
///
/// ORDERING [wide-step]: roots, and versions of leaves, are stored with release and loaded with acquire. A look-up that
/// has read a new one sees in d that `publications` is odd, or larger. One that has read an even number in a, stored
/// with release, sees what was published before it. The loads of b acquire, so d stays behind them. The holder of the
/// whole never waits between 1 and 3, so a section may wait for it, as for an entry.
final class VMATree: Sendable {
  typealias Mapping = Published<VMA>

  let wide: COWBTree
  /// A tree for each slot of stripes. Set by the first writer that adds a narrow mapping.
  let narrow: SetOnceArray<COWBTree>
  let publications = Atomic<UInt64>(0)
  let queue: DeferredQueue

  init(queue: DeferredQueue) {
    self.queue = queue
    wide = COWBTree(queue: queue)
    narrow = SetOnceArray(count: Stripe.slots)
  }

  deinit {
    // No thread can look a mapping up any more.
    Self.destroyMappings(of: wide)
    narrow.forEach(Self.destroyMappings)
    narrow.release()
  }

  private static func destroyMappings(of tree: COWBTree) {
    var next = tree.workingCeiling(0)
    while let (key, word) = next {
      Entry((key, word)).mapping.destroy()
      next = tree.workingCeiling(key + 1)
    }
  }

  /// The number of mappings, changes that are not published yet included. Exact while no other thread changes any.
  var count: Int {
    var count = wide.count
    narrow.forEach { count += $0.count }
    return count
  }

  // MARK: Reading, in a section

  /// The mapping that holds `address`. O(log n), no lock, no reference counting.
  @inline(__always)
  func find(_ address: VirtualAddress, _ section: RCU.Section) -> Mapping? { entry(at: address, section)?.mapping }

  /// The entry of the mapping that holds `address`. Does not read the mapping, unless that is large or a writer changes
  /// the leaf.
  @inline(__always)
  func entry(at address: VirtualAddress, _ section: RCU.Section) -> Entry? {
    var turns = 0
    while true {
      // ORDERING [wide-step].
      let before = publications.load(ordering: .acquiring)
      if let tree = narrow[Stripe.slot(of: address)],
        let entry = tree.with({ Self.entry(at: address, in: $0, section) })
      {
        return entry
      }
      YieldPoint.lookUpBetweenTrees.reach()
      if let entry = Self.entry(at: address, in: wide, section) { return entry }
      if before & 1 == 0, publications.load(ordering: .relaxed) == before { return nil }
      PTEPointer.wait(&turns)
    }
  }

  @inline(__always)
  private static func entry(at address: VirtualAddress, in tree: COWBTree, _ section: RCU.Section) -> Entry? {
    // An edit that takes several mappings out of a leaf detaches them before. So one that holds the address and is not
    // detached is as good as one from a leaf that no writer changes.
    func currentKey(_ word: UInt64) -> UInt64? {
      guard let mapping = Entry.mapping(of: word), mapping.value.range.contains(address), !mapping.value.isDetached
      else { return nil }
      return mapping.value.range.lowerBound.rawValue
    }
    let found = tree.find(address.rawValue, section, currentKey: currentKey).map(Entry.init)
    return found.flatMap { address < $0.end ? $0 : nil }
  }

  // MARK: Reading, under the mmap lock

  // These functions look only at what the lock is held for. Under a stripe's lock they find its narrow mappings and all
  // wide ones, with changes that are not published yet.

  /// The mapping that holds `address`.
  func find(_ address: VirtualAddress, _ lock: borrowing MmapReader) -> Mapping? {
    firstEntry(endingAbove: address, lock).flatMap { $0.start <= address ? $0.mapping : nil }
  }

  /// The first mapping that ends above `address`.
  @inline(__always)
  func first(endingAbove address: VirtualAddress, _ lock: borrowing MmapReader) -> Mapping? {
    firstEntry(endingAbove: address, lock)?.mapping
  }

  /// The entry of the first mapping that ends above `address`.
  @inline(__always)
  func firstEntry(endingAbove address: VirtualAddress, _ lock: borrowing MmapReader) -> Entry? {
    let wide = Self.first(endingAbove: address, in: self.wide)
    let stripe = Stripe.range(of: address)
    if lock.extent.contains(address), let tree = narrow[Stripe.slot(of: address)],
      let own = tree.with({ Self.first(endingAbove: address, in: $0) }), stripe.contains(own.start)
    {
      return Self.lower(own, wide)
    }
    return lock.extent.upperBound <= stripe.upperBound ? wide : first(behind: stripe, orWide: wide, lock)
  }

  /// The first of `wide` and the narrow mappings that begin behind `stripe`.
  @inline(never)
  private func first(
    behind stripe: Range<VirtualAddress>, orWide wide: Entry?, _ lock: borrowing MmapReader
  ) -> Entry? {
    precondition(lock.extent == .everything, "a look at stripes for which the lock is not held")
    return (0..<Stripe.slots).reduce(wide) { best, slot in
      guard let tree = narrow[slot] else { return best }
      return Self.lower(tree.with { Self.first(endingAbove: stripe.upperBound, in: $0) }, best)
    }
  }

  /// The last mapping that begins below `address`.
  @inline(__always)
  func last(beginningBelow address: VirtualAddress, _ lock: borrowing MmapReader) -> Mapping? {
    lastEntry(beginningBelow: address, lock)?.mapping
  }

  /// The entry of the last mapping that begins below `address`.
  @inline(__always)
  func lastEntry(beginningBelow address: VirtualAddress, _ lock: borrowing MmapReader) -> Entry? {
    guard address.rawValue > 0 else { return nil }
    let before = VirtualAddress(address.rawValue - 1)
    let wide = Self.last(beginningAtOrBelow: before, in: self.wide)
    guard lock.extent.contains(before) else { return wide }
    let stripe = Stripe.range(of: before)
    if let tree = narrow[Stripe.slot(of: before)],
      let own = tree.with({ Self.last(beginningAtOrBelow: before, in: $0) }), stripe.contains(own.start)
    {
      return Self.higher(own, wide)
    }
    return stripe.lowerBound <= lock.extent.lowerBound ? wide : last(before: stripe, orWide: wide, lock)
  }

  /// The last of `wide` and the narrow mappings that lie before `stripe`.
  @inline(never)
  private func last(before stripe: Range<VirtualAddress>, orWide wide: Entry?, _ lock: borrowing MmapReader) -> Entry? {
    precondition(lock.extent == .everything, "a look at stripes for which the lock is not held")
    let below = VirtualAddress(stripe.lowerBound.rawValue - 1)
    return (0..<Stripe.slots).reduce(wide) { best, slot in
      guard let tree = narrow[slot] else { return best }
      return Self.higher(tree.with { Self.last(beginningAtOrBelow: below, in: $0) }, best)
    }
  }

  /// The entries of the last mapping below `range`, in which no mapping is, and of the first one above it.
  @inline(__always)
  func neighbours(
    of range: Range<VirtualAddress>, _ lock: borrowing MmapReader
  ) -> (left: Entry?, right: Entry?) {
    let stripe = Stripe.range(of: range.lowerBound)
    guard lock.extent == stripe, let tree = narrow[Stripe.slot(of: range.lowerBound)] else {
      return (lastEntry(beginningBelow: range.lowerBound, lock), firstEntry(endingAbove: range.upperBound, lock))
    }
    let own = tree.with { Self.neighbours(of: range.lowerBound, in: $0) }
    let wide = Self.neighbours(of: range.lowerBound, in: self.wide)
    return (
      Self.higher(own.left.flatMap { stripe.contains($0.start) ? $0 : nil }, wide.left),
      Self.lower(own.right.flatMap { stripe.contains($0.start) ? $0 : nil }, wide.right)
    )
  }

  @inline(__always)
  private static func neighbours(
    of address: VirtualAddress, in tree: COWBTree
  ) -> (left: Entry?, right: Entry?) {
    if tree.count == 0 { return (nil, nil) }
    let (floor, above) = tree.workingNeighbours(of: address.rawValue)
    return (floor.map(Entry.init), above.map(Entry.init))
  }

  /// Whether a wide mapping overlaps `range` or touches it, so that a change of `range` might change that mapping.
  @inline(__always)
  func isWide(at range: Range<VirtualAddress>, _ lock: borrowing MmapReader) -> Bool {
    guard let last = Self.last(beginningAtOrBelow: range.upperBound, in: wide) else { return false }
    return last.end >= range.lowerBound
  }

  @inline(__always)
  private static func first(endingAbove address: VirtualAddress, in tree: COWBTree) -> Entry? {
    if tree.count == 0 { return nil }
    return firstOfSome(endingAbove: address, in: tree)
  }

  private static func firstOfSome(endingAbove address: VirtualAddress, in tree: COWBTree) -> Entry? {
    let (floor, above) = tree.workingNeighbours(of: address.rawValue)
    if let last = floor.map(Entry.init), last.end > address { return last }
    return above.map(Entry.init)
  }

  @inline(__always)
  private static func last(beginningAtOrBelow address: VirtualAddress, in tree: COWBTree) -> Entry? {
    tree.count == 0 ? nil : tree.workingFloor(address.rawValue).map(Entry.init)
  }

  @inline(__always)
  private static func lower(_ one: Entry?, _ other: Entry?) -> Entry? {
    guard let one, let other else { return one ?? other }
    return one.start < other.start ? one : other
  }

  @inline(__always)
  private static func higher(_ one: Entry?, _ other: Entry?) -> Entry? {
    guard let one, let other else { return one ?? other }
    return one.start > other.start ? one : other
  }

  /// Whether a mapping overlaps `range`.
  func isAny(in range: Range<VirtualAddress>, _ lock: borrowing MmapReader) -> Bool {
    firstEntry(endingAbove: range.lowerBound, lock).map { $0.start < range.upperBound } ?? false
  }

  /// Calls `body` with every mapping that overlaps `range`, in order.
  @inline(__always)
  func forEach(in range: Range<VirtualAddress>, _ lock: borrowing MmapReader, _ body: (Mapping) -> Void) {
    var position = range.lowerBound
    while position < range.upperBound, let entry = firstEntry(endingAbove: position, lock),
      entry.start < range.upperBound
    {
      position = entry.end
      body(entry.mapping)
    }
  }
}
