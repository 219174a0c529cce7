/// A 2 MiB frame: 512 frames in a row, aligned, that live and die together (Linux's large folio).
///
///     first frame        counts      references and pins of all 512: one for each entry of the second-lowest level that
///                                    maps it whole, one for each of the lowest level that maps a part, one for each page
///                                    of it in the page cache, one for each get or pin of however many of its pages
///                        state       flags; how many entries map it whole; how often it is itself mapped as a part
///     the 511 others     counts      0
///                        state       flags; how often it is mapped as a part
///
/// An entry says that its frame is part of a huge one (`PTELayout.huge`, at either level) and which is the first
/// (`PTE.folioPFN`). So a base page is pinned without a look at its state. A thread that has a frame number alone asks
/// the descriptor (`FrameTable.folio(of:)`), and holds a reference, so that the answer stays true.
extension Frame {
  static let hugeBit: UInt64 = 1 << 38
  static let hugeMapShift: UInt64 = 44
  fileprivate static let oneHugeMapping: UInt64 = 1 << hugeMapShift
  /// The most entries that map one 2 MiB frame whole. A refused thread counts for a moment, so another may be refused
  /// early.
  ///
  /// The field holds twice as many. But a split turns an entry into 512 references, which cannot be refused. These make
  /// 2^28. With the 2^31 that `retain` grants they stay below what `addReferences` can hold.
  static let hugeMappingLimit = 1 << 19

  /// Entries of the second-lowest level that map the 2 MiB frame that this one is the first of. It is 0 in all others.
  var hugeMapCount: Int { Int(descriptor.pointee.state.load(ordering: .acquiring) >> Self.hugeMapShift) }

  /// Counts an entry that is about to map all 2 MiB. Returns false, and counts nothing, if there are too many.
  func addHugeMapping() -> Bool {
    let old = descriptor.pointee.state.wrappingAdd(Self.oneHugeMapping, ordering: .acquiringAndReleasing).oldValue
    if old >> Self.hugeMapShift < Self.hugeMappingLimit { return true }
    removeHugeMapping()
    return false
  }

  func removeHugeMapping() {
    let old = descriptor.pointee.state.wrappingSubtract(Self.oneHugeMapping, ordering: .acquiringAndReleasing).oldValue
    assert(old >> Self.hugeMapShift != 0, "a huge mapcount fell below zero")
  }

  /// The frame `count` frames further on.
  @usableFromInline
  static func + (frame: Frame, count: Int) -> Frame { Frame(frame.descriptor + count) }
}

extension FrameTable {
  /// The frame with the counts for `pfn`: itself, or the first of the 2 MiB frame that it is a part of
  /// (`page_folio`).
  ///
  /// The caller knows `pfn` to be in use: by an entry in a section, by a reference, or because nothing else runs. One
  /// type of proof for the three would say no more than this sentence.
  func folio(of pfn: PFN) -> Frame { frame(pfn).has(Frame.hugeBit) ? frame(pfn.hugeStart) : frame(pfn) }

  /// Gives 2 MiB from the allocator their first reference, which is the caller's. As `Frame.begin`.
  func beginHuge(_ first: PFN, anonymous: Bool, mapped: Bool) {
    let flags = Frame.hugeBit | Frame.allocatedBit | (anonymous ? Frame.anonymousBit : 0)
    for index in 1..<Page.pagesPerHuge {
      frame(first + index).descriptor.pointee.state.store(flags, ordering: .relaxed)
    }
    let head = frame(first).descriptor
    head.pointee.state.store(flags | (mapped ? Frame.oneHugeMapping : 0), ordering: .relaxed)
    assert(frame(first).isWithoutHolders, "a 2 MiB frame began that has a user")
    head.pointee.counts.store(Frame.oneReference, ordering: .releasing)
  }

  /// Counts 512 entries that map the parts of a 2 MiB frame instead of one that maps it whole.
  ///
  /// The entry is locked. Its lock is a bit pattern in the entry, so a proof would be a pointer more on each way here.
  func countAsParts(_ first: PFN) {
    let folio = frame(first)
    folio.addReferences(Page.pagesPerHuge - 1)
    // References before mappings. A thread that saw more mappings than references would miss a holder.
    folio.removeHugeMapping()
    for index in 0..<Page.pagesPerHuge {
      frame(first + index).addMapping()
      if index == 0 { YieldPoint.splitBetweenCounts.reach() }
    }
  }

  /// Entries of either level that map a frame, or any part of the 2 MiB frame that `first` is the first of. O(512).
  ///
  /// - Parameter limit: how many are enough to know of. The count ends with the part at which it is reached.
  func mappings(of first: PFN, upTo limit: Int = .max) -> Int {
    let folio = frame(first)
    guard folio.has(Frame.hugeBit) else { return folio.mapCount }
    assert(first.isHugeAligned, "the mappings of 2 MiB are counted from their first frame on")
    var (count, index) = (folio.hugeMapCount, 0)
    while count < limit, index < Page.pagesPerHuge {
      count += frame(first + index).mapCount
      index += 1
    }
    return count
  }

