/// 2 MiB of a file in one frame (a large folio of the page cache).
///
/// They come into the cache together, on a first touch through a mapping that may have 2 MiB entries. They do so only
/// if none of the pages is there yet and the file has all of them. Or a collapse copies pages that came one by one
/// (`PageCacheFile+Collapse.swift`). Each page's place holds one reference on the whole. A truncation or a hole takes
/// pages out one by one. Then the frame is broken up. If it is held, the other pages stay parts of it, and are mapped
/// as base pages.
extension PageCacheFile {
  public func hugeFault(page: Int, write: Bool) -> FaultAnswer? {
    guard page >= 0, page % Page.pagesPerHuge == 0, page <= pageCount - Page.pagesPerHuge else { return nil }
    // All places are withheld together, and released one by one: the last one tells.
    while index.isWithheld(page + Page.pagesPerHuge - 1) { waitForCollapse() }
    do throws(PageError) {
      if let answer = try cachedHuge(at: page) { return answer }
    } catch {
      return .outOfMemory
    }
    let contents = original.withLock { $0 }
    // A page alone is there: it stays alone.
    guard (page..<page + Page.pagesPerHuge).allSatisfy({ index.isEmpty($0) }),
      let first = memory.allocateHugeFrame(.mayReclaim)
    else { return nil }
    do throws(PageError) {
      for index in 0..<Page.pagesPerHuge {
        try fill(memory.frames.bytes(of: first + index), page: page + index, from: contents)
      }
    } catch {
      memory.discardHugeFrame(first)
      return nil
    }
    YieldPoint.cacheBetweenReadAndInstall.reach()
    let installed = original.withLock { now in
      guard now.version == contents.version, page + Page.pagesPerHuge <= pageCount,
        (page..<page + Page.pagesPerHuge).allSatisfy({ index.isEmpty($0) })
      else { return false }
      memory.frames.beginHuge(first, anonymous: false, mapped: false)
      // One for each place: with the one it begins with, one more for the caller.
      memory.frames.frame(first).addReferences(Page.pagesPerHuge)
      for offset in 0..<Page.pagesPerHuge { _ = index.install(first + offset, at: page + offset) }
      return true
    }
    if installed { return answer(owning: first) }
    memory.discardHugeFrame(first)
    do throws(PageError) { return try cachedHuge(at: page) } catch { return nil }
  }

  /// What is cached of 2 MiB, if that is one frame, with one reference for the caller.
  ///
  /// Every place is looked at. What is taken out at this moment advances the sequence after, and the answer is of no
  /// use.
  private func cachedHuge(at page: Int) throws(PageError) -> FaultAnswer? {
    guard let pfn = try cachedFrame(of: page) else { return nil }
    if pfn.isHugeAligned, memory.frames.frame(pfn).has(Frame.hugeBit),
      (0..<Page.pagesPerHuge).allSatisfy({ index[page + $0] == pfn + $0 })
    {
      return answer(owning: pfn)
    }
    memory.put(memory.frames.frame(pfn), Frame.oneReference)
    return nil
  }
}
