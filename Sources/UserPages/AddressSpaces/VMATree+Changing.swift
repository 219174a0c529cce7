import Synchronization

/// Changes of mappings, under the mmap lock held for writing where they are.
extension VMATree {
  /// Cuts `range` out of every mapping: what lies outside of it on either side stays mapped. Adds the mappings that
  /// were replaced to `old`.
  func carve(_ range: Range<VirtualAddress>, replacing old: inout Replaced, _ writer: borrowing MmapWriter) {
    while let entry = firstEntry(endingAbove: range.lowerBound, writer.reader), entry.start < range.upperBound {
      let mapping = entry.mapping
      let whole = mapping.value.range
      remove(mapping, replacing: &old, writer)
      if whole.lowerBound < range.lowerBound {
        add(part(whole.lowerBound..<range.lowerBound, of: mapping), writer)
      }
      if range.upperBound < whole.upperBound {
        add(part(range.upperBound..<whole.upperBound, of: mapping), writer)
      }
      // What comes next begins above it.
      if range.upperBound <= whole.upperBound { return }
    }
  }

  /// Cuts a mapping in two at `address`, inside it. Adds it to `old`.
  func divide(
    _ mapping: Mapping, at address: VirtualAddress, replacing old: inout Replaced, _ writer: borrowing MmapWriter
  ) {
    let whole = mapping.value.range
    remove(mapping, replacing: &old, writer)
    add(part(whole.lowerBound..<address, of: mapping), writer)
    add(part(address..<whole.upperBound, of: mapping), writer)
  }

  /// A mapping of a part of another one's range.
  private func part(_ range: Range<VirtualAddress>, of mapping: Mapping) -> VMA {
    VMA(
      range: range, attributes: mapping.value.attributes, firstPage: mapping.value.backingPage(of: range.lowerBound),
      anonVMA: mapping.value.anonVMA)
  }

  /// The neighbours that a mapping may be merged with.
  struct MergeSides: OptionSet {
    let rawValue: UInt8
    static let left = MergeSides(rawValue: 1)
    static let right = MergeSides(rawValue: 2)
    static let both: MergeSides = [.left, .right]
  }

  /// Adds a mapping where there is none. Merges it with neighbours that match and continue it (`vma_merge_new_range`,
  /// `vma_merge_existing_range`).
  ///
  /// - Parameter sides: the neighbours that it may be merged with.
  func insert(
    _ mapping: consuming VMA, mergingWith sides: MergeSides = .both, replacing old: inout Replaced,
    _ writer: borrowing MmapWriter
  ) {
    var range = mapping.range
    var firstPage = mapping.firstPage
    let attributes = mapping.attributes
    let merge = merge(mapping, with: sides, writer)
    if let left = merge.left {
      range = left.value.range.lowerBound..<range.upperBound
      firstPage = left.value.firstPage
      remove(left, replacing: &old, writer)
    }
    if let right = merge.right {
      range = range.lowerBound..<right.value.range.upperBound
      remove(right, replacing: &old, writer)
    }
    add(VMA(range: range, attributes: attributes, firstPage: firstPage, anonVMA: merge.anonVMA), writer)
  }

  /// The neighbours that a mapping would be merged with, and the `anon_vma` of what it would become.
  private func merge(
    _ mapping: borrowing VMA, with sides: MergeSides, _ writer: borrowing MmapWriter
  ) -> (left: Mapping?, right: Mapping?, anonVMA: AnonVMA) {
    let (range, attributes, anonVMA) = (mapping.range, mapping.attributes, mapping.anonVMA)
    var merge: (left: Mapping?, right: Mapping?, anonVMA: AnonVMA) = (nil, nil, anonVMA)
    if attributes.isSpecial { return merge }
    let neighbours = neighbours(of: range, writer.reader)
    if sides.contains(.left), let left = neighbours.left, left.end == range.lowerBound, left.mayMatch(attributes),
      case let left = left.mapping, left.value.backingPage(of: range.lowerBound) == mapping.firstPage,
      left.value.attributes.matches(attributes),
      let merged = AnonVMA.merged(left.value.anonVMA, anonVMA)
    {
      merge.left = left
      merge.anonVMA = merged
    }
    let behind = mapping.firstPage + (range.upperBound - range.lowerBound) / Page.size
    if sides.contains(.right), let right = neighbours.right, right.start == range.upperBound,
      right.mayMatch(attributes), case let right = right.mapping,
      right.value.firstPage == behind, right.value.attributes.matches(attributes),
      AnonVMA.merged(anonVMA, right.value.anonVMA) != nil
    {
      let own = right.value.anonVMA
      // Two neighbours that both match may not match each other.
      if merge.anonVMA != .none, own != .none, merge.anonVMA != own { return merge }
      merge.right = right
      if merge.anonVMA == .none { merge.anonVMA = own }
    }
    return merge
  }

  /// The `anon_vma` of a mapping that is made without huge pages and wants them at once. On Linux the wish is a call of
  /// its own (`MADV_HUGEPAGE`), before which the mapping may have been one with its neighbours.
  func anonVMABeforeHugePages(
    _ range: Range<VirtualAddress>, _ attributes: VMA.Attributes, firstPage: Int, _ writer: borrowing MmapWriter
  ) -> AnonVMA {
    var plain = attributes
    plain.hugePages = false
    let mapping = VMA(range: range, attributes: plain, firstPage: firstPage, anonVMA: .none)
    let merge = merge(mapping, with: .both, writer)
    merge.left?.value.anonVMACell.set(merge.anonVMA)
    merge.right?.value.anonVMACell.set(merge.anonVMA)
    return merge.anonVMA
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
  ///
  /// The mmap lock does not keep them any longer: another thread may drain the queue at once. So a mapping that the
  /// caller found before is not valid after this, unless the caller is in a section.
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

  /// Adds a mapping where there is none, as it is.
  func add(_ vma: consuming VMA, _ writer: borrowing MmapWriter) {
    let range = vma.range
    let mapping = Mapping(vma, in: queue.handle)
    edit(treeOf: range, writer) { $0.insert(range.lowerBound.rawValue, Entry.word(of: mapping)) }
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
