import Synchronization

/// `read(2)` and `write(2)` by way of the cache.
extension PageCache {
  /// The bytes at `offset`, fewer at the file's end.
  ///
  /// - Throws: what the store threw, or one of these.
  ///   - `invalidArgument` for a negative offset or count.
  ///   - `outOfMemory` if a page is not cached and cannot be.
  public func read(at offset: Int, count: Int) throws(PageError) -> [UInt8] {
    guard offset >= 0, count >= 0 else { throw .invalidArgument }
    var bytes = [UInt8](repeating: 0, count: min(count, max(byteCount - offset, 0)))
    var elements = bytes.mutableSpan
    var span = elements.mutableBytes
    let read = try read(at: offset, into: &span)
    bytes.removeLast(bytes.count - read)
    return bytes
  }

  /// Reads the bytes at `offset` into `bytes`, and returns how many: fewer at the file's end.
  ///
  /// - Throws: as the other `read`.
  public func read(at offset: Int, into bytes: inout MutableRawSpan) throws(PageError) -> Int {
    guard offset >= 0 else { throw .invalidArgument }
    var position = 0
    let end = min(bytes.byteCount, max(byteCount - offset, 0))
    let needsFlush = position < end && needsFlushBeforeRead
    while position < end {
      let within = (offset + position) % Page.size
      let part = min(Page.size - within, end - position)
      let page = (offset + position) / Page.size
      guard let pfn = try frameInside(page) else { return position }
      if needsFlush { flushDataCache(of: pfn) }
      memory.frames.bytes(of: pfn).copy(into: &bytes, at: position, fromByteOffset: within, count: part)
      finishRead(of: page, in: pfn)
      position += part
    }
    return position
  }

  /// The frame of a page, with a reference for the caller. Nil if the page is cut off.
  private func frameInside(_ page: Int) throws(PageError) -> PFN? {
    do throws(PageError) { return try frame(of: page) } catch {
      if error == .busError { return nil }
      throw error
    }
  }

  /// Says that the page was used, and gives the reference back.
  private func finishRead(of page: Int, in pfn: PFN) {
    states.update(page) { $0.pfn == pfn && !$0.isReferenced ? $0.with(PageState.referencedMark) : nil }
    memory.put(memory.frames.frame(pfn), Frame.oneReference)
  }

  /// Writes bytes, and makes the file longer where they end beyond it. They are in the file after the next write-back.
  ///
  /// The length grows page by page, to the end of what is about to be copied, as Linux's `i_size` does. So a write that
  /// fails leaves no more than it has written, and perhaps zeroes for the page that it could not copy.
  ///
  /// - Throws: as `read`, or one of these. Pages before the failing one stay written.
  ///   - `file(.resize, errno: EFBIG)` beyond the most pages that the cache was made for.
  ///   - What the `willStore` hook threw.
  public func write(_ bytes: [UInt8], at offset: Int) throws(PageError) { try write(bytes.span.bytes, at: offset) }

  /// Writes the bytes of a span. Otherwise as the other `write`.
  ///
  /// - Throws: as there.
  public func write(_ bytes: RawSpan, at offset: Int) throws(PageError) {
    guard offset >= 0, offset <= Int.max - bytes.byteCount else { throw .invalidArgument }
    if bytes.byteCount > 0 { try requireCapacity(for: offset + bytes.byteCount) }
    var done = 0
    while done < bytes.byteCount {
      let within = (offset + done) % Page.size
      let part = bytes.extracting(done..<min(done + Page.size - within, bytes.byteCount))
      let page = (offset + done) / Page.size
      try hooks.willStore?(page)
      // Each time: the file may have been cut again.
      try extend(to: offset + done + part.byteCount)
      if try copy(part, to: page, at: within) { done += part.byteCount }
    }
  }

  /// Copies bytes into a page. Returns false if it was cut off, or must not change before it is written.
  ///
  /// The mark comes after the bytes: a write-back that cleared it in between would have written a part of them. The
  /// reference keeps the page from the evictor until then, (e4).
  private func copy(_ bytes: RawSpan, to page: Int, at offset: Int) throws(PageError) -> Bool {
    guard let pfn = try frameInside(page) else { return false }
    let frame = memory.frames.frame(pfn)
    defer { memory.put(frame, Frame.oneReference) }
    // Runs a user's code, so after the lock is given up.
    defer { flushDataCache(of: pfn) }
    guard isStable else { return copy(bytes, to: page, pfn, at: offset) }
    waitForContents(of: page)
    return copyLock.reading {
      // A write-back that begins after this look waits for the lock.
      states[page].needsContents && !writeBackLock.isHeldByCaller ? false : copy(bytes, to: page, pfn, at: offset)
    }
  }

  private func copy(_ bytes: RawSpan, to page: Int, _ pfn: PFN, at offset: Int) -> Bool {
    memory.frames.bytes(of: pfn).copy(from: bytes, toByteOffset: offset)
    YieldPoint.cacheBetweenCopyAndMark.reach()
    return markDirty(page, in: pfn)
  }
}
