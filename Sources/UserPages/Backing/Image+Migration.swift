import Glibc
import Synchronization

/// Pages of an image that move into the page cache and back, under running mappings, pins and faults.
///
///     migration (one at a time for each image)          a fault                          a load, a store, a pin
///     1. the page is marked as moving                   asks the image: retries
///     2. the sequence grows                             asked before: finds the sequence
///                                                       grown when it has locked its entry, and asks again
///     3. every entry that shows the page is emptied
///        (reverse map: each space that ever mapped it)                                   finds the entry empty: faults
///     4. a grace period                                                                  those under way are over
///     5. the frame's references and the slots are
///        looked at: if it is held, the page stays                                       a pin that is not seen here
///                                                                                        found the entry changed
///     6. the contents are copied, the page is marked
///        as being in its new place                      gets the new place
///
/// The data cache is flushed between 5 and 6, under the migration lock. It is flushed before the copy, so that the copy
/// has what was stored by any alias. It is flushed before the mark, since a fault may show the new place right after
/// it. The code that flushes is a user's. What it may not do is refused (`DataCacheFlushing`).
///
/// ORDERING [lock-then-validate]: steps 2 and 3 pair with a fault's lock and look. Steps 3 to 5 pair with pins, by
/// [change-then-count] and [slot-then-leave].
extension Image {
  enum PageState {
    /// Where it lies: shown by frame number.
    case inPlace
    /// Between two places. A fault tries again.
    case moving
    /// In the page cache, which holds one reference. As an answer: with one more for the caller.
    case cached(PFN)
  }

  public var sequence: InvalidationSequence? { moves }

  /// Where a page is, with a reference if it is in the page cache.
  func state(of page: Int) -> PageState {
    guard movedEver.load(ordering: .sequentiallyConsistent) > 0 else { return .inPlace }
    return moved.withLock { moved in
      guard let state = moved[page] else { return .inPlace }
      if case .cached(let pfn) = state { section.memory.frames.frame(pfn).addReferences(1) }
      return state
    }
  }

  /// Whether all of some pages are where they lie. Where one begins to move after this, the sequence has grown.
  func isInPlace(_ pages: Range<Int>) -> Bool {
    guard movedEver.load(ordering: .sequentiallyConsistent) > 0 else { return true }
    return moved.withLock { moved in !moved.keys.contains { pages.contains($0) } }
  }

  /// Whether a page is in the page cache at this moment.
  public func isCached(page: Int) -> Bool {
    moved.withLock { moved in if case .cached = moved[page] { true } else { false } }
  }

  /// Moves a page into the page cache. Nothing happens where it is there already.
  ///
  /// Not inside a read-side section, nor holding an address space's lock.
  ///
  /// - Throws:
  ///   - `invalidArgument` for a page that is not there.
  ///   - `outOfMemory` if no frame is free.
  ///   - `busy` if the page is mapped by number (VM_PFNMAP): such a mapping cannot show a refcounted frame.
  ///   - `busy` inside a flush of the data cache that a migration of this image asked for.
  ///   - `busErrorOfFile` if the image's real file no longer has the page.
  public func migrateToCache(page: Int) throws(PageError) {
    guard page >= 0, page < section.pages else { throw .invalidArgument }
    try section.fill(page: page)
    let pfn = try section.memory.allocateFrame(.mayReclaim)
    var used = false
    defer { if !used { section.memory.discardFrame(pfn) } }
    // Released after the lock.
    var seen: [any BackingUser] = []
    defer { withExtendedLifetime(seen) {} }
    let done: Void? = try migrationLock.holding { () throws(PageError) in
      guard begin(page, where: { $0 == nil }) else { return }
      guard empty(page, &seen) else {
        finish(page, nil)
        throw .busy
      }
      RCU.synchronize()
      dataCacheCounter.flush(number: section.first + page, in: section.memory)
      let original = section.memory.frames.bytes(of: section.first + page)
      guard section.memory.frames.bytes(of: pfn).copyIfReadable(page: original) else {
        finish(page, nil)
        throw .pageOfFileIsLost
      }
      section.memory.frames.frame(pfn).begin(anonymous: false, mapped: false)
      dataCacheCounter.flush(pfn, in: section.memory)
      finish(page, .cached(pfn))
      used = true
    }
    if done == nil { throw .busy }
  }

