/// From 512 pages of a memory file to one frame of 2 MiB (`collapse_file`): the contents are copied.
///
///     collapse, holding the change lock                  faults, `read`, `write`, pins
///     1. under `original`'s lock: the places are          a first touch under the same lock has filled its place
///        withheld, also empty ones                        before, or finds it withheld
///     2. advances the sequence                            with an older answer: ask again
///     3. empties the entries of the places' frames in     by an old entry: accesses and pins of the old frame
///        all spaces
///     4. a grace period                                   a look-up that found the frame before 1 has its reference,
///                                                         stores have landed, pins are counted or in a slot
///     5. freezes the frames: if one is held, all places   hold the frame: they have a reference, which came with the
///        come back                                        answer, the pin or the look-up
///     6. copies the pages                                 find no frame, wait for the change lock
///     7. the places get the parts of the new frame        find the copy
///     8. frees the old frames
///
/// From 1 to 7 no look-up finds a frame or fills a place. A thread that meets a withheld place waits for the change
/// lock, outside of sections and under no other lock. So it asks nothing again and again while the collapse waits.
///
/// ORDERING [lock-then-validate]: 2 and 3 against a fault's lock and look. 1 comes before 2: a fault that asks after 2
/// waits. So after 3 no entry shows an old frame.
///
/// ORDERING [change-then-count]: 1 and 3, then the grace period, then 5. One exchange looks at the counts and ends
/// them: see `Frame.freeze`. A frame has one reference for each place that it fills, and none else. A thread that knows
/// its number alone finds it free from then on.
///
/// ORDERING [slot-then-leave]: the entries were emptied, a grace period has passed, the pin slots are looked at. (The
/// deferred frees keep an entry's reference as long as a slot has the frame, so the references would show it too.)
///
/// ORDERING [last-put]: 5 acquires what was stored under references that were put before. So 6 copies every store. No
/// thread has an entry, a reference, a slot or a section with the old frame in 8.
///
/// ORDERING [slot-publish]: the copy comes before 7.
///
/// ORDERING [lock-then-begin]: a first touch begins its frame under `original`'s lock and relies on the place being
/// empty. A place that was withheld without that lock would take the frame of the first touch, and its store, away.
///
/// The change lock keeps off cuts, holes, drops, page-outs and other collapses. So a place that has a frame keeps it,
/// and no place gets a swap slot. A page that is out is brought in before, without the lock.
///
/// A hole in the file becomes part of the frame, and takes memory. If the file ends inside of the 2 MiB, its pages get
/// the first parts of the frame. The rest of the frame is not used, and no entry maps the frame whole. (Linux maps it,
/// and lets programs access what lies beyond the end.) Reclaim breaks such a frame up (`shmem_unused_huge_shrink`).
///
/// A frame that the file has dropped lives on where it is mapped. Its entries stay, and are no obstacle to the file.
///
/// Entries of locked mappings go too (`TTU_IGNORE_MLOCK`). The next access makes them again.
extension PageCacheFile {
  /// How an attempt at 2 MiB ended.
  private enum Attempt {
    /// The frame is whole if the file has a page for each part.
    case done(isWhole: Bool)
    /// The pages were in one frame already.
    case unneeded
    /// A page went to the swap file before the lock was taken.
    case isOut
    case failed(PageError)
  }

  /// How often pages are brought in that other threads page out.
  private static let attemptLimit = 16

