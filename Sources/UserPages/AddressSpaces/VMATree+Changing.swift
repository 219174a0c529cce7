import Synchronization

/// Changes of mappings, under the mmap lock held for writing where they are.
extension VMATree {
  /// Cuts `range` out of every mapping: what lies outside of it on either side stays mapped. Adds the mappings that
  /// were replaced to `old`.
  func carve(_ range: Range<VirtualAddress>, replacing old: inout Replaced, _ writer: borrowing MmapWriter) {
    while let mapping = first(endingAbove: range.lowerBound, writer.reader),
      mapping.value.range.lowerBound < range.upperBound
    {
      let whole = mapping.value.range
      remove(mapping, replacing: &old, writer)
      if whole.lowerBound < range.lowerBound {
        add(
          VMA(
            range: whole.lowerBound..<range.lowerBound, attributes: mapping.value.attributes,
            firstPage: mapping.value.firstPage), writer)
      }
      if range.upperBound < whole.upperBound {
        add(
          VMA(
            range: range.upperBound..<whole.upperBound, attributes: mapping.value.attributes,
            firstPage: mapping.value.backingPage(of: range.upperBound)), writer)
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
      remove(left, replacing: &old, writer)
    }
    if let right = first(endingAbove: range.upperBound, writer.reader),
      right.value.range.lowerBound == range.upperBound,
      right.value.attributes.matches(attributes),
      anonymous || right.value.firstPage == firstPage + (range.upperBound - range.lowerBound) / Page.size
    {
      range = range.lowerBound..<right.value.range.upperBound
      remove(right, replacing: &old, writer)
    }
    add(VMA(range: range, attributes: attributes, firstPage: firstPage), writer)
  }

  /// Makes the changes visible to look-ups in one step.
  func publish(_ writer: borrowing MmapWriter) {
    guard writer.extent == .everything else {
      narrow[Stripe.slot(of: writer.extent.lowerBound)]?.with { $0.publish() }
      return
    }
    let isStep = wide.isEdited
    // ORDERING [wide-step]: the number first and last.
    if isStep { publications.wrappingAdd(1, ordering: .relaxed) }
    narrow.forEach { if $0.isEdited { $0.publish() } }
    YieldPoint.publicationBetweenTrees.reach()
    if isStep {
      wide.publish()
      publications.wrappingAdd(1, ordering: .releasing)
    }
  }

  /// Frees replaced mappings a grace period after the teardown. Their entries are gone, or belong to other mappings
  /// now.
  func retire(_ old: borrowing Replaced, _ teardown: inout Teardown) {
    // No user's code runs at the end of a mapping without a backing.
    old.forEach { teardown.deferFree($0.retired(holdsObject: !$0.value.attributes.isAnonymous)) }
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

  private func add(_ vma: consuming VMA, _ writer: borrowing MmapWriter) {
    let range = vma.range
    let mapping = Mapping(vma)
    edit(treeOf: range, writer) { $0.insert(range.lowerBound.rawValue, mapping.word) }
  }

  private func remove(_ mapping: Mapping, replacing old: inout Replaced, _ writer: borrowing MmapWriter) {
    // ORDERING [lock-then-validate]: detached before the operation looks at any entry.
    mapping.value.setState(.detached)
    edit(treeOf: mapping.value.range, writer) { $0.remove(mapping.value.range.lowerBound.rawValue) }
    old.append(mapping)
  }

  /// Lends the tree that a mapping of `range` is in.
  @inline(__always)
  private func edit(treeOf range: Range<VirtualAddress>, _ writer: borrowing MmapWriter, _ body: (COWBTree) -> Void) {
    let extent = writer.extent
    let isNarrow = Stripe.isNarrow(range)
    precondition(
      extent == .everything || (isNarrow && extent.contains(range.lowerBound)),
      "a change of mappings for which the lock is not held")
    guard isNarrow else { return body(wide) }
    let slot = Stripe.slot(of: range.lowerBound)
    if let tree = narrow[slot] { return tree.with(body) }
    let tree = COWBTree(queue: queue)
    narrow.set(tree, at: slot)
    body(tree)
  }
}
