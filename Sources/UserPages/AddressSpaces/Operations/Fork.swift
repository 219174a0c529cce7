extension AddressSpace {
  /// A child with the same mappings: private memory is copied on write, shared memory is shared (`fork(2)`'s
  /// `dup_mmap`).
  ///
  /// Anonymous pages that are pinned are copied into the child at once and stay the parent's own. So a device never
  /// writes to a page that the parent has left behind. Mappings advised `dontFork` are not inherited. Mappings advised
  /// `wipeOnFork` are inherited without their pages. Locks are not inherited. Mappings that never had a private page
  /// are not copied: the child faults their pages anew.
  ///
  /// - Precondition: not called inside a read-side section.
  /// - Throws: `outOfMemory` if a pinned page cannot be copied, a frame has too many references or the process lacks
  ///   memory for a table node, after reclaim. Pages may have become copy-on-write.
  /// - Complexity: O(pages of private memory, and of mappings by number).
  public func fork() throws(PageError) -> AddressSpace {
    var hasDrained = false
    while true {
      do throws(PageError) {
        return try attemptFork()
      } catch {
        guard error == .outOfMemory else { throw error }
        // Under no lock. First, once: release deferred objects, which may hold memory. Then reclaim.
        let hasReleased = hasDrained ? false : memory.deferred.drain()
        hasDrained = true
        guard hasReleased || memory.reclaimForAllocation() > 0 else { throw error }
      }
    }
  }

  private func attemptFork() throws(PageError) -> AddressSpace {
    let child = AddressSpace(memory, engine: engine)
    var failure: PageError?
    mmapLock.writing { writer in
      var inherited: [VMATree.Mapping] = []
      mappings.forEach(in: VirtualAddress(0)..<VirtualAddress.limit, writer.reader) { mapping in
        if mapping.value.attributes.dontFork { return }
        inherited.append(mapping)
        // ORDERING [lock-then-validate]: write-locked before the fork looks at any entry, so that no fault makes
        // writable a page that the fork has write-protected.
        mapping.value.setState(.writeLocked)
      }
      defer { for mapping in inherited { mapping.value.setState(.live) } }

      var isWriteProtected = false
      var shared = SharedParts()
      for mapping in inherited where mapping.value.sharesPagesOnFork {
        if writeProtect(mapping.value.range, writer, &shared) { isWriteProtected = true }
      }
      YieldPoint.forkBetweenProtectAndCopy.reach()
      // Inside the lock, unlike a teardown's grace period. Until every store through a writable entry has landed, no
      // page may be copied or shared. The faults that would copy one wait for this lock. No thread waits for the
      // lock inside a section, so this cannot deadlock. Other operations on this space wait for one grace period.
      if isWriteProtected { RCU.synchronize() }
      // ORDERING [slot-then-leave]: the entries were changed, a grace period has passed, the slots are looked at now.
      let pins = PinsAtFork(in: frames, sparing: shared)

      // The child's lock too: a backing that moves pages learns of the child, and must not look at it before it is
      // whole.
      child.mmapLock.writing { childWriter in
        do throws(PageError) {
          try inherit(inherited, by: child, pins, writer, childWriter)
        } catch {
          failure = error
          for mapping in inherited where mapping.value.sharesPagesOnFork { keepPinned(mapping, pins, writer) }
        }
      }
    }
    YieldPoint.forkBetweenUnlockAndReturn.reach()
    memory.deferred.drainIfFull()
    if let failure {
      child.exit()
      throw failure
    }
    return child
  }

  /// Gives the child the mappings, and the entries that it cannot fault anew.
  private func inherit(
    _ inherited: [VMATree.Mapping], by child: AddressSpace, _ pins: PinsAtFork, _ writer: borrowing MmapWriter,
    _ childWriter: borrowing MmapWriter
  ) throws(PageError) {
    var failure: PageError?
    child.mayHoldGuards.store(mayHoldGuards.load(ordering: .relaxed), ordering: .relaxed)
    child.mayHoldSeals.store(mayHoldSeals.load(ordering: .relaxed), ordering: .relaxed)
    for mapping in inherited {
      // ORDERING [attach-then-copy]: in one turn of the lock with the entries, so that a backing that changes a page's
      // entries finds the child.
      mapping.value.attributes.users?.add(child)
      var attributes = mapping.value.attributes
      attributes.isLocked = false
      // Each as it is in the parent: neighbours that could be one mapping stay two (`dup_mmap`).
      child.mappings.add(
        VMA(
          range: mapping.value.range, attributes: attributes, firstPage: mapping.value.firstPage,
          anonVMA: mapping.value.inheritsPages ? AnonVMA(in: child, hasParents: true) : .none), childWriter)
      // After a failure the other pages stay as they are: in no other space, and copied on the next store unless they
      // are pinned.
      guard failure == nil else { continue }
      // ORDERING [prepare-then-lock]: the mmap lock is held, so no fault gives it an `anon_vma` now.
      do throws(PageError) {
        if mapping.value.copiesEntries {
          try copyEntries(of: mapping, to: child, pins, writer, childWriter)
        } else if mayHoldGuards.load(ordering: .relaxed), mapping.value.attributes.isShared {
          try copyGuards(of: mapping, to: child, writer, childWriter)
        }
      } catch { failure = error }
    }
    child.mappings.publish(childWriter)
    if let failure { throw failure }
  }

  /// Makes the anonymous pages of a range read-only and no longer exclusive. Returns whether any was exclusive: then
  /// stores and pins by the old entries may be under way. Adds parts of 2 MiB frames that were not exclusive to
  /// `shared`.
  private func writeProtect(
    _ range: Range<VirtualAddress>, _ writer: borrowing MmapWriter, _ shared: inout SharedParts
  ) -> Bool {
    var isWriteProtected = false
    func writeProtected(_ pte: PTE) -> PTE {
      pte.without(PTELayout.writable, PTELayout.neverSlotPinned).with(PTELayout.cowShared)
    }
    var cursor = table.cursor(over: range, writer)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        let before = revokingTranslations(of: span.range) {
          span.ptep.update { $0.mapsHuge && $0.isExclusive ? writeProtected($0) : nil }
        }
        guard before.mapsHuge else {
          cursor.lookAgain()
          continue
        }
        if before.isExclusive { isWriteProtected = true }
      case .base(let run):
        revokingTranslations(of: run.range) {
          for (address, ptep) in run {
            let before = ptep.update { $0.isMapped && $0.isExclusive ? writeProtected($0) : nil }
            guard before.isMapped, before.isAnonymous else { continue }
            if before.isExclusive { isWriteProtected = true } else if before.isHuge { shared.append(address) }
          }
        }
      }
    }
    return isWriteProtected
  }

  /// Makes the pinned pages of a mapping exclusive again after a fork that failed: a copy would part pin and program.
  /// The child holds none of them: a page that is not exclusive cannot be pinned.
  private func keepPinned(_ mapping: VMATree.Mapping, _ pins: PinsAtFork, _ writer: borrowing MmapWriter) {
    func restored(_ pte: PTE, _ address: VirtualAddress) -> PTE? {
      guard pte.isMapped, pte.isAnonymous, !pte.isExclusive, pins.isPinned(pte, at: address) else { return nil }
      return exclusiveAgain(pte, mapping: mapping)
    }
    var cursor = table.cursor(over: mapping.value.range, writer)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        let before = span.ptep.update { $0.mapsHuge ? restored($0, span.range.lowerBound) : nil }
        if !before.mapsHuge { cursor.lookAgain() }
      case .base(let run):
        for (address, ptep) in run { _ = ptep.update { restored($0, address) } }
      }
    }
  }

  func exclusiveAgain(_ pte: PTE, mapping: VMATree.Mapping) -> PTE {
    let exclusive = pte.without(PTELayout.cowShared)
    let writable = mapping.value.attributes.protection.contains(.write) && !pte.isProtNone
    return writable ? exclusive.with(PTELayout.writable) : exclusive
  }
}

extension VMA {
  /// Whether a fork's child needs the parent's entries. It faults the others anew (`vma_needs_copy`).
  fileprivate var copiesEntries: Bool { attributes.isPFN || attributes.isMixed || sharesPagesOnFork }
}