  /// Turns a 2 MiB frame into 512 ordinary ones (`__split_folio_to_order`). Those at `users` go on with one reference
  /// each. The others have none and are returned, to be freed.
  ///
  /// The caller has taken the entries away and waited for a grace period, so no thread retains the frame by one of
  /// those. A thread may still retain it by number for a moment (`retainFolio(of:)`). If there is such a reference, or
  /// any other beside those of `users`, nothing changes and the result is nil. An entry that was made meanwhile has
  /// one, too.
  ///
  /// ORDERING [change-then-count]: `freeze`, a grace period after the entries' end.
  func breakUp(_ first: PFN, users: [PFN]) -> [PFN]? {
    guard frame(first).freeze(users.count) else { return nil }
    YieldPoint.breakUpBetweenEndAndParts.reach()
    for index in 0..<Page.pagesPerHuge { frame(first + index).clear(Frame.hugeBit) }
    for pfn in users { frame(pfn).descriptor.pointee.counts.store(Frame.oneReference, ordering: .releasing) }
    let used = Set(users)
    return (0..<Page.pagesPerHuge).map { first + $0 }.filter { !used.contains($0) }
  }

  /// What a break-up does with the mark that the 2 MiB may be dropped. The parts at `users` get it if their entries are
  /// clean and no device has made a part dirty. Else the memory is kept.
  func leaveLazyFree(of first: PFN, to users: [PFN], entriesAreClean: Bool) {
    guard frame(first).has(Frame.lazilyFreedBit) else { return }
    let isClean = (0..<Page.pagesPerHuge).allSatisfy { !frame(first + $0).has(Frame.dirtyBit) }
    frame(first).clear(Frame.lazilyFreedBit)
    guard isClean, entriesAreClean else { return }
    for pfn in users { frame(pfn).set(Frame.lazilyFreedBit) }
  }
}

extension PhysicalMemory {
  /// Retains the frame that holds the counts for `pfn`, a number that was not read from an entry. Returns nil if that
  /// frame is free.
  ///
  /// - Parameters:
  ///   - pfn: has a descriptor, as was found inside this section.
  ///   - section: keeps the descriptor.
  /// - Throws: `outOfMemory` where it has too many references.
  func retainFolio(of pfn: PFN, _ section: RCU.Section) throws(PageError) -> Frame? {
    while true {
      let folio = frames.folio(of: pfn)
      switch folio.retainUnlessFree() {
      case .retained: break
      case .free: return nil
      case .tooMany: throw .outOfMemory
      }
      // Before it was retained the frame may have been freed and have become part of another one, or been broken up.
      if frames.folio(of: pfn).descriptor == folio.descriptor { return folio }
      put(folio, Frame.oneReference)
    }
  }

  /// Retains the frame that holds the counts for `pfn`, a number that a backing or a caller names. Returns nil if the
  /// frame is free, a program's private memory, or has left for the swap file: none may be mapped by number.
  ///
  /// ORDERING [lock-then-begin]: a fault gives its new frame the first reference when the entry is locked and nothing
  /// can stop it from installing. So a frame that is retained here is installed, or in the page cache, or was so.
  ///
  /// The first look is a hint. It spares another program's page the moment with one reference more, which would make
  /// its next store a copy. The second look decides: the frame may have been freed and become private memory before it
  /// was retained.
  ///
  /// - Parameters:
  ///   - pfn: has a descriptor, as was found inside this section.
  ///   - section: keeps the descriptor.
  /// - Throws: `outOfMemory` if the frame has too many references.
  func retainShared(_ pfn: PFN, _ section: RCU.Section) throws(PageError) -> Frame? {
    if frames.frame(pfn).has(Frame.anonymousBit) { return nil }
    YieldPoint.numberBetweenLookAndReference.reach()
    guard let folio = try retainFolio(of: pfn, section) else { return nil }
    YieldPoint.numberBetweenReferenceAndSecondLook.reach()
    // ORDERING [swap-then-copy]: the look comes after the reference, under the swap area's monitor. A page-out that has
    // not decided by then counts the reference. One that has is found, and no store by number follows its copy.
    guard frames.frame(pfn).has(Frame.anonymousBit) || swap.isLeaving(pfn) else { return folio }
    // It may be the last reference by now.
    put(folio, Frame.oneReference)
    return nil
  }

  /// Whether one of the `count` frames from `first` on is free RAM, or may soon be. A frame may soon be free if its
  /// page is on its way to the swap file. A mapping without references may not show those.
  ///
  /// For mappings that count no references. The look is no protection: such a mapping relies on its backing, which
  /// keeps the frames. A free frame shows that the backing keeps none. Debug builds would end at a store to it, and
  /// release builds would store to its next user's memory.
  ///
  /// Frames of a section have their owner's reference, so RAM alone is looked at.
  ///
  /// - Parameter section: the frames were found to be memory inside it.
  func hasFreeFrame(from first: PFN, count: Int, _ section: RCU.Section) -> Bool {
    guard allocator.manages(first) else { return false }
    return (0..<count).contains { frames.folio(of: first + $0).references == 0 }
      || swap.cachesAny(of: count, from: first)
  }
}

extension PFN {
  /// The first frame of the aligned 2 MiB that hold this one.
  @inlinable @inline(__always)
  var hugeStart: PFN { PFN(rawValue & ~UInt64(Page.pagesPerHuge - 1)) }

  /// Whether it is the first frame of 2 MiB.
  var isHugeAligned: Bool { self == hugeStart }
}
