import Synchronization

/// A mapping: a range of virtual pages that one rule applies to (Linux's `vm_area_struct`).
///
/// Only its state changes. An operation that changes a mapping puts new ones in its place, sets the state of the old
/// one to `detached`, and changes entries after that. A fault looks at the state after it has locked its entry.
///
/// ORDERING [lock-then-validate]: the state is stored and loaded sequentially consistently; see `PTEPointer.lock`.
struct VMA: ~Copyable, Sendable {
  /// Page-aligned byte addresses.
  let range: Range<VirtualAddress>
  // Beside the range: a look-up reads both, on one cache line.
  private let state: Atomic<State.RawValue>
  let attributes: Attributes
  /// The page of the backing that the first page of the range shows. Of private anonymous memory, the number of the
  /// virtual page that the first page of the range was when it was mapped, or was moved empty (`vm_pgoff`).
  let firstPage: Int
  let anonVMACell: AnonVMACell

  /// What must be equal for neighbours to be one mapping.
  struct Attributes: Sendable {
    var protection: Protection
    var isShared: Bool
    /// A copy of what `kind` says, so that the common fault writes no reference count.
    let isAnonymous: Bool
    let kind: MappingKind
    // What the backing has said of itself, when the mapping was made. Entries are installed and judged inside sections
    // and under locks, where no code of a backing may run.

    /// The spaces that map the backing, if it wants to know them.
    let users: BackingUsers?
    /// The frame that page 0 of a pfn mapping's backing shows, if the rest follow; nil in all other mappings.
    let firstFrame: PFN?
    /// Whether a frame that is mapped for reading may become writable through the mapping.
    let takesStores: Bool
    /// Whether the first store to each page asks the backing.
    let writesBack: Bool
    /// A fork's child does not inherit it (`VM_DONTCOPY`).
    var dontFork = false
    /// A fork's child inherits it without its pages (`VM_WIPEONFORK`).
    var wipesOnFork = false
    /// Stays as it is (`VM_SEALED`): see `AddressSpace.seal`.
    var isSealed = false
    /// No pin reaches its pages: its entries are special (`vma_is_secretmem`).
    var isSecret = false
    /// Its pages are never paged out (`VM_LOCKED`).
    var isLocked = false
    /// Its pages count as memory that the program was promised (`VM_ACCOUNT`): it is private and was writable once.
    var isAccounted: Bool
    /// May use 2 MiB entries (`VM_HUGEPAGE`).
    var hugePages: Bool

    /// Asks the backing: the caller holds no lock and is in no section.
    init(protection: Protection, isShared: Bool, kind: MappingKind, hugePages: Bool) {
      self.protection = protection
      self.isShared = isShared
      self.kind = kind
      self.hugePages = hugePages
      isAccounted = !isShared && protection.contains(.write)
      if case .anonymous = kind { isAnonymous = true } else { isAnonymous = false }
      let backing = kind.backing
      users = backing?.users
      firstFrame = kind.isPFN ? backing?.firstFrame : nil
      takesStores = backing?.takesStores ?? true
      writesBack = backing?.writesBack ?? false
    }

    func matches(_ other: Attributes) -> Bool {
      protection == other.protection && isShared == other.isShared && dontFork == other.dontFork
        && wipesOnFork == other.wipesOnFork && isSealed == other.isSealed && isLocked == other.isLocked
        && isAccounted == other.isAccounted && hugePages == other.hugePages
        && kind.matches(other.kind)
    }
  }

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