  /// Puts the 2 MiB from `page` on into one frame, if they are not in one already.
  ///
  /// - Parameters:
  ///   - page: the first one. A multiple of 512.
  ///   - kept: gets the spaces that were asked. The caller releases them when it holds no lock.
  /// - Throws:
  ///   - `invalidArgument` if none of the pages was ever written or touched, or lies inside the file, or frames of the
  ///     file are mapped by number.
  ///   - `tryAgain` if a page is held by a get, a pin or a call under way.
  ///   - `outOfMemory` if no 2 MiB are free in one piece.
  ///   - `file` if the swap file does not give a page back.
  /// - Precondition: not inside a read-side section, nor holding a lock.
  func collapse(from page: Int, keepingIn kept: inout [any BackingUser]) throws(PageError) {
    if firstPart(from: page) != nil { return }
    guard let first = memory.allocateHugeFrame(.mayReclaim) else { throw .outOfMemory }
    do throws(PageError) {
      for _ in 0..<Self.attemptLimit {
        try bringIn(from: page)
        YieldPoint.fileCollapseBetweenPagesAndLock.reach()
        let attempt = changeLock.holding { () -> Attempt in copyTogether(page, into: first, &kept) }
        switch attempt {
        case .done(let isWhole):
          if !isWhole { leave([page]) }
          return
        case .isOut: continue
        case .unneeded:
          memory.discardHugeFrame(first)
          return
        case .failed(let error): throw error
        // The caller is called back under the lock.
        case nil: throw .tryAgain
        }
      }
      throw .tryAgain
    } catch {
      memory.discardHugeFrame(first)
      throw error
    }
  }

  /// The places of the 2 MiB from `page` on. They are fewer if the file cannot become so long.
  private func places(from page: Int) -> Range<Int> { page..<max(page, min(page + Page.pagesPerHuge, index.count)) }

  /// The first frame of these 2 MiB, if the file's pages there are the parts of one. A hint without the change lock.
  func firstPart(from page: Int) -> PFN? {
    let pages = page..<max(page, min(page + Page.pagesPerHuge, pageCount))
    return RCU.read { _ in
      guard !pages.isEmpty, let first = index[page], first.isHugeAligned, memory.frames.frame(first).has(Frame.hugeBit),
        hasParts(of: first, in: pages)
      else { return nil }
      return first
    }
  }

  /// Inside a section.
  private func hasParts(of first: PFN, in pages: Range<Int>) -> Bool {
    pages.allSatisfy { index[$0] == first + ($0 - pages.lowerBound) }
  }

  /// Brings in what is in the swap file.
  private func bringIn(from page: Int) throws(PageError) {
    var isAny = false
    for place in places(from: page) {
      while let slot = index.slot(at: place) {
        isAny = true
        guard let pfn = try swapIn(slot, ofPage: place) else { continue }
        memory.put(memory.frames.folio(of: pfn), Frame.oneReference)
      }
    }
    // A page that came back while it was being written is held by the write.
    if isAny { memory.swap.finishWrites() }
  }

  /// Steps 1 to 8, under the change lock.
  private func copyTogether(_ page: Int, into first: PFN, _ kept: inout [any BackingUser]) -> Attempt {
    guard mayMove.withLock({ $0 }), page < pageCount else { return .failed(.invalidArgument) }
    let places = places(from: page)
    if firstPart(from: page) != nil { return .unneeded }
    if places.contains(where: { index.slot(at: $0) != nil }) { return .isOut }
    guard let contents = withhold(places) else { return .failed(.invalidArgument) }
    YieldPoint.fileCollapseBetweenPlacesAndEntries.reach()
    moves.advance()
    let pages = places.filter { index.withheldFrame(at: $0) != nil }
    let frames = pages.compactMap { index.withheldFrame(at: $0) }
    _ = spaces.forEach(keepingIn: &kept) { user in
      user.unmap(frames, ofPages: pages, of: self, sparingLocked: false)
      return true
    }
    YieldPoint.fileCollapseBetweenEntriesAndGrace.reach()
    memory.waitForReadersOfOldEntries()
    YieldPoint.fileCollapseBetweenGraceAndLook.reach()
    do throws(PageError) {
      for offset in 0..<Page.pagesPerHuge where withheldFrame(at: page + offset, of: places) == nil {
        try fill(memory.frames.bytes(of: first + offset), page: page + offset, from: contents)
      }
    } catch {
      for place in places { index.restore(place) }
      return .failed(error)
    }
    guard let old = freeze(places) else {
      for place in places { index.restore(place) }
      return .failed(.tryAgain)
    }
    let isDirty = copy(places, to: first)
    let parts = publish(first, in: places, isDirty: isDirty)
    for folio in old { memory.freeAfterLastPut(folio) }
    return .done(isWhole: parts == Page.pagesPerHuge)
  }

