import Synchronization

/// What the machine remembers of a frame of RAM: 16 bytes for each 4096 (Linux's `struct page` has 64).
///
/// Descriptors are type-stable: those of RAM stay as long as the machine. So the descriptor of a stale frame number may
/// be read. What it says holds only if the reader has a reference, or reads inside the section that found the number in
/// an entry.
///
/// `counts`, one atomic word, so that a pin is one addition:
///
///     bits  0...31  pins (FOLL_PIN): how many of the references are pins; never more than references
///                     0                 no device relies on the frame
///                     1...references    that many pins; each is also one of the references
///     bits 32...63  references: one for each entry, each page of a cache, each get and each pin
///                     0                 free, between the allocator and its first owner, or 2 MiB that are being broken up
///                     1                 one owner
///                     2..<2^31          shared
///                     2^31 and more     refused with ENOMEM (`Frame.limit`): on top for a moment, until it is put back
///
/// The processor's flags answer both questions of the fast path, so neither addition has to return what it found. After
/// a pin the sign says whether there are too many references. After an unpin zero says that none is left.
///
/// Linux counts a pin as 1024 references and so can only say that a page *may be* pinned. Here it is known.
///
/// `state`, one atomic word:
///
///     bits  0...31  mapcount: entries of the lowest level that map the frame; each has a reference, so never more than those
///     bit  32       anonymous: private memory, not a file's
///     bit  33       dirty: written since it was last clean, by `release(dirty:)` or through a shared mapping
///     bit  34       reserved: the owner of a section (a device, the zero page) has one reference, until the section ends
///     bit  35       allocated: given out by the allocator. Clear in a free frame, and in one that never was in use
///     bit  36       data cache clean (Linux's PG_dcache_clean, PG_arch_1)
///     bit  37       poisoned: filled with the allocator's poison (debug builds)
///     bit  38       huge: one of the 512 of a 2 MiB frame. The counts of the first one hold for all (`Frame+Huge.swift`)
///     bit  39       data cache flushing, see `DataCacheFlushing.swift`
///     bit  40       written back: a page of a file, written to a store if dirty. Set until the frame's next life
///     bit  41       lazily freed: private memory that may be dropped while no entry of it is dirty (`LazyFree.swift`)
///     bit  42       partly mapped: of the first frame of 2 MiB alone (`PartlyMappedFrames.swift`)
///     bit  43       referenced: a page of a memory file, used by `read` or `write` since reclaim last looked
///     bits 44...63  huge mapcount, of the first frame of 2 MiB alone: entries of the second-lowest level that map it whole;
///                   more than `Frame.hugeMappingLimit` are refused with ENOMEM
///
/// The mapcount falls the moment an entry is cleared. The reference that the entry held falls a grace period later
/// ([deferred-free]). So inside a read-side section the frame behind any entry that was read there has a reference.
@frozen @usableFromInline
struct FrameDescriptor: ~Copyable {
  @usableFromInline let counts: Atomic<UInt64>
  @usableFromInline let state: Atomic<UInt64>

  init(counts: UInt64, state: UInt64) {
    self.counts = Atomic(counts)
    self.state = Atomic(state)
  }
}

/// A frame that has a descriptor: the handle through which counts and state are changed.
///
/// Trivial, and valid as long as the descriptor: RAM's stay as long as the machine, which checks at its end that no
/// reference is left. A device's stay until its last reference is put ([section-end]).
@frozen @usableFromInline
struct Frame: @unchecked Sendable {
  @usableFromInline let descriptor: UnsafeMutablePointer<FrameDescriptor>

  @inlinable @inline(__always)
  init(_ descriptor: UnsafeMutablePointer<FrameDescriptor>) { self.descriptor = descriptor }

  // What is added to `counts`: one reference, for a pin `oneReference + onePin`.
  @usableFromInline static let oneReference: UInt64 = 1 << 32
  @usableFromInline static let onePin: UInt64 = 1
  /// Half of what the count of references can hold: no get, pin or mapping may reach it.
  @usableFromInline static let limit: UInt64 = 1 << 63

  static let anonymousBit: UInt64 = 1 << 32
  static let dirtyBit: UInt64 = 1 << 33
  static let reservedBit: UInt64 = 1 << 34
  static let allocatedBit: UInt64 = 1 << 35
  static let dataCacheCleanBit: UInt64 = 1 << 36
  static let poisonedBit: UInt64 = 1 << 37
  /// Beside `dataCacheCleanBit`, see `DataCacheFlushing.swift`. Bit 38 is `hugeBit`.
  static let dataCacheFlushingBit: UInt64 = 1 << 39

