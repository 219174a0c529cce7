/// An address space's mappings, ordered by address, disjoint.
///
/// Looked up without a lock inside a read-side section; changed under the mmap lock, held for writing, as one step:
/// `carve` and `insert` prepare, `publish` makes all of it visible. What was replaced is detached before that and given to
/// the deferred frees by `retire`, which the caller calls when the entries of the old mappings are gone: a mapping keeps
/// its backing's memory alive for those who still read through such an entry.
final class VMATree: Sendable {
  typealias Mapping = Published<VMA>

  private let tree: COWBTree

  init(queue: DeferredQueue) { tree = COWBTree(queue: queue) }

  deinit {
    // Nobody is left to look anything up.
    var next = tree.workingCeiling(0)
    while let (key, word) = next {
      Mapping(word: word)?.destroy()
      next = tree.workingCeiling(key + 1)
    }
  }

  /// Mappings, counted by the writer.
  var count: Int { tree.count }

  // MARK: Reading, inside a read-side section

  /// The mapping that holds `address`. O(log n), no lock, no reference counting.
  func find(_ address: VirtualAddress) -> Mapping? {
    guard let (_, word) = tree.floor(address.rawValue), let mapping = Mapping(word: word),
      address < mapping.value.range.upperBound
    else { return nil }
    return mapping
  }

  // MARK: Changing, under the mmap lock

  /// The first mapping that ends above `address`, as the writer sees it.
  func first(endingAbove address: VirtualAddress) -> Mapping? {
    if let (_, word) = tree.workingFloor(address.rawValue), let mapping = Mapping(word: word),
      mapping.value.range.upperBound > address
    {
      return mapping
    }
    return tree.workingCeiling(address.rawValue).flatMap { Mapping(word: $0.word) }
  }

  /// The last mapping that begins below `address`, as the writer sees it.
  func last(beginningBelow address: VirtualAddress) -> Mapping? {
    guard address.rawValue > 0 else { return nil }
    return tree.workingFloor(address.rawValue - 1).flatMap { Mapping(word: $0.word) }
  }

  /// Calls `body` with every mapping that overlaps `range`, in order.
  func forEach(in range: Range<VirtualAddress>, _ body: (Mapping) -> Void) {
    var position = range.lowerBound
    while position < range.upperBound, let mapping = first(endingAbove: position),
      mapping.value.range.lowerBound < range.upperBound
    {
      position = mapping.value.range.upperBound
      body(mapping)
    }
  }

  /// Takes every mapping out of `range`, leaving what stands out on both sides; adds what was replaced to `old`.
  func carve(_ range: Range<VirtualAddress>, replacing old: inout Replaced) {
    while let mapping = first(endingAbove: range.lowerBound), mapping.value.range.lowerBound < range.upperBound {
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
    }
  }

  /// Adds a mapping where there is none, as one with its neighbours where they match.
  func insert(
    _ range: Range<VirtualAddress>, _ attributes: VMA.Attributes, firstPage: Int, replacing old: inout Replaced
  ) {
    var range = range
    var firstPage = firstPage
    let anonymous = attributes.isAnonymous
    if let left = last(beginningBelow: range.lowerBound), left.value.range.upperBound == range.lowerBound,
      left.value.attributes.matches(attributes), anonymous || left.value.backingPage(of: range.lowerBound) == firstPage
    {
      range = left.value.range.lowerBound..<range.upperBound
      firstPage = left.value.firstPage
      remove(left, replacing: &old)
    }
    if let right = first(endingAbove: range.upperBound), right.value.range.lowerBound == range.upperBound,
      right.value.attributes.matches(attributes),
      anonymous || right.value.firstPage == firstPage + (range.upperBound - range.lowerBound) / Page.size
    {
      range = range.lowerBound..<right.value.range.upperBound
      remove(right, replacing: &old)
    }
    add(VMA(range: range, attributes: attributes, firstPage: firstPage))
  }

  /// Makes the changes visible to faults as one step.
  func publish() { tree.publish() }

  /// Leaves replaced mappings for a grace period. Their entries are gone, or belong to other mappings now.
  func retire(_ old: borrowing Replaced, _ teardown: inout Teardown) {
    old.forEach { teardown.deferFree($0.retired()) }
  }

  /// Mappings that an edit replaced. Few, usually, so the first ones need no memory of their own.
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
    // ORDERING [lock-then-validate]: detached before any entry is looked at by whoever replaces the mapping.
    mapping.value.setState(.detached)
    tree.remove(mapping.value.range.lowerBound.rawValue)
    old.append(mapping)
  }
}
