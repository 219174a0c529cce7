/// Moving a page to another frame, for a long-term pin: an eviction that ends with the page in a new frame.
///
/// Steps (e1) to (e4) and what orders them are an eviction's. So the page is clean, no entry shows it, and nothing
/// holds it when it is copied. A look-up that needs it meanwhile rescues it, and the move fails.
///
///     move                                              a look-up, a truncation, a mapping by number
///     1. (e1) to (e4): present -> evicting              a look-up rescues the page
///     2. copies the page to the new frame               a mapping by number finds the new frame free
///     3. under the content lock, for reading:           a truncation waits for the lock
///        evicting -> reading                            or the page was rescued or cut off: the copy is discarded
///     4. the new frame gets its first reference         a mapping by number may retain it
///     5. reading -> present                             a look-up has waited for this
extension PageCache {
  /// Moves a page to a frame that is not movable. A dirty page is written first. Returns false if the page is held, or
  /// was needed meanwhile. Returns true also if it is not in memory.
  ///
  /// The caller holds no lock and is in no section.
  ///
  /// - Throws: `outOfMemory` if no such frame is free. It is also thrown inside `willWriteBack` and inside a call of
  ///   the store, which hold what a move waits for.
  func moveOut(page: Int) throws(PageError) -> Bool {
    if writeBackLock.isHeldByCaller || isInsideStoreCall { throw .outOfMemory }
    guard page >= 0, page < states.capacity, states[page].pfn != nil else { return true }
    let new = try memory.allocateFrame(.mayReclaim)
    var kept: [any BackingUser] = []
    defer { withExtendedLifetime(kept) {} }
    let isMoved = evictionLock.holding {
      writeBackLock.holding { held in writeBack([page], keepingIn: &kept, held) }
      return move(page, to: new, &kept)
    }
    if isMoved == true { return true }
    // It never had a reference, so no thread can have retained it.
    memory.discardFrame(new)
    return false
  }

  private func move(_ page: Int, to new: PFN, _ kept: inout [any BackingUser]) -> Bool {
    guard let claimed = states.claimForEviction(page), let old = claimed.pfn else { return false }
    guard isIdleWithoutEntries([page], [old], sparingLocked: false, &kept)[0] else {
      rescue(page, from: old)
      return false
    }
    memory.frames.bytes(of: new).copy(page: memory.frames.bytes(of: old))
    YieldPoint.cacheMoveBetweenCopyAndInstall.reach()
    guard install(new, at: page, from: claimed) else {
      rescue(page, from: old)
      return false
    }
    memory.put(memory.frames.frame(old), Frame.oneReference)
    return true
  }

  /// Steps 3 to 5. Returns false if the page is not in the state `claimed` any more.
  ///
  /// ORDERING [lock-then-begin]: as a page that was read. No other thread changes a page that is `reading`. So the new
  /// frame is installed for certain when it gets its first reference. With the reference first:
  /// 1. The move begins the new frame.
  /// 2. A thread maps it by its number.
  /// 3. A look-up rescues the page.
  /// 4. The move discards a frame that an entry shows.
  ///
  /// The content lock keeps a truncation out, which passes a page by that is `reading`. A reader looks at the length
  /// instead. A move has no read to give up.
  private func install(_ new: PFN, at page: Int, from claimed: PageState) -> Bool {
    let isInstalled = reader.contentLock.reading {
      guard states.replace(claimed, with: claimed.beingRead, at: page) else { return false }
      YieldPoint.cacheMoveBetweenClaimAndInstall.reach()
      reader.install(new, at: page, marks: claimed.marks)
      return true
    }
    if isInstalled { reader.changes.locked { reader.changes.wakeAll() } }
    return isInstalled
  }
}
