extension AddressSpace {
  /// A child that shares everything by copy-on-write (`fork(2)`'s `dup_mmap`).
  ///
  /// Anonymous pages that are pinned are copied into the child at once and stay the parent's own, so that a device never
  /// writes to a page that the parent has left behind. Mappings advised `dontFork` are not inherited. File mappings without
  /// private pages are not copied: the child faults them anew.
  ///
  /// - Throws: `outOfMemory` where a pinned page cannot be copied; nothing changed but that pages became copy-on-write.
  public func fork() throws(PageError) -> AddressSpace {
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

      var lowered = false
      for mapping in inherited where mapping.value.isPrivate {
        if writeProtect(mapping.value.range) { lowered = true }
      }
      YieldPoint.forkBetweenProtectAndCopy.reach()
      // Inside the lock, unlike everywhere else: until every store through a writable entry has landed, no page may be
      // copied or shared, and the faults that would copy one wait for this lock. Readers never wait for the lock inside a
      // section, so this cannot deadlock; it holds up other changes of this space for one grace period.
      if lowered { RCU.synchronize() }
      // ORDERING [slot-then-leave]: the entries were changed, a grace period has passed, the slots are looked at now.
      let slots = PinSlots.snapshot()

      var old = VMATree.Replaced()
      for mapping in inherited {
        mapping.value.attributes.kind.backing?.attach(child)
        child.mappings.insert(
          mapping.value.range, mapping.value.attributes, firstPage: mapping.value.firstPage, replacing: &old)
        // Under memory pressure the rest stays as it is: shared with nobody, but for what is pinned copied on the next store.
        guard failure == nil, copiesEntries(of: mapping) else { continue }
        do throws(PageError) { try copyEntries(of: mapping, to: child, slots) } catch { failure = error }
      }
      child.mappings.publish()
      child.mappings.retire(old)
      if failure != nil {
        for mapping in inherited where mapping.value.isPrivate { keepPinned(mapping, slots) }
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
    table.forEachNode(in: mapping.value.range) { _, node, indices in
      for index in indices where node[index].load().isAnonymous {
        hasPrivatePages = true
        return false
      }
      return true
    }
    return hasPrivatePages
  }

  /// Makes the anonymous pages of a range read-only and no longer exclusive. Returns whether any was exclusive: then stores
  /// may linger, and pins may be under way.
  private func writeProtect(_ range: Range<VirtualAddress>) -> Bool {
    var lowered = false
    table.forEachEntry(in: range) { _, place in
      let before = place.update { entry in
        entry.isMapped && entry.isExclusive ? entry.without(PTELayout.writable).with(PTELayout.cowShared) : nil
      }
      if before.isMapped, before.isExclusive { lowered = true }
    }
    return lowered
  }

  /// Gives the child the parent's entries of a mapping. Nobody else sees the child yet.
  private func copyEntries(
    of mapping: VMATree.Mapping, to child: AddressSpace, _ slots: PinSlots
  ) throws(PageError) {
    var failure: PageError?
    var spare = SpareNodes(memory)
    table.forEachNode(in: mapping.value.range) { start, node, indices in
      var childNode: TableNode?
      for index in indices {
        let place = node[index]
        // A fault may hold an entry for a moment before it finds the mapping sealed.
        let entry = place.settled()
        guard entry.isMapped else { continue }
        let into = childNode ?? child.makeNode(for: start, using: &spare)
        childNode = into
        let target = into[index]
        let address = start + (index - indices.lowerBound) * Page.size
        guard let frame = normalFrame(entry, at: address, in: mapping) else {
          target.store(entry)
          continue
        }
        guard entry.isAnonymous else {
          frame.takeForMapping()
          target.store(entry)
          continue
        }
        // ORDERING [change-then-count]: the entry was lowered and a grace period has passed; the pins are looked at now. A
        // pin that is not seen here will find the entry lowered at its second look. Only an exclusive page can have been
        // pinned, so one that is pinned was exclusive until this fork, and is again.
        if isPinned(frame, slots) {
          do throws(PageError) {
            target.storeUnseen(try copyPinned(entry, mapping: mapping))
          } catch {
            failure = error
          }
          // Not a plain store: a fault may hold the place until it finds the mapping sealed, and would undo it.
          _ = place.update { _ in exclusiveAgain(entry, mapping: mapping) }
          if failure != nil { return false }
          continue
        }
        frame.takeForMapping()
        // The reverse map may look at the child already; an anonymous entry is none of its business.
        target.storeUnseen(entry)
      }
      return true
    }
    if let failure { throw failure }
  }

  /// Gives the pinned pages of a mapping back to it after a fork that failed: a copy would part pin and program. What the
  /// child got is not among them: nobody can pin what is not exclusive.
  private func keepPinned(_ mapping: VMATree.Mapping, _ slots: PinSlots) {
    table.forEachEntry(in: mapping.value.range) { _, place in
      _ = place.update { entry in
        guard entry.isMapped, entry.isAnonymous, !entry.isExclusive else { return nil }
        let frame = frames.frame(entry.pfn)
        return isPinned(frame, slots) ? exclusiveAgain(entry, mapping: mapping) : nil
      }
    }
  }

  /// Whether somebody pins a frame, by its counts or by a slot. After the entry was changed and a grace period has passed.
  private func isPinned(_ frame: Frame, _ slots: PinSlots) -> Bool { frame.pins > 0 || slots.pins(of: frame) > 0 }

  private func exclusiveAgain(_ entry: PTE, mapping: VMATree.Mapping) -> PTE {
    let exclusive = entry.without(PTELayout.cowShared)
    let writable = mapping.value.attributes.protection.contains(.write) && !entry.isProtNone
    return writable ? exclusive.with(PTELayout.writable) : exclusive
  }

  /// A child's own copy of a page that is pinned in the parent.
  private func copyPinned(_ entry: PTE, mapping: VMATree.Mapping) throws(PageError) -> PTE {
    let pfn = try memory.allocateFrame()
    frames.bytes(of: pfn).copy(page: frames.bytes(of: entry.pfn))
    frames.frame(pfn).begin(anonymous: true, mapped: true)
    counts.add(1, to: Counters.copyIndex)
    return exclusiveAgain(entry.mapping(pfn), mapping: mapping)
  }

  /// The place for an entry of a space that nobody else uses yet, or of one whose mmap lock is held for writing.
  func makeEntry(for address: VirtualAddress, using spare: inout SpareNodes) -> PageTableEntry {
    while true {
      if let place = table.entry(for: address, using: &spare) { return place }
      spare.add()
    }
  }

  /// As `makeEntry`, the node of the lowest level.
  private func makeNode(for address: VirtualAddress, using spare: inout SpareNodes) -> TableNode {
    while true {
      if let node = table.lowestNode(for: address, using: &spare) { return node }
      spare.add()
    }
  }
}
