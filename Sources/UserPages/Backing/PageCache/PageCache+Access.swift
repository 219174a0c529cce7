import Synchronization

/// `read(2)` and `write(2)` by way of the cache.
extension PageCache {
  /// The bytes at `offset`, fewer at the file's end.
  ///
  /// - Throws: `invalidArgument` for a negative offset or count, `outOfMemory` where a page is not cached and cannot be, what the
  ///   store threw.
  public func read(at offset: Int, count: Int) throws(PageError) -> [UInt8] {
    guard offset >= 0, count >= 0 else { throw .invalidArgument }
    let end = offset + min(count, max(byteCount - offset, 0))
    var bytes: [UInt8] = []
    bytes.reserveCapacity(max(end - offset, 0))
    var position = offset
    while position < end {
      let within = position % Page.size
      let part = min(Page.size - within, end - position)
      let pfn: PFN
      do throws(PageError) { pfn = try frame(of: position / Page.size) } catch {
        // Cut off meanwhile.
        if error == .busError { return bytes }
        throw error
      }
      bytes += memory.frames.bytes(of: pfn).copy(fromByteOffset: within, count: part)
      states.update(position / Page.size) {
        $0.pfn == pfn && !$0.isReferenced ? $0.with(PageState.referencedMark) : nil
      }
      memory.put(memory.frames.frame(pfn), Frame.oneReference)
      position += part
    }
    return bytes
  }

  /// Writes bytes, and makes the file longer where they end beyond it. They are in the file after the next write-back.
  ///
  /// - Throws: as `read`; `file(.resize, errno: EFBIG)` beyond the most pages that the cache was made for; what the `willStore` hook threw.
  ///   Pages before the failing one stay written.
  public func write(_ bytes: [UInt8], at offset: Int) throws(PageError) {
    guard offset >= 0, offset <= Int.max - bytes.count else { throw .invalidArgument }
    if bytes.isEmpty { return }
    var done = 0
    while done < bytes.count {
      // Each time: the file may have been cut again.
      try extend(to: offset + bytes.count, writingFrom: offset)
      let within = (offset + done) % Page.size
      let part = Array(bytes[done..<min(done + Page.size - within, bytes.count)])
      let page = (offset + done) / Page.size
      try hooks.willStore?(page)
      if try copy(part, to: page, at: within) { done += part.count }
    }
  }

  /// Copies bytes into a page. Returns false if it was cut off, or must not change before it is written.
  ///
  /// The mark comes after the bytes: a write-back that cleared it in between would have written a part of them. The reference keeps
  /// the page from the evictor until then, (e4).
  private func copy(_ bytes: [UInt8], to page: Int, at offset: Int) throws(PageError) -> Bool {
    let pfn: PFN
    do throws(PageError) { pfn = try frame(of: page) } catch {
      if error == .busError { return false }
      throw error
    }
    let frame = memory.frames.frame(pfn)
    defer { memory.put(frame, Frame.oneReference) }
    guard isStable else { return copy(bytes, to: page, pfn, at: offset) }
    waitForWriteBack(of: page)
    return copyLock.reading {
      // A write-back that begins after this look waits for the lock.
      states[page].isUnderWriteBack && !writeBackLock.isHeldByCaller ? false : copy(bytes, to: page, pfn, at: offset)
    }
  }

  private func copy(_ bytes: [UInt8], to page: Int, _ pfn: PFN, at offset: Int) -> Bool {
    memory.frames.bytes(of: pfn).copy(bytes, toByteOffset: offset)
    YieldPoint.cacheBetweenCopyAndMark.reach()
    return markDirty(page, in: pfn)
  }
}
