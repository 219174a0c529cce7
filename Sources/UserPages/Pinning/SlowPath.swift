/// The slow path of pins (`__get_user_pages`): it looks at the mapping, faults in what is missing, and says why a page
/// cannot be pinned.
///
/// Engine `locked` holds the mmap lock for reading over the whole call, as Linux 2.6.24 did. The other engines look at
/// each page without a lock, as on the fast path. They take the lock only to confirm an error, and to move a page for a
/// long-term pin.
extension AddressSpace {
  @usableFromInline @inline(never)
  func pinSlowly(at address: VirtualAddress, _ options: PinOptions) throws(PageError) -> PinnedPage {
    guard options.isLegal else { throw .invalidArgument }
    if options.contains(.fastOnly) { throw .tryAgain }
    precondition(!RCU.isReading, "inside a read-side section only the fast path can pin: ask for `fastOnly`")
    // Not as a range of one page, which would allocate: the baseline's cost must be its locks.
    let run = try underFaultLock { () throws(PageError) in try holdFaulting(address.pageStart, options, pages: 1) }
    events.add(1, to: Counters.slowIndex)
    let held =
      run.isPart
      ? HeldFrame(part: run.first, memory, counts: options.holdDelta)
      : HeldFrame(run.first, memory, counts: options.holdDelta)
    return PinnedPage(held, isWritable: options.contains(.write))
  }

  /// Appends the pages of a range that `held` does not have yet. Returns the error that ended the range, if one did.
  func pinSlowly(
    from start: VirtualAddress, pages: Int, _ options: PinOptions, into held: inout HeldFrames
  ) -> PageError? {
    precondition(!RCU.isReading, "inside a read-side section only the fast path can pin: ask for `fastOnly`")
    return underFaultLock { holdFaulting(from: start, pages: pages, options, into: &held) }
  }

  private func holdFaulting(
    from start: VirtualAddress, pages: Int, _ options: PinOptions, into held: inout HeldFrames
  ) -> PageError? {
    while held.count < pages {
      let address = start + held.count * Page.size
      let run: HeldRun
      do throws(PageError) {
        run = try holdFaulting(address, options, pages: pages - held.count)
      } catch {
        return error
      }
      if run.isPart { held.append(run: run.first, count: run.count) } else { held.append(run.first) }
      events.add(UInt64(run.count), to: Counters.slowIndex)
    }
    return nil
  }

  /// How often a long-term pin tries to move a page out of its movable frame before it fails with `outOfMemory`.
  ///
  /// A move fails while another thread holds the page. Ten tries outlast short holds, and a lasting one must end the
  /// pin: Linux tries a migration ten times as well (`NR_MAX_MIGRATE_PAGES_RETRY`).
  private static var moveLimit: Int { 10 }

  /// What one look holds: a base page, or neighbours in a 2 MiB frame by one count.
  private struct HeldRun {
    let first: Frame
    var isPart = false
    var count = 1
  }

  /// What one look at a page says.
  private enum Look {
    case held(HeldRun)
    case needs(FaultAccess)
    /// The page must leave its movable frame first.
    case needsMove
    /// The entry is changing: look again.
    case again
    case failed(PageError)
  }

  /// Holds the page at `address`, and up to `pages` neighbours behind one huge entry. It faults as often as that takes.
  private func holdFaulting(
    _ address: VirtualAddress, _ options: PinOptions, pages: Int
  ) throws(PageError) -> HeldRun {
    guard address < VirtualAddress.limit else { throw .badAddress }
    var turns = 0
    var moves = 0
    while true {
      var result = look(at: address, options, pages)
      // While `map` replaces a mapping, a look-up without the lock may find neither the old one nor the new one. So an
      // error is believed only under the lock.
      if case .failed = result, !faultsHoldMmapLock {
        result = mmapLock.reading(at: address) { _ in look(at: address, options, pages) }
      }
      switch result {
      case .held(let run):
        return run
      case .again:
        PTEPointer.wait(&turns)
      case .failed(let error):
        throw error
      case .needsMove:
        moves += 1
        guard moves <= Self.moveLimit else { throw .outOfMemory }
        try leavingFaultLock { () throws(PageError) in try moveOut(pageAt: address) }
      case .needs(let access):
        if options.contains(.noFault) { throw .badAddress }
        let movable = !options.contains(.longTerm)
        do throws(PageError) {
          if faultsHoldMmapLock {
            try handleFault(at: address, access, movable: movable)
          } else {
            try fault(at: address, access, movable: movable)
          }
        } catch {
          // What is a signal for the program is an error for the pinning caller.
          throw error.isLackOfMemory ? error : .badAddress
        }
      }
    }
  }

