/// From 512 entries of a page each to one of 2 MiB (`madvise_collapse`, `collapse_huge_page`): the contents are copied
/// into a 2 MiB frame.
///
///     collapse, holding the mmap lock for writing          accesses and pins inside a section
///     1. the mapping is write-locked                        faults install no more ([lock-then-validate])
///     2. the link to the node becomes a migration entry    the next ones find no node, fault, and wait for the lock
///     3. a grace period                                    those inside the node have ended: stores have landed, pins
///                                                          are counted or in a slot
///     4. counts and slots are looked at: if a page is
///        held, the link comes back
///     5. the pages are copied, the huge entry is stored    the next ones find the copy
///
/// That is private anonymous memory. What shows a memory file: `CollapseFile.swift`.
extension AddressSpace {
  /// What a part of the advice is about.
  struct CollapsiblePart {
    enum Kind { case anonymous, file }

    let range: Range<VirtualAddress>
    let kind: Kind
  }

  /// Collapses every aligned 2 MiB that lies wholly in a range, if it can be done.
  ///
  /// Pages that were not touched yet become zeroes. Pages that a fork left shared become this space's own.
  ///
  /// - Throws: of several obstacles the last one.
  ///   - `tryAgain` if a page is held by a get or a pin. The advice goes on behind it.
  ///   - `invalidArgument` for 2 MiB that were never touched, hold a guard marker, or show a private copy of a file's
  ///     page.
  ///   - `outOfMemory` if no 2 MiB are free in one piece.
  ///   - `file` if the swap file does not give a page of a memory file back.
  func collapse(_ part: CollapsiblePart) throws(PageError) {
    let first = part.range.lowerBound.hugeCeiling
    let end = part.range.upperBound.hugeStart
    if first > end { throw .invalidArgument }
    switch part.kind {
    case .anonymous: try collapseAnonymous(first..<end)
    case .file: try collapseFiles(first..<end)
    }
  }

  private func collapseFiles(_ range: Range<VirtualAddress>) throws(PageError) {
    var failure: PageError?
    var address = range.lowerBound
    while address < range.upperBound {
      do throws(FileCollapseFailure) { try collapseFile(at: address) } catch {
        failure = error.error
        if error.endsAdvice { break }
      }
      address = address + Page.hugeSize
    }
    memory.deferred.drainIfFull()
    if let failure { throw failure }
  }

  private func collapseAnonymous(_ range: Range<VirtualAddress>) throws(PageError) {
    var failure: PageError?
    var address = range.lowerBound
    // A reference that waits in the deferred queue would look like a holder's.
    memory.deferred.reclaim()
    while address < range.upperBound {
      do throws(PageError) { try collapseOne(address) } catch {
        failure = error
        // As on Linux: a page that is held ends the attempt at these 2 MiB, everything else the whole advice.
        if error != .tryAgain, hasTables(for: address) { break }
      }
      address = address + Page.hugeSize
    }
    if let failure { throw failure }
  }

  /// Whether the GiB around an address has a node of the second-lowest level.
  private func hasTables(for start: VirtualAddress) -> Bool { RCU.read { table.hugePTEP(for: start, $0) != nil } }

  private func collapseOne(_ start: VirtualAddress) throws(PageError) {
    let top = RCU.read { table.hugePTEP(for: start, $0)?.waitUntilUnlocked() ?? .empty }
    if top.mapsHuge { return }
    // Nothing to collapse: no 2 MiB are allocated.
    if top.isEmpty { throw .invalidArgument }
    try bringIn(start.hugeRange)
    guard let frame = memory.allocateHugeFrame(.mayReclaim) else { throw .outOfMemory }
    let result = mmapLock.writing(start.hugeRange, in: mappings) { writer in collapse(start, into: frame, writer) }
    memory.deferred.drainIfFull()
    switch result {
    case .success(true): break
    case .success(false): memory.discardHugeFrame(frame)
    case .failure(let error):
      memory.discardHugeFrame(frame)
      throw error
    }
  }

  /// Faults in the pages that are swapped out: a collapse copies mapped pages only. Where there is a guard marker,
  /// looks whether a page is held, which is reported first.
  private func bringIn(_ range: Range<VirtualAddress>) throws(PageError) {
    var hasGuard = false
    var pages: [PTE] = []
    let swapped = mmapLock.reading(range) { reader in
      var swapped: [VirtualAddress] = []
      var cursor = table.cursor(over: range, reader)
      while let step = cursor.next() {
        guard case .base(let run) = step else { continue }
        for (address, ptep) in run {
          let pte = ptep.load()
          if pte.isSwapped { swapped.append(address) }
          if pte.isGuard { hasGuard = true }
          if pte.isMapped { pages.append(pte) }
        }
      }
      return swapped
    }
    if hasGuard {
      let slots = PinSlotSnapshot(of: frames)
      throw pages.allSatisfy { isMovable($0, slots) } ? .invalidArgument : .tryAgain
    }
    for address in swapped { try fault(at: address, .forcedRead) }
  }