  /// The page of a file with write-back. A long-term pin may not write to it: the file would never be clean.
  static let writtenBackBit: UInt64 = 1 << 40

  /// Private memory that may be dropped while its entry is clean (Linux's anonymous folio without PG_swapbacked).
  static let lazilyFreedBit: UInt64 = 1 << 41

  /// 2 MiB of private memory that `PartlyMappedFrames` counts.
  static let partlyMappedBit: UInt64 = 1 << 42

  /// A page of a memory file that `read` or `write` has used since reclaim last looked (PG_referenced).
  static let referencedBit: UInt64 = 1 << 43

  // MARK: References and pins

  /// Adds `counts`, `oneReference` or `oneReference + onePin`, for an entry, a get or a pin. Returns false if the frame
  /// has too many references for another: the caller then puts `counts` back, and fails with `outOfMemory`.
  ///
  /// With 2^32 references the frame would seem free. So they are refused at `limit`, half way, because each refused
  /// thread has one on top until it has put its reference back. (Linux's `try_grab_folio` refuses since
  /// CVE-2019-11487.)
  ///
  /// For a walker inside a read-side section that read a present entry to this frame there. The entry's reference
  /// cannot have been dropped yet, so no test for zero is needed. Linux, which frees pages without waiting for walkers,
  /// needs a compare-and-swap loop. The walker must look at the entry again afterwards.
  ///
  /// ORDERING [pin-then-look]: sequentially consistent, pairs with [change-then-count]: the writer changes the entry
  /// and looks at the counts after. In the single order of these four accesses there are two cases. Either the walker's
  /// second look comes after the change, and it backs out. Or its addition comes before the writer's look, and the
  /// writer sees the pin.
  @inlinable @inline(__always)
  func retain(_ counts: UInt64) -> Bool {
    let new = descriptor.pointee.counts.wrappingAdd(counts, ordering: .sequentiallyConsistent).newValue
    assert(new &- counts >= Self.oneReference, "a frame behind a live entry had no reference")
    return _fastPath(Int64(bitPattern: new) >= 0)
  }

  /// Whether `retain` is refused at this moment.
  var isAtLimit: Bool { descriptor.pointee.counts.load(ordering: .relaxed) &+ Self.oneReference >= Self.limit }

  /// Adds references that cannot be refused. As `retain` otherwise.
  ///
  /// They are the swap cache's and those of the parts of a 2 MiB frame. A caller's on a page that a cache, a file or an
  /// image keeps is one too. A fault adds one to the copy that it tells a backing of.
  ///
  /// Each stands for an entry, a page of a cache or a call under way, so memory ends before they do. Should they
  /// overflow all the same, the process ends: the frame would be freed while it is mapped.
  func addReferences(_ count: Int) {
    let added = UInt64(count) * Self.oneReference
    let old = descriptor.pointee.counts.wrappingAdd(added, ordering: .sequentiallyConsistent).oldValue
    assert(old >= Self.oneReference, "a frame behind a live entry had no reference")
    precondition(old < Self.limit + Self.limit / 2, "too many references on a frame")
  }

  /// What came of an attempt to retain a frame that may be free.
  enum Retained { case retained, free, tooMany }

  /// Adds a reference if the frame has one, for a caller that did not find it through an entry in this section.
  ///
  /// ORDERING [pin-then-look]: sequentially consistent, as `retain`.
  func retainUnlessFree() -> Retained {
    var old = descriptor.pointee.counts.load(ordering: .relaxed)
    while old >= Self.oneReference {
      let new = old &+ Self.oneReference
      if new >= Self.limit { return .tooMany }
      let (exchanged, now) = descriptor.pointee.counts.weakCompareExchange(
        expected: old, desired: new, ordering: .sequentiallyConsistent)
      if exchanged { return .retained }
      old = now
    }
    return .free
  }

  /// Gives back what `retain` added. Returns true where that was the last reference: the caller frees the frame.
  ///
  /// ORDERING [last-put]: acquire and release, so that the thread which frees the frame comes after every other user's
  /// accesses.
  @inlinable @inline(__always)
  func put(_ counts: UInt64) -> Bool {
    let new = descriptor.pointee.counts.wrappingSubtract(counts, ordering: .acquiringAndReleasing).newValue
    assert(UInt32(truncatingIfNeeded: new) <= new >> 32, "a frame has more pins than references")
    return new == 0
  }

