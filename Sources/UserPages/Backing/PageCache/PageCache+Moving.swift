/// Moving a page to another frame, for a long-term pin: an eviction whose last step puts the page into a new frame.
///
/// Steps (e1) to (e4) and what orders them are an eviction's. So the page is clean, no entry shows it, and nothing holds it when it is copied. A
/// look-up that needs it meanwhile rescues it, and the move fails.
extension PageCache {
  /// Moves a page to a frame that is not movable. A dirty page is written first. Returns false if the page is held, or was needed
  /// meanwhile; true also if it is not in memory.
  ///
  /// The caller holds no lock and is in no section.
  ///
  /// - Throws: `outOfMemory` where no such frame is free.
  func moveOut(page: Int) throws(PageError) -> Bool {
    if writeBackLock.isHeldByCaller { throw .outOfMemory }
    guard page >= 0, page < states.capacity, states[page].pfn != nil else { return true }
    let new = try memory.allocateFrame(.mayReclaim)
    var kept: [any BackingUser] = []
    defer { withExtendedLifetime(kept) {} }
    let isMoved = evictionLock.holding {
      writeBackLock.holding { writeBack([page], keepingIn: &kept) }
      return move(page, to: new, &kept)
    }
    if isMoved == true { return true }
    memory.discardFrame(new)
    return false
  }

  private func move(_ page: Int, to new: PFN, _ kept: inout [any BackingUser]) -> Bool {
    var taken: PageState?
    states.update(page) { state in
      taken = state.evictable
      return taken
    }
    guard let taken, let old = taken.pfn else { return false }
    guard isIdleWithoutEntries([page], [old], sparingLocked: false, &kept)[0] else {
      rescue(page, from: old)
      return false
    }
    memory.frames.bytes(of: new).copy(page: memory.frames.bytes(of: old))
    let frame = memory.frames.frame(new)
    frame.begin(anonymous: false, mapped: false)
    frame.set(Frame.writtenBackBit)
    YieldPoint.cacheMoveBetweenCopyAndInstall.reach()
    guard states.replace(taken, with: .present(new), at: page) else {
      rescue(page, from: old)
      // No other thread has seen it. The caller discards it.
      _ = frame.put(Frame.oneReference)
      return false
    }
    memory.put(memory.frames.frame(old), Frame.oneReference)
    return true
  }
}
