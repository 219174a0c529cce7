import Synchronization

/// The lock of a space's mappings (Linux's `mmap_lock`), which lends proof that it is held.
///
/// An operation on a range holds the lock of the range's stripe (`Stripe`). A fork, an exit and the reverse map hold
/// the whole. So does an operation if its range or its neighbours reach beyond one stripe. Operations in stripes of
/// different slots take different locks and edit different trees. They still share three things:
///
/// - The links to the nodes of eight stripes lie on one line.
/// - What they have to wait for is noted once for the space (`StaleAccesses`).
/// - Mappings of one backing count their references to it.
///
/// Why stripes and not claims of single ranges? A stripe's tree is the tree that a space had, with its publication in
/// one step. So each protocol of faults and pins holds as it was. Edits in place of shared leaves would let neighbours
/// inside a stripe go side by side. But each of those protocols would have to be made anew.
///
///     an operation in a stripe                            an operation on the whole
///                                                         1. locks `whole`, counts itself in `wholeHolders`
///     a. locks its stripe                                 2. locks and unlocks each stripe: no operation is left there
///     b. looks at `wholeHolders`: if an operation holds
///        the whole, unlocks, waits for it, begins again   3. changes what it likes
///     c. changes mappings and entries of its stripe       4. counts itself out, unlocks `whole`
///
/// ORDERING [whole-then-stripes]: 1 comes before 2, a before b. Both take the stripe's lock. If a comes before 2, then
/// step 2 waits until c is over. If 2 comes before a, the hand-over of the lock makes b see the count. So b needs no
/// fence.
///
/// ORDERING [whole-is-over]: the count falls with release and is read with acquire. So an operation that sees no holder
/// sees what the last one did, although it does not take `whole`.
///
/// No cycle: the holder of a stripe waits for neither `whole` nor another stripe. It unlocks before it waits. The
/// holder of the whole waits for one stripe at a time and keeps none.
///
/// A stripe gets its lock from the first operation in it, which holds the whole. So a space that uses few stripes has
/// few locks to go through. The engine `locked` has one lock for everything, as Linux 2.6.24 had.
///
/// A function that needs the lock takes a `MmapWriter`, or a `MmapReader` if either way of holding it will do. Neither
/// can be made outside of this file, or kept after the lock is given up. So a call that compiles is made under the
/// lock. `extent` says what part of the space the lock is held for. The changes of mappings check it.
///
/// They are copyable, because a copy proves as much. A noncopyable one would not help: Swift 6.3 lets a closure keep
/// it.
final class MmapLock: Sendable {
  private let whole = ReadWriteLock()
  /// Operations that hold the whole or are about to: twice those that read, and one for the one that writes.
  private let wholeHolders = Atomic<Int>(0)
  private static let oneReader = 2
  private static let theWriter = 1
  /// A lock for each slot of stripes. Set under the whole held for writing. Nil for engine `locked`.
  private let stripes: SetOnceArray<ReadWriteLock>?

  /// - Parameter isStriped: whether operations on different stripes run side by side.
  init(isStriped: Bool = true) {
    stripes = isStriped ? SetOnceArray(count: Stripe.slots) : nil
  }

  deinit { stripes?.release() }

  // MARK: The whole space

  /// Runs `body` with the whole held for reading.
  @inline(__always)
  func reading<Result: ~Copyable, Failure: Error>(
    _ body: (borrowing MmapReader) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lockWholeForReading()
    defer { unlockWhole(Self.oneReader) }
    return try body(MmapReader(extent: .everything))
  }

  /// Runs `body` with the whole held for writing. Inside a read-side section it traps: the thread that holds the lock
  /// now may wait for a grace period, which would never end.
  @inline(__always)
  func writing<Result, Failure: Error>(
    _ body: (borrowing MmapWriter) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    RCU.requireNoSection()
    lockWholeForWriting()
    defer { unlockWhole(Self.theWriter) }
    return try body(MmapWriter(extent: .everything))
  }