  /// Takes the last `count` references back at once, and leaves the frame with none (`page_ref_freeze`). Returns false,
  /// and changes nothing, if there are others, or a pin.
  ///
  /// ORDERING [change-then-count]: one exchange looks at the counts and ends them. A thread that comes by number
  /// afterwards finds no reference to add to.
  ///
  /// ORDERING [last-put]: it acquires what others released that put references before, as the last put does.
  func freeze(_ count: Int) -> Bool {
    descriptor.pointee.counts.compareExchange(
      expected: UInt64(count) * Self.oneReference, desired: 0, ordering: .sequentiallyConsistent
    ).exchanged
  }

  /// Gives a frozen frame its references again (`page_ref_unfreeze`).
  ///
  /// A store: no thread adds to a frame without references, as `begin` says.
  ///
  /// ORDERING [change-then-count]: it releases, so a thread that retains the frame by number finds what the freezing
  /// thread found.
  func unfreeze(_ count: Int) {
    assert(isWithoutHolders, "a frozen frame got a user")
    descriptor.pointee.counts.store(UInt64(count) * Self.oneReference, ordering: .releasing)
  }

  /// References, pins among them.
  ///
  /// ORDERING [change-then-count]: sequentially consistent, pairs with [pin-then-look]. Asked after the entry was
  /// changed.
  var references: Int {
    Int(descriptor.pointee.counts.load(ordering: .sequentiallyConsistent) >> 32)
  }

  /// Whether the frame has neither references nor pins, stray ones included.
  var isWithoutHolders: Bool { descriptor.pointee.counts.load(ordering: .relaxed) == 0 }

  /// Pins alone. ORDERING [change-then-count]: as `references`.
  var pins: Int { Int(UInt32(truncatingIfNeeded: descriptor.pointee.counts.load(ordering: .sequentiallyConsistent))) }

  // MARK: Mappings and flags

  /// Entries of the lowest level that map the frame.
  var mapCount: Int { Int(UInt32(truncatingIfNeeded: descriptor.pointee.state.load(ordering: .acquiring))) }

  func addMapping() { descriptor.pointee.state.wrappingAdd(1, ordering: .acquiringAndReleasing) }

  func removeMapping() {
    let old = descriptor.pointee.state.wrappingSubtract(1, ordering: .acquiringAndReleasing).oldValue
    assert(UInt32(truncatingIfNeeded: old) != 0, "a mapcount fell below zero")
  }

  /// Whether all of `flags` are set.
  func has(_ flags: UInt64) -> Bool { descriptor.pointee.state.load(ordering: .acquiring) & flags == flags }

  func set(_ flags: UInt64) {
    if !has(flags) { descriptor.pointee.state.bitwiseOr(flags, ordering: .acquiringAndReleasing) }
  }

  func clear(_ flags: UInt64) { descriptor.pointee.state.bitwiseAnd(~flags, ordering: .acquiringAndReleasing) }

  // MARK: Life

  /// Gives a frame from the allocator its first reference, which is the caller's. The contents are complete.
  ///
  /// A store, not an addition: no thread adds to a frame without references. `retain` is for frames behind an entry
  /// that holds one, and `retainUnlessFree` adds to what it found to be more than zero. So a thread with a stale number
  /// finds the frame free, or adds to what this stored.
  ///
  /// - Parameters:
  ///   - anonymous: whether it is private memory. Says so for the frame's whole life.
  ///   - mapped: counts the entry that the caller is about to install, to which the reference then belongs.
  func begin(anonymous: Bool, mapped: Bool) {
    descriptor.pointee.state.store(
      (mapped ? 1 : 0) | Self.allocatedBit | (anonymous ? Self.anonymousBit : 0), ordering: .relaxed)
    assert(isWithoutHolders, "a frame began that has a user")
    descriptor.pointee.counts.store(Self.oneReference, ordering: .releasing)
  }

  /// Gives a frame that is not the allocator's the reference of its section's owner: it stays until the section ends
  /// (`SectionMap`).
  func beginReserved() {
    descriptor.pointee.state.store(Self.reservedBit, ordering: .relaxed)
    descriptor.pointee.counts.wrappingAdd(Self.oneReference, ordering: .releasing)
  }
}
