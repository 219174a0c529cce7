extension AddressSpace {
  /// A child that shares everything by copy-on-write (`fork(2)`'s `dup_mmap`).
  ///
  /// Anonymous pages that are pinned are copied into the child at once and stay the parent's own, so that a device never
  /// writes to a page that the parent has left behind. Mappings advised `dontFork` are not inherited. File mappings without
  /// private pages are not copied: the child faults them anew.
  ///
  /// - Throws: `outOfMemory` where a pinned page cannot be copied; nothing changed but that pages became copy-on-write.
  public func fork() throws(PageError) -> AddressSpace {
    do throws(PageError) {
      return try attemptFork()
    } catch {
      // Objects that wait for their release may hold memory. They are released under no lock.
      guard error == .outOfMemory, memory.deferred.drain() else { throw error }
      return try attemptFork()
    }
  }

  private func attemptFork() throws(PageError) -> AddressSpace {
    let child = AddressSpace(memory, engine: engine)
    var failure: PageError?
    mmapLock.writing {
      // The child's too: a backing that moves pages learns of it below, and must not look at it before it is whole.
      child.mmapLock.lockForWriting()
      defer { child.mmapLock.unlock() }
      var inherited: [VMATree.Mapping] = []
      mappings.forEach(in: VirtualAddress(0)..<VirtualAddress.limit) { mapping in
        if mapping.value.attributes.dontFork { return }
        inherited.append(mapping)
        // Faults must not make a page writable again behind this. ORDERING [lock-then-validate]: sealed before any entry is
        // looked at.
        mapping.value.setState(.sealed)
      }
      defer { for mapping in inherited { mapping.value.setState(.live) } }

      var isWriteProtected = false
      var shared = SharedParts()
      for mapping in inherited where mapping.value.isPrivate {
        if writeProtect(mapping.value.range, &shared) { isWriteProtected = true }
      }
      YieldPoint.forkBetweenProtectAndCopy.reach()
      // Inside the lock, unlike everywhere else: until every store through a writable entry has landed, no page may be
      // copied or shared, and the faults that would copy one wait for this lock. Readers never wait for the lock inside a
      // section, so this cannot deadlock; it holds up other changes of this space for one grace period.
      if isWriteProtected { RCU.synchronize() }
      // ORDERING [slot-then-leave]: the entries were changed, a grace period has passed, the slots are looked at now.
      let slots = PinSlotSnapshot()

      var old = VMATree.Replaced()
      for mapping in inherited {
        mapping.value.attributes.kind.backing?.attach(child)
        child.mappings.insert(
          mapping.value.range, mapping.value.attributes, firstPage: mapping.value.firstPage, replacing: &old)
        // Under memory pressure the rest stays as it is: shared with nobody, but for what is pinned copied on the next store.
        guard failure == nil, copiesEntries(of: mapping) else { continue }
        do throws(PageError) { try copyEntries(of: mapping, to: child, slots, shared) } catch { failure = error }
      }
      child.mappings.publish()
      // No thread can have found a mapping of the child that another one of its mappings replaced, but they go the usual way.
      var teardown = Teardown(memory.deferred)
      child.mappings.retire(old, &teardown)
      teardown.finishWithoutGracePeriod()
      if failure != nil {
        for mapping in inherited where mapping.value.isPrivate { keepPinned(mapping, slots, shared) }
      }
    }
    memory.deferred.drainIfFull()
    if let failure {
      child.exit()
      throw failure
    }
    return child
  }

  /// Whether a child needs the entries: what it can fault anew it need not be given (`vma_needs_copy`).
  private func copiesEntries(of mapping: VMATree.Mapping) -> Bool {
    let kind = mapping.value.attributes.kind
    if kind.isPFN || kind.isMixed { return true }
    guard mapping.value.isPrivate else { return false }
    var hasPrivatePages = false
    table.forEachNode(in: mapping.value.range) { span in
      let pte = span.ptep.waitUntilUnlocked()
      guard pte.mapsHuge else { return .again }
      // Linux inherits a huge page of zeroes, too.
      guard pte.isAnonymous || mapping.value.attributes.isAnonymous else { return .next }
      hasPrivatePages = true
      return .stop
    } _: { _, node, indices in
      for index in indices {
        // A fault may hold the one private page for a moment before it finds the mapping sealed.
        let pte = node[index].waitUntilUnlocked()
        guard pte.isMapped ? pte.isAnonymous : pte.isSwapped else { continue }
        hasPrivatePages = true
        return false
      }
      return true
    }
    return hasPrivatePages
  }

  /// Makes the anonymous pages of a range read-only and no longer exclusive. Returns whether any was exclusive: then stores
  /// may linger, and pins may be under way. Parts of 2 MiB frames that were not exclusive go to `shared`.
  private func writeProtect(_ range: Range<VirtualAddress>, _ shared: inout SharedParts) -> Bool {
    var isWriteProtected = false
    let lower = { (pte: PTE) in pte.without(PTELayout.writable, PTELayout.neverSlotPinned).with(PTELayout.cowShared) }
    table.forEachEntry(in: range) { span in
      let before = span.ptep.update { $0.mapsHuge && $0.isExclusive ? lower($0) : nil }
      if before.mapsHuge, before.isExclusive { isWriteProtected = true }
      return before.mapsHuge ? .next : .again
    } _: { address, ptep in
      let before = ptep.update { $0.isMapped && $0.isExclusive ? lower($0) : nil }
      guard before.isMapped, before.isAnonymous else { return }
      if before.isExclusive { isWriteProtected = true } else if before.isHuge { shared.append(address) }
    }
    return isWriteProtected
  }

  /// Gives the child the parent's entries of a mapping. Nobody else sees the child yet.
  private func copyEntries(
    of mapping: VMATree.Mapping, to child: AddressSpace, _ slots: PinSlotSnapshot, _ shared: SharedParts
  ) throws(PageError) {
    var failure: PageError?
    var spare = SpareNodes(memory)
    table.forEachNode(in: mapping.value.range) { span in
      do throws(PageError) {
        return try copyHuge(span, of: mapping, to: child, slots, using: &spare)
      } catch {
        failure = error
        return .next
      }
    } _: { start, node, indices in
      if failure != nil { return false }
      var childNode: TableNode?
      for index in indices {
        let ptep = node[index]
        // A fault may hold an entry for a moment before it finds the mapping sealed.
        let pte = ptep.waitUntilUnlocked()
        guard pte.isMapped || pte.isSwapped else { continue }
        let into = childNode ?? child.makeNode(for: start, using: &spare)
        childNode = into
        let target = into[index]
        guard pte.isMapped else {
          target.storeUnseen(shareSwapped(pte, at: ptep))
          continue
        }
        let address = start + (index - indices.lowerBound) * Page.size
        guard isNormal(pte, at: address, in: mapping) else {
          target.store(pte)
          continue
        }
        guard pte.isAnonymous else {
          guard takeForMapping(pte) else {
            failure = .outOfMemory
            return false
          }
          target.store(pte)
          continue
        }
        // ORDERING [change-then-count]: the entry was write-protected and a grace period has passed; the pins are looked at now. A
        // pin that is not seen here will find the entry write-protected at its second look. Only an exclusive page can have been
        // pinned, so one that is pinned was exclusive until this fork, and is again: but for a part of 2 MiB, which are
        // counted as a whole.
        if isPinned(frames.frame(pte.folioPFN), slots), !(pte.isHuge && shared.contains(address)) {
          do throws(PageError) {
            target.storeUnseen(try copyPinned(pte, mapping: mapping))
          } catch {
            failure = error
          }
          // Not a plain store: a fault may hold the place until it finds the mapping sealed, and would undo it.
          _ = ptep.update { _ in exclusiveAgain(pte, mapping: mapping) }
          if failure != nil { return false }
          continue
        }
        guard takeForMapping(pte) else {
          failure = .outOfMemory
          return false
        }
        // The reverse map may look at the child already; an anonymous entry is none of its business.
        target.storeUnseen(pte)
      }
      return true
    }
    if let failure { throw failure }
  }

  /// Gives the child an entry that maps 2 MiB; or splits it, where they are pinned: then each page is copied by itself.
  private func copyHuge(
    _ span: PageTable.HugeSpan, of mapping: VMATree.Mapping, to child: AddressSpace, _ slots: PinSlotSnapshot,
    using spare: inout SpareNodes
  ) throws(PageError) -> PageTable.AfterHuge {
    let pte = span.ptep.waitUntilUnlocked()
    guard pte.mapsHuge else { return .again }
    let isNormal = isNormal(pte, at: span.range.lowerBound, in: mapping)
    if isNormal {
      let folio = frames.frame(pte.pfn)
      // ORDERING [change-then-count]: as for a page.
      if pte.isAnonymous, isPinned(folio, slots) { return split(span, in: mapping) }
      guard folio.retain(Frame.oneReference) else {
        memory.put(folio, Frame.oneReference)
        throw .outOfMemory
      }
      folio.addHugeMapping()
    }
    // Nobody else knows the child, so nobody linked a node there.
    child.makeHugeEntry(for: span.range.lowerBound, using: &spare)?.store(pte)
    return .next
  }

  /// One more entry of the lowest level for what another maps. Returns false where the frame has too many references.
  private func takeForMapping(_ pte: PTE) -> Bool {
    let folio = frames.frame(pte.folioPFN)
    guard folio.retain(Frame.oneReference) else {
      memory.put(folio, Frame.oneReference)
      return false
    }
    frames.frame(pte.pfn).addMapping()
    return true
  }

  /// Gives the pinned pages of a mapping back to it after a fork that failed: a copy would part pin and program. What the
  /// child got is not among them: nobody can pin what is not exclusive.
  private func keepPinned(_ mapping: VMATree.Mapping, _ slots: PinSlotSnapshot, _ shared: SharedParts) {
    func restored(_ pte: PTE, _ address: VirtualAddress) -> PTE? {
      guard pte.isMapped, pte.isAnonymous, !pte.isExclusive, !(pte.isHuge && shared.contains(address)) else {
        return nil
      }
      return isPinned(frames.frame(pte.folioPFN), slots) ? exclusiveAgain(pte, mapping: mapping) : nil
    }
    table.forEachEntry(in: mapping.value.range) { span in
      span.ptep.update { $0.mapsHuge ? restored($0, span.range.lowerBound) : nil }.mapsHuge ? .next : .again
    } _: { address, ptep in
      _ = ptep.update { restored($0, address) }
    }
  }

  /// Whether somebody pins a frame, by its counts or by a slot. After the entry was changed and a grace period has passed.
  private func isPinned(_ frame: Frame, _ slots: PinSlotSnapshot) -> Bool {
    frame.pins > 0 || slots.pins(of: frame) > 0
  }

  private func exclusiveAgain(_ pte: PTE, mapping: VMATree.Mapping) -> PTE {
    let exclusive = pte.without(PTELayout.cowShared)
    let writable = mapping.value.attributes.protection.contains(.write) && !pte.isProtNone
    return writable ? exclusive.with(PTELayout.writable) : exclusive
  }

  /// A child's own copy of a page that is pinned in the parent.
  private func copyPinned(_ pte: PTE, mapping: VMATree.Mapping) throws(PageError) -> PTE {
    let pfn = try memory.allocateFrame(underLock: true)
    frames.bytes(of: pfn).copy(page: frames.bytes(of: pte.pfn))
    frames.frame(pfn).begin(anonymous: true, mapped: true)
    events.add(1, to: Counters.copyIndex)
    return exclusiveAgain(pte.mapping(pfn).without(PTELayout.huge), mapping: mapping)
  }
}