  private func withheldFrame(at place: Int, of places: Range<Int>) -> PFN? {
    places.contains(place) ? index.withheldFrame(at: place) : nil
  }

  /// Step 1. Returns the contents of pages that are not in the cache. Nil, with no place withheld, if no page is there
  /// or was written when the file was made.
  private func withhold(_ places: Range<Int>) -> OriginalContents? {
    original.withLock { contents -> OriginalContents? in
      if places.allSatisfy({ index.isEmpty($0) && !isWritten($0, in: contents) }) { return nil }
      for place in places { index.withhold(place) }
      return contents
    }
  }

  /// Whether the file was made with bytes in a page. A file of zeroes was not: it has a length alone (`ftruncate`).
  private func isWritten(_ page: Int, in original: OriginalContents) -> Bool {
    if case .byte(0) = source { return false }
    return original.bytes(ofPage: page) > 0
  }

  /// Step 5. Returns the frames, of 2 MiB the first one. Nil, with every reference as it was, if one has other holders
  /// than its places.
  private func freeze(_ places: Range<Int>) -> [Frame]? {
    var counts: [PFN: Int] = [:]
    for place in places {
      guard let pfn = index.withheldFrame(at: place) else { continue }
      counts[memory.frames.number(of: memory.frames.folio(of: pfn)), default: 0] += 1
    }
    let slots = PinSlotSnapshot(of: memory.frames)
    var frozen: [(folio: Frame, count: Int)] = []
    for (first, count) in counts {
      let folio = memory.frames.frame(first)
      guard !slots.holds(folio), folio.freeze(count) else {
        for (folio, count) in frozen { folio.unfreeze(count) }
        return nil
      }
      frozen.append((folio, count))
    }
    return frozen.map(\.folio)
  }

  /// Step 6. Returns which of the parts a device or a program has made dirty.
  private func copy(_ places: Range<Int>, to first: PFN) -> [Bool] {
    places.map { place in
      guard let pfn = index.withheldFrame(at: place) else { return false }
      memory.frames.bytes(of: first + (place - places.lowerBound)).copy(page: memory.frames.bytes(of: pfn))
      // A store through an entry of 2 MiB marks the first of its parts.
      return memory.frames.frame(pfn).has(Frame.dirtyBit) || memory.frames.folio(of: pfn).has(Frame.dirtyBit)
    }
  }

  /// Step 7. No page lies beyond the end, so the places there stay empty: the length changes under the change
  /// lock. Returns how many places have a part.
  private func publish(_ first: PFN, in places: Range<Int>, isDirty: [Bool]) -> Int {
    let inside = places.clamped(to: 0..<pageCount)
    let folio = memory.frames.frame(first)
    memory.frames.beginHuge(first, anonymous: false, mapped: false)
    // One for each place: with the one it begins with.
    folio.addReferences(inside.count - 1)
    for (offset, place) in places.enumerated() {
      if isDirty[offset] { (folio + offset).set(Frame.dirtyBit) }
      index.release(place, with: inside.contains(place) ? first + offset : nil)
    }
    return inside.count
  }

  /// Whether the parts of a frame fill all places of the 2 MiB from `page` on. Holding a reference on the frame:
  /// without one its number may be another frame's by then.
  func shows(_ first: PFN, wholeFrom page: Int) -> Bool {
    guard page + Page.pagesPerHuge <= index.count else { return false }
    return RCU.read { _ in hasParts(of: first, in: page..<page + Page.pagesPerHuge) }
  }

  /// Waits until no collapse holds a place back that the caller has found withheld.
  ///
  /// - Precondition: not inside a read-side section, nor holding a lock that a space or a collapse needs.
  func waitForCollapse() { _ = changeLock.holding {} }
}
