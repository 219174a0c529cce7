import Synchronization

/// The object that Linux keeps the private pages of a mapping by (`anon_vma`), as far as its effects show.
///
/// It decides which mappings may be merged, which a fork copies, and which can be collapsed.
///
/// A mapping has none until it may hold private pages. The first fault that makes one gives it one: that of a neighbour
/// which differs in nothing but its protection, or else a new one. Parts of a mapping keep it, and so does a mapping
/// that moves. A fork's child gets new ones.
///
///     the first fault, under the mmap lock held for reading     a fork, a merge, a collapse, holding it for writing
///     1. gives the mapping an `anon_vma`, gives the lock up     a. asks the mapping for its `anon_vma`
///     2. locks its entry, looks whether the mapping is live     b. without one: looks at no entry
///     3. stores an entry with a private page
///
/// ORDERING [prepare-then-lock]: 1 before 2. A fault that finds no `anon_vma` installs no private page. The lock orders
/// 1 and a. If 1 comes first, the writer finds the `anon_vma`. If a comes first, the fault waits for the writer, and
/// finds the mapping as the writer has left it. In the other order, 3 before 1, a fork would miss a private page that
/// another thread has stored to already.
struct AnonVMA: Equatable, Sendable {
  /// Twice the number. Odd if a parent may share pages. 0 for none.
  fileprivate let word: UInt64

  fileprivate init(word: UInt64) { self.word = word }

  /// A new one.
  ///
  /// - Parameter hasParents: whether a fork has made it.
  init(in space: borrowing AddressSpace, hasParents: Bool) {
    word = space.events.next(Counters.anonVMAIndex) << 1 | (hasParents ? 1 : 0)
  }

  static let none = AnonVMA(word: 0)

  private var hasParents: Bool { word & 1 != 0 }

  /// The `anon_vma` of a mapping that is made of two.
  ///
  /// Nil if the two may not be one mapping (`is_mergeable_anon_vma`).
  ///
  /// One that has parents stays with the pages that it was made for: Linux keeps the lists of its reverse map short.
  static func merged(_ one: AnonVMA, _ other: AnonVMA) -> AnonVMA? {
    if one == other { return one }
    if one == .none { return other.hasParents ? nil : other }
    return other == .none && !one.hasParents ? one : nil
  }

  /// Itself where another mapping may take it (`reusable_anon_vma`), else nil.
  fileprivate var reusable: AnonVMA? { self == .none || hasParents ? nil : self }
}

/// The `anon_vma` of a mapping, which is set once.
///
/// The mmap lock orders its uses. A fault sets it holding the lock for reading. An operation that depends on it reads
/// it holding the lock for writing. A fault that reads it without the lock and finds none comes back with the lock.
struct AnonVMACell: ~Copyable, Sendable {
  private let word: Atomic<UInt64>

  init(_ value: AnonVMA) { word = Atomic(value.word) }

  var value: AnonVMA { AnonVMA(word: word.load(ordering: .relaxed)) }

  /// Sets it, if there is none yet.
  func set(_ value: AnonVMA) {
    _ = word.compareExchange(expected: AnonVMA.none.word, desired: value.word, ordering: .relaxed)
  }
}

extension AddressSpace {
  /// Gives the mapping that holds `address` an `anon_vma`, if it has none (`__vmf_anon_prepare`). Holding no lock, in
  /// no section.
  func prepareAnonVMA(at address: VirtualAddress) {
    YieldPoint.anonVMABeforePrepare.reach()
    let isPrepared = mmapLock.reading(at: address) { reader in
      guard let mapping = mappings.find(address, reader) else { return true }
      // The neighbours of a wide mapping are in other stripes.
      guard Stripe.isNarrow(mapping.value.range) else { return false }
      prepareAnonVMA(of: mapping, reader)
      return true
    }
    if isPrepared { return }
    mmapLock.reading { reader in
      if let mapping = mappings.find(address, reader) { prepareAnonVMA(of: mapping, reader) }
    }
  }

  /// Gives a mapping an `anon_vma`, if it has none (`__anon_vma_prepare`): a neighbour's, or else a new one. Two faults
  /// that prepare neighbours at once may both take new ones, as on Linux.
  ///
  /// - Parameter lock: neighbours that it is not held for are not asked.
  func prepareAnonVMA(of mapping: VMATree.Mapping, _ lock: borrowing MmapReader) {
    guard mapping.value.anonVMA == .none else { return }
    let range = mapping.value.range
    let next = mappings.first(endingAbove: range.upperBound, lock)
    if let next, mapping.value.sharesAnonVMA(withNext: next.value), let own = next.value.anonVMA.reusable {
      return mapping.value.anonVMACell.set(own)
    }
    let last = mappings.last(beginningBelow: range.lowerBound, lock)
    if let last, last.value.sharesAnonVMA(withNext: mapping.value), let own = last.value.anonVMA.reusable {
      return mapping.value.anonVMACell.set(own)
    }
    mapping.value.anonVMACell.set(AnonVMA(in: self, hasParents: false))
  }
}

extension VMA {
  var anonVMA: AnonVMA { anonVMACell.value }

  /// Whether `next` continues the mapping, and differs in nothing but its protection (`anon_vma_compatible`).
  fileprivate func sharesAnonVMA(withNext next: borrowing VMA) -> Bool {
    var attributes = next.attributes
    attributes.protection = self.attributes.protection
    return range.upperBound == next.range.lowerBound && self.attributes.matches(attributes)
      && next.firstPage == backingPage(of: range.upperBound)
  }
}
