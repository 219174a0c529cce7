/// An address space's mappings, ordered by address, disjoint (Linux's maple tree of `vm_area_struct`).
///
/// Look-ups take no lock and run inside a read-side section. A writer changes the tree in one step: `carve` and
/// `insert` prepare, `publish` makes all of it visible. A replaced mapping is detached before. The writer gives it to
/// `retire` when its entries are gone: until a grace period after that, the mapping keeps its backing's memory for
/// threads that read through such an entry.
final class VMATree: Sendable {
  typealias Mapping = Published<VMA>

  private let tree: COWBTree

  init(queue: DeferredQueue) { tree = COWBTree(queue: queue) }

  deinit {
    // No thread can look a mapping up any more.
    var next = tree.workingCeiling(0)
    while let (key, word) = next {
      Mapping(word: word)?.destroy()
      next = tree.workingCeiling(key + 1)
    }
  }

  /// The number of mappings, changes that are not published yet included.
  var count: Int { tree.count }

  // MARK: Reading, in a section

  /// The mapping that holds `address`. O(log n), no lock, no reference counting.
  func find(_ address: VirtualAddress, _ section: RCU.Section) -> Mapping? {
    guard let (_, word) = tree.floor(address.rawValue, section), let mapping = Mapping(word: word),
      address < mapping.value.range.upperBound
    else { return nil }
    return mapping
  }

  // MARK: Reading, under the mmap lock

  /// The mapping that holds `address`, changes that are not published yet included.
  func find(_ address: VirtualAddress, _ lock: borrowing MmapReader) -> Mapping? {
    first(endingAbove: address, lock).flatMap { $0.value.range.contains(address) ? $0 : nil }
  }

  /// The first mapping that ends above `address`, changes that are not published yet included.
  func first(endingAbove address: VirtualAddress, _ lock: borrowing MmapReader) -> Mapping? {
    if let (_, word) = tree.workingFloor(address.rawValue), let mapping = Mapping(word: word),
      mapping.value.range.upperBound > address
    {
      return mapping
    }
    return tree.workingCeiling(address.rawValue).flatMap { Mapping(word: $0.word) }
  }

  /// The last mapping that begins below `address`, changes that are not published yet included.
  func last(beginningBelow address: VirtualAddress, _ lock: borrowing MmapReader) -> Mapping? {
    guard address.rawValue > 0 else { return nil }
    return tree.workingFloor(address.rawValue - 1).flatMap { Mapping(word: $0.word) }
  }

  /// Calls `body` with every mapping that overlaps `range`, in order.
  @inline(__always)
  func forEach(in range: Range<VirtualAddress>, _ lock: borrowing MmapReader, _ body: (Mapping) -> Void) {
    var position = range.lowerBound
    while position < range.upperBound, let mapping = first(endingAbove: position, lock),
      mapping.value.range.lowerBound < range.upperBound
    {
      position = mapping.value.range.upperBound
      body(mapping)
    }
  }

  // MARK: Changing, under the mmap lock held for writing

  /// Cuts `range` out of every mapping: what lies outside of it on either side stays mapped. Adds the mappings that
  /// were replaced to `old`.
  func carve(_ range: Range<VirtualAddress>, replacing old: inout Replaced, _ writer: borrowing MmapWriter) {
    while let mapping = first(endingAbove: range.lowerBound, writer.reader),
      mapping.value.range.lowerBound < range.upperBound
    {
      let whole = mapping.value.range
      remove(mapping, replacing: &old)
      if whole.lowerBound < range.lowerBound {
        add(
          VMA(
            range: whole.lowerBound..<range.lowerBound, attributes: mapping.value.attributes,
            firstPage: mapping.value.firstPage))
      }
      if range.upperBound < whole.upperBound {
        add(
          VMA(
            range: range.upperBound..<whole.upperBound, attributes: mapping.value.attributes,
            firstPage: mapping.value.backingPage(of: range.upperBound)))
      }
      // What comes next begins above it.
      if range.upperBound <= whole.upperBound { return }
    }
  }

  /// Adds a mapping where there is none. Merges it with neighbours that match and continue it (`vma_merge`).
  func insert(
    _ range: Range<VirtualAddress>, _ attributes: VMA.Attributes, firstPage: Int, replacing old: inout Replaced,
    _ writer: borrowing MmapWriter
  ) {
    var range = range
    var firstPage = firstPage
    let anonymous = attributes.isAnonymous
    if let left = last(beginningBelow: range.lowerBound, writer.reader),
      left.value.range.upperBound == range.lowerBound,
      left.value.attributes.matches(attributes), anonymous || left.value.backingPage(of: range.lowerBound) == firstPage
    {
      range = left.value.range.lowerBound..<range.upperBound
      firstPage = left.value.firstPage
      remove(left, replacing: &old)
    }
    if let right = first(endingAbove: range.upperBound, writer.reader),
      right.value.range.lowerBound == range.upperBound,
      right.value.attributes.matches(attributes),
      anonymous || right.value.firstPage == firstPage + (range.upperBound - range.lowerBound) / Page.size
    {
      range = range.lowerBound..<right.value.range.upperBound
      remove(right, replacing: &old)
    }
    add(VMA(range: range, attributes: attributes, firstPage: firstPage))
  }

  /// Makes the changes visible to look-ups in one step.
  func publish(_ writer: borrowing MmapWriter) { tree.publish() }

  /// Frees replaced mappings a grace period after the teardown. Their entries are gone, or belong to other mappings
  /// now.
  func retire(_ old: borrowing Replaced, _ teardown: inout Teardown) {
    old.forEach { teardown.deferFree($0.retired()) }
  }

  /// The mappings that an edit has replaced. The first four need no memory of their own: most edits replace fewer.
  struct Replaced: ~Copyable {
    private static let near = 4

    private var count = 0
    private var words = InlineArray<4, UInt64>(repeating: 0)
    private var more: [UInt64] = []

    init() {}

    var isEmpty: Bool { count == 0 }

    mutating func append(_ mapping: Mapping) {
      if count < Self.near { words[count] = mapping.word } else { more.append(mapping.word) }
      count += 1
    }

    @inline(__always)
    func forEach(_ body: (Mapping) -> Void) {
      for index in 0..<count {
        if let mapping = Mapping(word: index < Self.near ? words[index] : more[index - Self.near]) { body(mapping) }
      }
    }
  }

  private func add(_ vma: consuming VMA) {
    let start = vma.range.lowerBound.rawValue
    tree.insert(start, Published(vma).word)
  }

  private func remove(_ mapping: Mapping, replacing old: inout Replaced) {
    // ORDERING [lock-then-validate]: detached before the operation looks at any entry.
    mapping.value.setState(.detached)
    tree.remove(mapping.value.range.lowerBound.rawValue)
    old.append(mapping)
  }
}
