import Synchronization

/// A mapping: a range of virtual pages that one rule applies to (Linux's `vm_area_struct`).
///
/// Only its state and, once, its `anon_vma` change. An operation that changes a mapping puts new ones in its place. It
/// sets the state of the old one to `detached`, and changes entries after that. A fault looks at the state after it has
/// locked its entry.
///
/// ORDERING [lock-then-validate]: the state is stored and loaded sequentially consistently. See `PTEPointer.lock`.
struct VMA: ~Copyable, Sendable {
  /// Page-aligned byte addresses.
  let range: Range<VirtualAddress>
  // Beside the range: a look-up reads both, on one cache line.
  private let state: Atomic<State.RawValue>
  let attributes: Attributes
  /// The page of the backing that the first page of the range shows (`vm_pgoff`).
  ///
  /// For private anonymous memory it is the number of a virtual page. The first page of the range was that page when it
  /// was mapped, or was moved empty.
  let firstPage: Int
  let anonVMACell: AnonVMACell

  enum State: UInt8 {
    /// Faults may install entries.
    case live
    /// A writer holds the mmap lock and changes this mapping's entries (`vma_start_write`). A fault waits for the lock.
    case writeLocked
    /// The mapping was replaced. A fault looks the address up again.
    case detached
  }

  init(range: Range<VirtualAddress>, attributes: Attributes, firstPage: Int, anonVMA: AnonVMA) {
    self.range = range
    self.attributes = attributes
    self.firstPage = firstPage
    anonVMACell = AnonVMACell(anonVMA)
    state = Atomic(State.live.rawValue)
  }

  func setState(_ new: State) { state.store(new.rawValue, ordering: .sequentiallyConsistent) }

  var isDetached: Bool { state.load(ordering: .sequentiallyConsistent) == State.detached.rawValue }

  var isLive: Bool { state.load(ordering: .sequentiallyConsistent) == State.live.rawValue }

  /// The page of the backing that `address` shows.
  func backingPage(of address: VirtualAddress) -> Int { firstPage + (address - range.lowerBound) / Page.size }

  /// The first page of a mapping at `target` to which the pages of the mapping from `address` on move. Where there are
  /// none yet, they count from the new place.
  func firstPage(movedFrom address: VirtualAddress, to target: VirtualAddress) -> Int {
    attributes.isAnonymous && anonVMA == .none ? target.pageNumber : backingPage(of: address)
  }

  /// Whether all of `other` lies in the mapping.
  func covers(_ other: Range<VirtualAddress>) -> Bool {
    range.lowerBound <= other.lowerBound && other.upperBound <= range.upperBound
  }

  /// Whether a store gives the mapping a copy of its own (`is_cow_mapping`).
  var isPrivate: Bool { !attributes.isShared }

  /// Whether a fork's child gets the private pages of the mapping, or would if it had any.
  var inheritsPages: Bool { anonVMA != .none && !attributes.wipesOnFork }

  /// Whether a fork shares its private pages by copy-on-write.
  var sharesPagesOnFork: Bool { isPrivate && inheritsPages }
}
