/// The fast path over many pages at once.
extension AddressSpace {
  /// Pins the pages of a range, as many as can be, in order.
  ///
  /// - Parameters:
  ///   - address: anywhere in the first page.
  ///   - pages: how many; none are pinned where none are asked for.
  /// - Returns: the pages up to the first that could not be pinned; with `fastOnly` possibly none.
  /// - Throws: what stopped it at the very first page, as for one page, except that `fastOnly` never throws for that;
  ///   `invalidArgument` for a negative count.
  public func pin(
    at address: VirtualAddress, pages: Int, _ options: PinOptions = []
  ) throws(PageError) -> PinnedPages {
    guard pages >= 0, options.isLegal else { throw .invalidArgument }
    var held = HeldFrames(memory, counts: options.counts)
    guard address < VirtualAddress.limit, pages <= Int.max / Page.size else {
      guard pages == 0 || options.contains(.fastOnly) else { throw .badAddress }
      return PinnedPages(held)
    }
    let address = address.pageStart
    held.reserveCapacity(min(pages, 1 << 16))
    if engine != .locked {
      takeFast(address, pages: pages, options, into: &held)
      events.add(UInt64(held.count), to: Counters.fastIndex)
    }
    if held.count < pages, !options.contains(.fastOnly) {
      let error = pinSlowly(from: address, pages: pages, options, into: &held)
      if held.count == 0, let error { throw error }
    }
    return PinnedPages(held)
  }

  /// The reference protocol over a range: one descent for each node of the lowest level, and a section for each 64 pages at
  /// most, so that no grace period waits long. Stops at the first page that does not do.
  private func takeFast(
    _ address: VirtualAddress, pages: Int, _ options: PinOptions, into held: inout HeldFrames
  ) {
    let test = options.test
    while held.count < pages {
      let at = address + held.count * Page.size
      let first = TableNode.index(of: at, level: 1)
      let wanted = min(pages - held.count, TableNode.entryCount - first, 64)
      guard at < VirtualAddress.limit else { return }
      let before = held.count
      let counts = held.counts
      var isHuge = false
      RCU.read {
        guard let node = table.lowestNode(for: at) else {
          isHuge = takeFastRun(at, pages: pages - held.count, test, into: &held)
          if !isHuge, options.contains(.longTerm) {
            isHuge = takeFastRun(at, pages: pages - held.count, options.union(.write).test, into: &held)
          }
          return
        }
        for index in first..<first + wanted {
          let ptep = node[index]
          let pte = ptep.load()
          guard test.accepts(pte), isNormal(pte, at: address + held.count * Page.size, ptep: ptep) else {
            guard takeOther(address + held.count * Page.size, options, into: &held) else { return }
            continue
          }
          let frame = frames.frame(pte.pfn)
          frame.retain(counts)
          // ORDERING [pin-then-look]: as for a single page.
          guard ptep.load() == pte else { return backOut(frame, counts) }
          held.append(frame)
        }
      }
      if !isHuge, held.count < before + wanted { return }
    }
  }

  /// A page of a range that the ordinary comparison refused. Inside its section. Out of line, so that ordinary pages pay nothing.
  @inline(never)
  private func takeOther(_ address: VirtualAddress, _ options: PinOptions, into held: inout HeldFrames) -> Bool {
    // A part of a 2 MiB frame counts for itself alone here: its neighbours may be anybody's.
    guard let other = takeFastHuge(address, options.test, held.counts) ?? takeFastWritable(address, options) else {
      return false
    }
    if other.isPart { held.append(run: other.frame, count: 1) } else { held.append(other.frame) }
    return true
  }
}