  private func look(at address: VirtualAddress, _ options: PinOptions, _ pages: Int) -> Look {
    underTableLock(address) { look(at: address, options, pages, $0) }
  }

  private func look(
    at address: VirtualAddress, _ options: PinOptions, _ pages: Int, _ section: RCU.Section
  ) -> Look {
    guard let mapping = mappings.find(address, section) else { return .failed(.badAddress) }
    if let error = mapping.value.refuses(options) { return .failed(error) }
    let write = options.contains(.write)
    let force = options.contains(.force)
    let forced: FaultAccess = write ? .forcedWrite : .forcedRead
    let needed: FaultAccess = force ? forced : write ? .write : .read
    YieldPoint.slowPinBetweenMappingAndEntry.reach()
    guard let leaf = table.leaf(for: address, section) else { return .needs(needed) }
    let pte = leaf.pte
    // ORDERING [lock-then-validate]: the entry first, the mapping's state after. An entry that another mapping was
    // given since is not judged by this mapping's rules.
    if pte.isBusy || mapping.value.isDetached { return .again }
    guard pte.isMapped else { return .needs(needed) }
    // While a protection change is under way the entry may still be protnone. A fault waits for it.
    if pte.isProtNone, !force { return .needs(needed) }
    if write, !mayWrite(pte, force: force) { return .needs(needed) }
    // Without a descriptor there is nothing to take a reference on, whatever the caller may do.
    let isNormal = isNormal(pte, at: leaf.start(for: address), in: mapping)
    guard isZeroPage(pte) || isNormal else { return .failed(.badAddress) }
    if !write, mustUnshare(pte, mapping, options) { return .needs(.unshare) }
    if isNormal, options.contains(.longTerm), frames.isMovable(pte.pfn) { return .needsMove }
    let folio = frames.frame(isNormal ? pte.folioPFN : pte.pfn)
    // Otherwise `retain` would be refused again and again.
    if folio.isAtLimit { return .failed(.outOfMemory) }
    guard let marked = markedAccessed(leaf), retain(folio, options.holdDelta, behind: marked) else { return .again }
    // There is one zero page, whatever size the entry maps.
    guard isNormal, pte.isHuge else { return .held(HeldRun(first: folio)) }
    let count = leaf.isLowestLevel ? 1 : min(pages, Page.pagesPerHuge - address.pageInHuge)
    return .held(HeldRun(first: frames.frame(leaf.pfn(at: address)), isPart: true, count: count))
  }

  /// Whether a holder may store to the page behind an entry. With `force` also to a private copy that the program
  /// itself cannot store to (`can_follow_write_pte`).
  private func mayWrite(_ pte: PTE, force: Bool) -> Bool {
    pte.isWritable || (force && pte.isExclusive && pte.isDirty)
  }

  /// Whether a pin for reading must first get a page that pin and program will always share (`gup_must_unshare`).
  private func mustUnshare(_ pte: PTE, _ mapping: VMATree.Mapping, _ options: PinOptions) -> Bool {
    if options.contains(.get) { return false }
    if pte.isAnonymous { return !pte.isExclusive }
    // A file's page, or the zero page, in a private mapping: the program's next store would leave it.
    return options.contains(.longTerm) && mapping.value.isPrivate
  }
}

extension VMA {
  /// Why pages of this mapping cannot be pinned this way at all, or nil if they can (`check_vma_flags`).
  func refuses(_ options: PinOptions) -> PageError? {
    if attributes.isPFN || attributes.isSecret { return .badAddress }
    let force = options.contains(.force)
    if options.contains(.write) {
      // The device could store for ever, and the file would never be clean (`writable_file_mapping_allowed`). A memory
      // file may.
      if options.contains(.longTerm), attributes.isShared, attributes.writesBack { return .badAddress }
      if attributes.protection.contains(.write) { return nil }
      return force && isPrivate ? nil : .badAddress
    }
    // Without PROT_READ, although a load of the program works where it may store.
    return attributes.protection.contains(.read) || force ? nil : .badAddress
  }
}