  /// Moves a page back to where it lies, writing it there if it is dirty. Nothing happens where it is there already.
  ///
  /// Not inside a read-side section, nor holding an address space's lock.
  ///
  /// - Throws:
  ///   - `invalidArgument` for a page that is not there.
  ///   - `busy` as `migrateToCache`, and if a get or a pin holds the frame.
  ///   - `readOnly` if the page is dirty and the image is a real file.
  ///   - `file` with the errno if the page is dirty and the memory file behind the image takes no more.
  public func migrateToImage(page: Int) throws(PageError) {
    guard page >= 0, page < section.pages else { throw .invalidArgument }
    // Released after the lock.
    var seen: [any BackingUser] = []
    defer { withExtendedLifetime(seen) {} }
    let done: Void? = try migrationLock.holding { () throws(PageError) in
      var cached: PFN?
      let begun = begin(page) { state in
        guard case .cached(let pfn) = state else { return false }
        cached = pfn
        return true
      }
      guard begun, let pfn = cached else { return }
      let memory = section.memory
      let frame = memory.frames.frame(pfn)
      let emptied = empty(page, &seen)
      // The grace period for stores and slots, and the references that the emptied entries held.
      memory.reclaimDeferredFrees()
      guard emptied, frame.references == 1, !PinSlotSnapshot(of: memory.frames).holds(frame) else {
        finish(page, .cached(pfn))
        throw .busy
      }
      if frame.has(Frame.dirtyBit) {
        do throws(PageError) { try section.rewrite(page: page, from: memory.frames.bytes(of: pfn)) } catch {
          finish(page, .cached(pfn))
          throw error
        }
      }
      dataCacheCounter.flush(number: section.first + page, in: memory)
      finish(page, nil)
      memory.put(frame, Frame.oneReference)
    }
    if done == nil { throw .busy }
  }

  /// Marks a page as moving if its state (nil: in place) is as wanted.
  private func begin(_ page: Int, where wanted: (PageState?) -> Bool) -> Bool {
    movedEver.wrappingAdd(1, ordering: .sequentiallyConsistent)
    let begun = moved.withLock { moved in
      guard wanted(moved[page]) else { return false }
      moved[page] = .moving
      return true
    }
    // ORDERING [lock-then-validate]: grown before any entry is looked at.
    if begun { moves.advance() }
    return begun
  }

  private func finish(_ page: Int, _ state: PageState?) { moved.withLock { $0[page] = state } }

  /// Empties every entry that shows the page. Returns false if one cannot be emptied.
  private func empty(_ page: Int, _ seen: inout [any BackingUser]) -> Bool {
    let isEmpty = spaces.forEach(keepingIn: &seen) { $0.unmap(pages: [page], of: self, sparingLocked: false) }
    YieldPoint.migrationBetweenEntriesAndGrace.reach()
    return isEmpty
  }

  /// One page's bytes for `read(2)`.
  ///
  /// - Throws:
  ///   - `file` with the errno if the page cannot be filled.
  ///   - `file(.readWhole, errno: EIO)` if the image's real file no longer has it.
  func readPage(_ page: Int, _ range: Range<Int>, flushing: Bool) throws(PageError) -> [UInt8] {
    let memory = section.memory
    var turns = 0
    while true {
      let before = moves.value
      switch state(of: page) {
      case .inPlace:
        try section.fill(page: page)
        let frame = memory.frames.bytes(of: section.first + page)
        let bytes = frame.copy(fromByteOffset: range.lowerBound, count: range.count)
        if frame.isLost { throw .file(.readWhole, errno: EIO) }
        // Nothing began to move meanwhile: the page was in place all the time.
        guard moves.value == before else { continue }
        if flushing { dataCacheCounter.flush(number: section.first + page, in: memory) }
        return bytes
      case .cached(let pfn):
        if flushing { dataCacheCounter.flush(pfn, in: memory) }
        let bytes = memory.frames.bytes(of: pfn).copy(fromByteOffset: range.lowerBound, count: range.count)
        memory.put(memory.frames.frame(pfn), Frame.oneReference)
        return bytes
      case .moving:
        PTEPointer.wait(&turns)
      }
    }
  }

  /// Whether a mapping of the image is shared and writable (mapping_writably_mapped).
  var hasWritableMapping: Bool { spaces.haveWritableMapping(of: self) }

  /// Lets go of the cached pages of an image that no space maps any more.
  func dropCache() {
    moved.withLock { moved in
      for case .cached(let pfn) in moved.values { section.memory.putAfterGracePeriod(pfn) }
      moved = [:]
    }
  }
}
