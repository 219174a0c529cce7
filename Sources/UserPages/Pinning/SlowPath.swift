/// The slow path (`__get_user_pages`): looks at the mapping, faults in what is missing, says why where it cannot.
extension AddressSpace {
  @usableFromInline @inline(never)
  func pinSlowly(at address: VirtualAddress, _ options: PinOptions) throws(PageError) -> PinnedPage {
    guard options.isLegal else { throw .invalidArgument }
    if options.contains(.fastOnly) { throw .tryAgain }
    precondition(!RCU.isReading, "inside a read-side section only the fast path can pin: ask for `fastOnly`")
    // No array of one: the baseline is to cost its locks, not an allocation.
    let locks = tableLocks != nil
    if locks { mmapLock.lockForReading() }
    defer { if locks { mmapLock.unlock() } }
    let taken = try takeSlowly(address.pageStart, options, pages: 1, holdsLock: locks)
    events.add(1, to: Counters.slowIndex)
    return PinnedPage(
      taken.isPart
        ? HeldFrame(part: taken.frame, memory, counts: options.counts)
        : HeldFrame(taken.frame, memory, counts: options.counts))
  }

  /// Appends the pages of a range that `held` does not have yet; returns what stopped it.
  func pinSlowly(
    from address: VirtualAddress, pages: Int, _ options: PinOptions, into held: inout HeldFrames
  ) -> PageError? {
    precondition(!RCU.isReading, "inside a read-side section only the fast path can pin: ask for `fastOnly`")
    // The `locked` engine holds the mmap lock over the whole call, as Linux 2.6.24 did. The others need no lock: each page
    // is looked up, and looked at again, like on the fast path.
    let locks = tableLocks != nil
    if locks { mmapLock.lockForReading() }
    defer { if locks { mmapLock.unlock() } }
    while held.count < pages {
      let at = address + held.count * Page.size
      let taken: Taken
      do throws(PageError) {
        taken = try takeSlowly(at, options, pages: pages - held.count, holdsLock: locks)
      } catch {
        return error
      }
      if taken.isPart { held.append(run: taken.frame, count: taken.count) } else { held.append(taken.frame) }
      events.add(UInt64(taken.count), to: Counters.slowIndex)
    }
    return nil
  }

  /// A page that was taken; as part of 2 MiB, with as many behind it as one entry maps and were asked for, by one count.
  private struct Taken {
    let frame: Frame
    var isPart = false
    var count = 1
  }

  /// What one look at a page says.
  private enum Verdict {
    case taken(Taken)
    case needs(FaultAccess)
    case again
    case failed(PageError)
  }

  private func takeSlowly(
    _ address: VirtualAddress, _ options: PinOptions, pages: Int, holdsLock: Bool
  ) throws(PageError) -> Taken {
    guard address < VirtualAddress.limit else { throw .badAddress }
    var turns = 0
    while true {
      var verdict = look(address, options, pages)
      // A hole may be what a replacement of a mapping looks like from inside: believed where no writer is at work.
      if case .failed = verdict, !holdsLock { verdict = mmapLock.reading { look(address, options, pages) } }
      switch verdict {
      case .taken(let taken):
        return taken
      case .again:
        PTEPointer.wait(&turns)
      case .failed(let error):
        throw error
      case .needs(let access):
        if options.contains(.noFault) { throw .badAddress }
        do throws(PageError) {
          if holdsLock { try resolve(address, access, holdsLock: true) } else { try fault(at: address, access) }
        } catch {
          // What would be a signal for the program is an error for whoever pins.
          throw error == .outOfMemory ? .outOfMemory : .badAddress
        }
      }
    }
  }

  private func look(_ address: VirtualAddress, _ options: PinOptions, _ pages: Int) -> Verdict {
    guard let tableLocks else { return RCU.read { lookInSection(address, options, pages) } }
    return tableLocks.locked(address) { RCU.read { lookInSection(address, options, pages) } }
  }

  private func lookInSection(_ address: VirtualAddress, _ options: PinOptions, _ pages: Int) -> Verdict {
    guard let mapping = mappings.find(address) else { return .failed(.badAddress) }
    if let error = mapping.value.refuses(options) { return .failed(error) }
    let write = options.contains(.write)
    let force = options.contains(.force)
    let forced: FaultAccess = write ? .forcedWrite : .forcedRead
    let needed: FaultAccess = force ? forced : write ? .write : .read
    guard let (ptep, mapsHuge) = table.leaf(for: address) else { return .needs(needed) }
    let pte = ptep.load()
    // ORDERING [lock-then-validate]: the entry first, the mapping's state after: an entry that another mapping was given since
    // is not judged by this one's rules.
    if pte.isBusy || mapping.value.isDetached || (mapsHuge && TableNode(link: pte) != nil) { return .again }
    guard pte.isMapped else { return .needs(needed) }
    // While a protection change is under way the entry may still be protnone; a fault waits for it.
    if pte.isProtNone, !force { return .needs(needed) }
    if write, !mayWrite(pte, force: force) { return .needs(needed) }
    // No descriptor to take a reference on, whatever the caller may do.
    let isNormal = isNormal(pte, at: mapsHuge ? address.hugeStart : address, in: mapping)
    guard isZeroPage(pte) || isNormal else { return .failed(.badAddress) }
    if !write, mustUnshare(pte, mapping, options) { return .needs(.unshare) }
    let folio = frames.frame(isNormal ? pte.folioPFN : pte.pfn)
    folio.retain(options.counts)
    // ORDERING [pin-then-look]: as on the fast path.
    guard ptep.load() == pte else {
      memory.put(folio, options.counts)
      return .again
    }
    // There is one page of zeroes, whatever the entry maps.
    guard isNormal, pte.isHuge else { return .taken(Taken(frame: folio)) }
    let page = mapsHuge ? pte.pfn + address.pageInHuge : pte.pfn
    let count = mapsHuge ? min(pages, Page.pagesPerHuge - address.pageInHuge) : 1
    return .taken(Taken(frame: frames.frame(page), isPart: true, count: count))
  }

  /// Whether a holder may write to the page behind an entry; by force also to a private copy that the program cannot write
  /// to itself (`can_follow_write_pte`).
  private func mayWrite(_ pte: PTE, force: Bool) -> Bool {
    pte.isWritable || (force && pte.isExclusive && pte.isDirty)
  }

  /// Whether a pin for reading must first have a page that pin and program will always share (`gup_must_unshare`).
  private func mustUnshare(_ pte: PTE, _ mapping: VMATree.Mapping, _ options: PinOptions) -> Bool {
    if options.contains(.get) { return false }
    if pte.isAnonymous { return !pte.isExclusive }
    // A file's page, or the zero page, in a private mapping: the program's next store would leave it.
    return options.contains(.longTerm) && mapping.value.isPrivate
  }
}

extension VMA {
  /// Why pages of this mapping cannot be had this way at all (`check_vma_flags`).
  func refuses(_ options: PinOptions) -> PageError? {
    if attributes.kind.isPFN { return .badAddress }
    let force = options.contains(.force)
    if options.contains(.write) {
      if attributes.protection.contains(.write) { return nil }
      return force && isPrivate ? nil : .badAddress
    }
    return attributes.protection != .none || force ? nil : .badAddress
  }
}