  /// Collapses one 2 MiB range into a frame. Returns whether the frame is used: it is not if an entry maps 2 MiB
  /// already.
  private func collapse(
    _ start: VirtualAddress, into first: PFN, _ writer: borrowing MmapWriter
  ) -> Result<Bool, PageError> {
    guard let mapping = mappings.find(start, writer.reader), mapping.value.covers(start.hugeRange),
      mapping.value.attributes.isAnonymous, mapping.value.anonVMA != .none
    else { return .failure(.invalidArgument) }
    // ORDERING [lock-then-validate]: write-locked before the collapse looks at any entry.
    mapping.value.setState(.writeLocked)
    defer { mapping.value.setState(.live) }
    guard let ptep = table.hugePTEP(for: start, writer) else { return .failure(.invalidArgument) }
    let link = ptep.waitUntilUnlocked()
    if link.mapsHuge { return .success(false) }
    guard let node = TableNode(link: link) else { return .failure(.invalidArgument) }
    let away = PTE(.migration, payload: 0)
    revokingTranslations(of: start.hugeRange) { ptep.store(away) }
    YieldPoint.collapseBetweenUnlinkAndLook.reach()
    // Inside the lock, as in a fork: no thread waits for the lock inside a section.
    RCU.synchronize()
    // ORDERING [change-then-count], [slot-then-leave]: the link was taken away, a grace period has passed, the holders
    // are looked at now.
    let slots = PinSlotSnapshot(of: frames)
    for index in 0..<TableNode.entryCount where !isMovable(node[index].waitUntilUnlocked(), slots) {
      ptep.store(link)
      return .failure(.tryAgain)
    }
    for index in 0..<TableNode.entryCount {
      let pte = node[index].load()
      let bytes = frames.bytes(of: first + index)
      if pte.isMapped, !isZeroPage(pte) { bytes.copy(page: frames.bytes(of: pte.pfn)) } else { bytes.fill(0) }
    }
    frames.beginHuge(first, anonymous: true, mapped: true)
    var huge = PTE(mapping: first).with(PTELayout.anonymous, PTELayout.dirty, PTELayout.huge)
    let protection = mapping.value.attributes.protection
    if protection.contains(.write) { huge.set(PTELayout.writable) }
    ptep.store(protection == .none ? huge.withoutAccess : huge)
    retire(node, from: start, in: mapping)
    return .success(true)
  }

  /// Whether the page of an entry that no walk reaches any more may be replaced by a copy.
  private func isMovable(_ pte: PTE, _ slots: PinSlotSnapshot) -> Bool {
    if pte.isEmpty { return true }
    guard pte.isMapped else { return false }
    if isZeroPage(pte) { return true }
    let folio = frames.frame(pte.folioPFN)
    // Pins are looked at separately, because references and mappings are not read in one moment. A fork of another
    // space may come in between and add both for its parts of 2 MiB. The new mapping would hide a pin's reference.
    if folio.pins > 0 || slots.holds(folio) { return false }
    switch folio.references - frames.mappings(of: pte.folioPFN) {
    case 0: return true
    // Another space's entry leads to the swap slot of the page. The swap cache keeps the frame for it.
    case 1: return memory.swap.caches(pte.folioPFN)
    default: return false
    }
  }

  /// Gives up a node that no walk reaches, and what its entries hold.
  func retire(_ node: TableNode, from start: VirtualAddress, in mapping: VMATree.Mapping) {
    var teardown = Teardown(memory.deferred)
    for index in 0..<TableNode.entryCount {
      let pte = node[index].clear()
      if pte.isMapped { deferPut(pte, at: start + index * Page.size, in: mapping, &teardown) }
    }
    teardown.deferFree(.tablePage(node.page))
    // A grace period has passed since the link was taken away.
    teardown.finishWithoutGracePeriod()
  }
}

extension VMA {
  /// What a collapse does to a part of the mapping: private memory that may hold pages, or a memory file that it shows
  /// aligned. Nil if the mapping holds no aligned 2 MiB, or shows anything else.
  func collapsible(_ part: Range<VirtualAddress>) -> AddressSpace.CollapsiblePart? {
    let first = range.lowerBound.hugeCeiling
    guard first + Page.hugeSize <= range.upperBound else { return nil }
    if attributes.isAnonymous {
      return anonVMA == .none ? nil : AddressSpace.CollapsiblePart(range: part, kind: .anonymous)
    }
    guard memoryFile != nil, backingPage(of: first) % Page.pagesPerHuge == 0 else { return nil }
    return AddressSpace.CollapsiblePart(range: part, kind: .file)
  }
}
