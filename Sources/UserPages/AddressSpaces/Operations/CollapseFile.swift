/// `MADV_COLLAPSE` of what shows a memory file, shared anonymous memory among it (`collapse_pte_mapped_thp`).
///
/// The file puts its pages into one frame (`PageCacheFile+Collapse.swift`), with no lock of a space held. Then the
/// space that was advised gets one entry of 2 MiB:
///
///     the space, holding the mmap lock for writing       accesses and pins inside a section
///     1. the mapping is write-locked                      faults install no more ([lock-then-validate])
///     2. the link to the node becomes a migration entry   the next ones find no node, fault, and wait for the lock
///     3. a grace period                                   those inside the node have ended
///     4. looks at the entries and at the file's places: a
///        private copy, a guard marker or a frame that the
///        file has no more stays where it is, and the link
///        comes back
///     5. stores the huge entry, retires the node          the next ones find the same frame
///
/// The entries of the node show parts of the one frame, and the huge entry shows the same bytes. So a pin stays what it
/// is, and holders are not looked at.
///
/// ORDERING [lock-then-validate]: the file may lose a page meanwhile. It empties or withholds the place, then empties
/// entries under the mmap lock. If 4 finds the place as it was, the file's turn of the lock comes after 5, and it finds
/// the huge entry. Otherwise 4 finds another place, and asks the file again. The file's sequence would do as well, but
/// it moves with every other page too. A break-up changes no place, and ends no frame that the answer references.
///
/// Other spaces that show the file have lost their entries. A node without entries is given back, so that their next
/// fault may map 2 MiB. A node in which a fault was faster stays, and shows the parts one by one.
extension AddressSpace {
  /// How an attempt at the entry ended.
  private enum EntryAttempt {
    case done
    /// The file has changed, or there is no node above the entry yet: ask again.
    case again
    case failed(PageError, endsAdvice: Bool)
  }

  /// How an attempt at 2 MiB of a file ended.
  struct FileCollapseFailure: Error {
    let error: PageError
    /// Whether the rest of the advice is given up, as on Linux.
    let endsAdvice: Bool
  }

  /// How often a space asks for a frame that other threads take pages out of.
  private static let fileAttemptLimit = 64

  /// Puts the 2 MiB at `start` together in the file that they show, and in one entry.
  func collapseFile(at start: VirtualAddress) throws(FileCollapseFailure) {
    guard let (file, page) = memoryFile(at: start) else {
      throw FileCollapseFailure(error: .invalidArgument, endsAdvice: true)
    }
    var kept: [any BackingUser] = []
    // A space may end with the last reference here: when no lock is held.
    defer { withExtendedLifetime(kept) {} }
    do throws(PageError) { try file.collapse(from: page, keepingIn: &kept) } catch {
      throw FileCollapseFailure(error: error, endsAdvice: error != .tryAgain)
    }
    YieldPoint.fileCollapseBetweenPagesAndEntry.reach()
    for user in kept { user.reclaimTables(showing: page..<page + Page.pagesPerHuge, of: file) }
    for _ in 0..<Self.fileAttemptLimit {
      switch mapWhole(start, file, page) {
      case .done: return
      case .failed(let error, let endsAdvice): throw FileCollapseFailure(error: error, endsAdvice: endsAdvice)
      case .again:
        // Makes the nodes above the entry. What the fault cannot have, the next attempt reports.
        do throws(PageError) { try fault(at: start, .forcedRead) } catch { continue }
      }
    }
    throw FileCollapseFailure(error: .tryAgain, endsAdvice: false)
  }

  /// The memory file that a mapping shows aligned at `start`, and the page of it there.
  private func memoryFile(at start: VirtualAddress) -> (PageCacheFile, page: Int)? {
    mmapLock.reading(start.hugeRange) { reader in
      guard let mapping = mappings.find(start, reader), mapping.value.covers(start.hugeRange),
        let file = mapping.value.memoryFile
      else { return nil }
      let page = mapping.value.backingPage(of: start)
      return page % Page.pagesPerHuge == 0 ? (file, page) : nil
    }
  }