  /// Runs `body` without the lock, the whole of which the calling thread holds for reading, and takes it again. The
  /// proof that `reading` has lent proves nothing meanwhile. For the faults of engine `locked` alone, which hold it
  /// over calls of a backing otherwise.
  @inline(__always)
  func withoutReading<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    unlockWhole(Self.oneReader)
    defer { lockWholeForReading() }
    return try body()
  }

  private func lockWholeForReading() {
    whole.lockForReading()
    guard let stripes else { return }
    // ORDERING [whole-then-stripes]: the count first.
    wholeHolders.wrappingAdd(Self.oneReader, ordering: .relaxed)
    YieldPoint.wholeBetweenCountAndStripes.reach()
    // Waits for writers alone.
    stripes.forEach { $0.reading {} }
  }

  private func lockWholeForWriting() {
    whole.lockForWriting()
    guard let stripes else { return }
    // ORDERING [whole-then-stripes]: the count first.
    wholeHolders.wrappingAdd(Self.theWriter, ordering: .relaxed)
    YieldPoint.wholeBetweenCountAndStripes.reach()
    stripes.forEach { $0.writing {} }
  }

  private func unlockWhole(_ one: Int) {
    // ORDERING [whole-is-over]: release.
    if stripes != nil { wholeHolders.wrappingSubtract(one, ordering: .releasing) }
    whole.unlock()
  }

  // MARK: A range

  /// Runs `body` with the lock held for reading where `range` lies: the stripe, or the whole if it reaches beyond one.
  @inline(__always)
  func reading<Result, Failure: Error>(
    _ range: Range<VirtualAddress>, _ body: (borrowing MmapReader) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    if Stripe.isNarrow(range), let lock = lockStripeForReading(range.lowerBound) {
      defer { lock.with { $0.unlock() } }
      return try body(MmapReader(extent: Stripe.range(of: range.lowerBound)))
    }
    return try reading(body)
  }

  /// The same for the page that holds `address`.
  @inline(__always)
  func reading<Result, Failure: Error>(
    at address: VirtualAddress, _ body: (borrowing MmapReader) throws(Failure) -> Result
  ) throws(Failure) -> Result { try reading(address..<address, body) }

  /// Runs `body` with the lock held for writing where `range` lies.
  ///
  /// That is the stripe, or the whole if the range, or a mapping in it or beside it, reaches beyond one stripe. Traps
  /// as the other `writing` does.
  @inline(__always)
  func writing<Result, Failure: Error>(
    _ range: Range<VirtualAddress>, in mappings: VMATree,
    _ body: (borrowing MmapWriter) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    RCU.requireNoSection()
    if Stripe.isNarrow(range), let lock = lockStripeForWriting(range, in: mappings) {
      defer { lock.with { $0.unlock() } }
      return try body(MmapWriter(extent: Stripe.range(of: range.lowerBound)))
    }
    lockWholeForWriting()
    defer { unlockWhole(Self.theWriter) }
    let writer = MmapWriter(extent: .everything)
    if Stripe.isNarrow(range) { makeStripeLock(range.lowerBound, writer) }
    return try body(writer)
  }

  /// Waits until no writer holds the lock where `address` lies.
  func waitForWriter(at address: VirtualAddress) { reading(at: address) { _ in } }

  @inline(__always)
  private func stripeLock(_ address: VirtualAddress) -> Unretained<ReadWriteLock>? {
    stripes.flatMap { $0[Stripe.slot(of: address)] }
  }

  /// Makes the lock of the stripe of `address`, if it has none. `writer` is for the whole.
  private func makeStripeLock(_ address: VirtualAddress, _ writer: borrowing MmapWriter) {
    guard let stripes, stripes[Stripe.slot(of: address)] == nil else { return }
    // [set-once]: an operation that finds the lock sees this one hold the whole.
    stripes.set(ReadWriteLock(), at: Stripe.slot(of: address))
  }

  /// How often an operation waits for others that hold the whole before it takes the whole itself. If it did at once,
  /// two threads that were turned away once would turn each other away for ever.
  private static let patience = 3

  /// Locks the stripe of `address`. Nil if it has no lock, or if operations on the whole keep turning this one away.
  @inline(__always)
  private func lockStripeForReading(_ address: VirtualAddress) -> Unretained<ReadWriteLock>? {
    guard let lock = stripeLock(address) else { return nil }
    for _ in 0..<Self.patience {
      lock.with { $0.lockForReading() }
      YieldPoint.stripeBetweenLockAndLook.reach()
      // ORDERING [whole-then-stripes], [whole-is-over].
      if wholeHolders.load(ordering: .acquiring) & Self.theWriter == 0 { return lock }
      lock.with { $0.unlock() }
      whole.reading {}
    }
    return nil
  }

  /// The same for writing. Nil also if a wide mapping overlaps or touches `range`.
  @inline(__always)
  private func lockStripeForWriting(_ range: Range<VirtualAddress>, in mappings: VMATree) -> Unretained<ReadWriteLock>?
  {
    guard let lock = stripeLock(range.lowerBound) else { return nil }
    for _ in 0..<Self.patience {
      lock.with { $0.lockForWriting() }
      YieldPoint.stripeBetweenLockAndLook.reach()
      // ORDERING [whole-then-stripes], [whole-is-over].
      if wholeHolders.load(ordering: .acquiring) == 0 {
        if !mappings.isWide(at: range, MmapReader(extent: Stripe.range(of: range.lowerBound))) { return lock }
        lock.with { $0.unlock() }
        return nil
      }
      lock.with { $0.unlock() }
      // Waits for readers of the whole, too.
      whole.writing {}
    }
    return nil
  }
}

/// Proof that the calling thread holds a space's mmap lock for `extent`, for reading or for writing.
struct MmapReader: ~Escapable, NodeGuard {
  /// A stripe, or the whole space.
  let extent: Range<VirtualAddress>

  @_lifetime(immortal)
  fileprivate init(extent: Range<VirtualAddress>) { self.extent = extent }
}

/// Proof that the calling thread holds a space's mmap lock for writing: no other operation is under way in `extent`.
struct MmapWriter: ~Escapable, NodeWriter {
  /// A stripe, or the whole space.
  let extent: Range<VirtualAddress>

  @_lifetime(immortal)
  fileprivate init(extent: Range<VirtualAddress>) { self.extent = extent }

  /// The same proof for functions that only read.
  var reader: MmapReader {
    @_lifetime(copy self) get { MmapReader(extent: extent) }
  }
}

extension Range<VirtualAddress> {
  /// The top of the address space is not a multiple of a node's span: the last nodes end where this does.
  static var everything: Range<VirtualAddress> { VirtualAddress(0)..<VirtualAddress(1 << 48) }
}