  private func mapWhole(_ start: VirtualAddress, _ file: PageCacheFile, _ page: Int) -> EntryAttempt {
    let question = FaultQuestion(backing: file, page: page, write: false, isHuge: true)
    let answer = BackingAnswer(to: question, in: memory)
    guard case .frame(let first) = answer.content else {
      // The file ends inside, or has lost a page since. Faults map what there is page by page.
      return obstacle(in: start.hugeRange, showing: file.firstPart(from: page)) ?? .done
    }
    let folio = frames.frame(first)
    guard folio.addHugeMapping() else { return .failed(.outOfMemory, endsAdvice: true) }
    // ORDERING [map-then-flush]: the mapping is counted, the clean bits are looked at after.
    for index in 0..<Page.pagesPerHuge { memory.dataCacheClean(first + index) }
    YieldPoint.fileCollapseBetweenAnswerAndLock.reach()
    let (attempt, isMapped) = mmapLock.writing(start.hugeRange, in: mappings) { writer in
      mapWhole(start, first, of: file, page, writer)
    }
    if isMapped { answer.handOver() } else { folio.removeHugeMapping() }
    memory.deferred.drainIfFull()
    return attempt
  }

  /// Steps 1 to 5. Returns whether the entry owns a reference and a mapping of the frame now, too.
  private func mapWhole(
    _ start: VirtualAddress, _ first: PFN, of file: PageCacheFile, _ page: Int, _ writer: borrowing MmapWriter
  ) -> (EntryAttempt, isMapped: Bool) {
    guard let mapping = mappings.find(start, writer.reader), mapping.value.covers(start.hugeRange),
      mapping.value.memoryFile === file, mapping.value.backingPage(of: start) == page
    else { return (.failed(.invalidArgument, endsAdvice: true), false) }
    // ORDERING [lock-then-validate]: write-locked before the collapse looks at any entry.
    mapping.value.setState(.writeLocked)
    defer { mapping.value.setState(.live) }
    guard let ptep = table.hugePTEP(for: start, writer) else { return (.again, false) }
    let before = revokingTranslations(of: start.hugeRange) {
      ptep.update { $0.mapsHuge ? nil : PTE(.migration, payload: 0) }
    }
    if before.mapsHuge { return (.done, false) }
    YieldPoint.collapseBetweenUnlinkAndLook.reach()
    // Inside the lock, as in a fork: no thread waits for the lock inside a section.
    RCU.synchronize()
    let node = TableNode(link: before)
    let obstacle = node.flatMap { Self.obstacle(in: $0, showing: first) }
    if let failure = file.shows(first, wholeFrom: page) ? obstacle : .again {
      ptep.store(before)
      return (failure, false)
    }
    let entry = PTE(mapping: first).with(PTELayout.huge)
    ptep.store(mapping.value.attributes.protection == .none ? entry.withoutAccess : entry)
    if let node { retire(node, from: start, in: mapping) }
    return (.done, true)
  }

  /// The first entry of a node that shows anything else than its part of a frame. As on Linux, a private copy or a
  /// frame that the file has dropped ends the advice, and what is not present does not.
  ///
  /// - Parameter first: the frame. Nil if the file has no such frame any more: then only private copies are looked for.
  private static func obstacle(in node: TableNode, showing first: PFN?) -> EntryAttempt? {
    for index in 0..<TableNode.entryCount {
      let pte = node[index].waitUntilUnlocked()
      if pte.isEmpty { continue }
      if pte.isMapped, !pte.isAnonymous, first.map({ $0 + index == pte.pfn }) ?? true { continue }
      return .failed(.invalidArgument, endsAdvice: pte.isMapped)
    }
    return nil
  }

  private func obstacle(in range: Range<VirtualAddress>, showing first: PFN?) -> EntryAttempt? {
    mmapLock.reading(range) { reader in
      var cursor = table.cursor(over: range, reader)
      while let step = cursor.next() {
        if case .base(let run) = step, let obstacle = Self.obstacle(in: run.node, showing: first) { return obstacle }
      }
      return nil
    }
  }
}

extension VMA {
  /// The memory file that the mapping shows by frames with references.
  var memoryFile: PageCacheFile? {
    attributes.isSpecial || attributes.isSecret ? nil : attributes.backing as? PageCacheFile
  }
}
