import Synchronization

/// Named places in the protocols where a test may hold a thread up. For the tests of this package.
///
/// They exist in debug builds, and in release builds with `-DUSERPAGES_YIELD_POINTS`. Otherwise `reach` is nothing. A
/// handler may block: that is what they are for. A place inside a read-side section keeps the section open.
@usableFromInline
package enum YieldPoint: Int, CaseIterable, Sendable {
  /// The fast path has read the entry, inside its section, and has no reference yet.
  case pinBetweenEntryAndReference
  /// The fast path has taken its reference and has not looked at the entry again.
  case pinBetweenReferenceAndSecondLook
  /// The first pin of a page by a slot has read the entry, inside its section, and has not cleared the mark in it.
  case slotPinBetweenEntryAndMark
  /// A range pin by a list has read entries and written their frames, inside its section, and has not lengthened the
  /// list.
  case rangePinBetweenEntriesAndLength
  /// The fast path has read an entry that shows the zero page, inside its section, and has not found the mapping.
  case zeroPinBetweenEntryAndMapping
  /// The fast path has found the mapping for the zero page, inside its section, and has not looked at the entry
  /// again.
  case zeroPinBetweenMappingAndSecondLook
  /// The slow path has found the mapping, inside its section, and has not read the entry.
  case slowPinBetweenMappingAndEntry
  /// A fault has found its mapping without an `anon_vma`, and has not given it one.
  case anonVMABeforePrepare
  /// A fault has found its mapping, inside its section, and has not gone down the table.
  case faultBeforeWalk
  /// A fault has prepared its entry, inside its section, and has not locked the place.
  case faultBeforeInstall
  /// A fault has locked its entry, inside its section, and given its new frame the first reference, and has not stored
  /// the entry.
  case faultBetweenBeginAndStore
  /// A copy-on-write fault has retained its anonymous original and has not looked at the entry again.
  case copyBetweenReferenceAndSecondLook
  /// A copy-on-write fault has looked at its entry again, if it had to, and has not copied the contents.
  case copyBetweenSecondLookAndContents
  /// A copy-on-write fault has copied the contents and has not locked the entry.
  case copyBetweenContentsAndInstall
  /// A copy-on-write fault has installed its copy, or has lost its race, and has not put its own reference on the
  /// original.
  case copyBetweenInstallAndPut
  /// A walk has found a link empty, inside a section, and has not linked its node there.
  case nodeBeforeLink
  /// A node was linked, inside a section, and the link above it has not been looked at again.
  case nodeBetweenLinkAndLook
  /// A node was unlinked and the nodes below it have not been collected.
  case unlinkBetweenLinkAndCollect
  /// A look-up has not found its page in the page cache, and has not looked whether it is being read.
  case cacheBetweenMissAndRead
  /// A frame was found in the page cache and no reference has been taken.
  case cacheBetweenLookAndReference
  /// A mapping by number has found its frame to be shared memory and has not retained it.
  case numberBetweenLookAndReference
  /// A mapping by number has retained its frame and has not looked again whether it is shared memory.
  case numberBetweenReferenceAndSecondLook
  /// A frame's number was looked up, inside a section, and its descriptor has not been read.
  case informationBetweenNumberAndDescriptor
  /// A mapping of a frame is counted, and the data cache has not been looked at.
  case mapBetweenCountAndFlush
  /// An unmap has emptied an entry and has not given its reference up.
  case unmapBetweenClearAndFree
  /// An operation that shares the mmap lock, or a fault, has emptied entries and has not noted that accesses may be
  /// under way.
  case emptiedBetweenEntriesAndNote
  /// An operation on the whole space has counted itself, and has not waited for operations in stripes.
  case wholeBetweenCountAndStripes
  /// An operation has locked its stripe and has not looked for one that holds the whole space.
  case stripeBetweenLockAndLook
  /// A look-up has found nothing in its stripe's tree, inside a section, and has not looked among the wide mappings.
  case lookUpBetweenTrees
  /// A writer has stored a word of a leaf, inside an odd version, and has not stored the word's key.
  case leafBetweenWordAndKey
  /// The trees of stripes are published, and that of the wide mappings is not.
  case publicationBetweenTrees
  /// A fork has write-protected the parent and has not looked for pins.
  case forkBetweenProtectAndCopy
  /// A fork has copied a pinned page and has not made the parent's entry exclusive again.
  case forkBetweenCopyAndRestore
  /// A fork has given the mmap lock up and has not returned the child.
  case forkBetweenUnlockAndReturn
  /// A collapse has taken a node away and has not looked for pins.
  case collapseBetweenUnlinkAndLook
  /// Advice or a collapse has taken the links to empty nodes away, and no grace period has passed.
  case tableReclaimBetweenUnlinkAndGrace
  /// A break-up of huge frames has looked at the entries of their parts and has not taken any away.
  case breakUpBetweenLookAndTake
  /// A break-up of a huge frame has taken the entries away and has not looked for pins.
  case breakUpBetweenTakeAndLook
  /// A break-up has ended the references of a huge frame, and its parts have none yet.
  case breakUpBetweenEndAndParts
  /// A fault has made room for a split of a huge entry and has not locked the entry.
  case splitBeforeLock
  /// A split has counted the mapping of one part, and more parts may follow.
  case splitBetweenCounts
  /// A migration has emptied the entries of a page, and no grace period has passed.
  case migrationBetweenEntriesAndGrace
  /// A load or store has read the entry and has not touched the bytes.
  case accessBetweenEntryAndBytes
  /// A mirrored access has found its translation and has not touched the bytes.
  case mirrorBetweenTranslationAndBytes
  /// A mirrored access has read the entry, inside its section, and has not claimed the translation.
  case mirrorBetweenEntryAndClaim
  /// A mirrored access has claimed the translation, inside its section, and has not looked at the sequence again.
  case mirrorBetweenClaimAndLook
  /// A mirrored access has looked at the sequence again, inside its section, and has not published the translation.
  case mirrorBetweenLookAndPublish
  /// An operation has revoked translations and has not changed the entries.
  case revocationBetweenWordsAndEntries
  /// A page-out has looked at an entry and its frame, inside a section, and has not replaced the entry.
  case pageOutBetweenEntryAndReplacement
  /// Advice has marked a frame as lazily freed. Its entry is dirty still.
  case freeBetweenMarkAndEntry
  /// A page-out has replaced its entries, and no grace period has passed.
  case pageOutBetweenEntriesAndGrace
  /// A page-out's grace period is over, and it has not looked for other holders of its frames.
  case pageOutBetweenGraceAndLook
  /// A page-out has found that pages stay, and has not put them back.
  case pageOutBetweenLookAndPutBack
  /// A page-out has put a swap slot in the place of a memory file's page, and has not emptied the page's entries.
  case fileOutBetweenPlaceAndEntries
  /// A break-up of 2 MiB of a memory file has emptied the entries, and no grace period has passed.
  case fileBreakUpBetweenEntriesAndGrace
  /// A collapse of a memory file has brought pages in, and does not hold the change lock yet.
  case fileCollapseBetweenPagesAndLock
  /// A collapse withholds the places of a memory file's pages, and has not emptied their entries.
  case fileCollapseBetweenPlacesAndEntries
  /// A collapse of a memory file has emptied the entries, and no grace period has passed.
  case fileCollapseBetweenEntriesAndGrace
  /// A collapse's grace period is over, and it has not frozen the memory file's frames.
  case fileCollapseBetweenGraceAndLook
  /// A memory file has its pages in one frame, and the space that was advised has no entry of 2 MiB yet.
  case fileCollapseBetweenPagesAndEntry
  /// A collapse has the memory file's answer for an entry of 2 MiB, and not the mmap lock.
  case fileCollapseBetweenAnswerAndLock
  /// The swap file's writer has copied pages and has not written them.
  case swapWriteBetweenCopyAndFile
  /// A fault holds a slot of the swap file and has not read it.
  case swapInBetweenHoldAndRead
  /// A fault has read a slot, outside of any section, and has not looked at its entry again.
  case swapInBetweenReadAndMap
  /// A page was read from a store and is not in the page cache yet.
  case cacheBetweenReadAndInstall
  /// A memory file's page has begun, under the contents' lock, and is not in the page cache yet.
  case cacheBetweenBeginAndInstall
  /// A page lies inside the memory file and is not in the cache, and what the file has of it has not been read.
  case cacheBetweenLengthAndContents
  /// Windows that were read ahead have left the queue, and their thread has neither the content lock nor looked at the
  /// length.
  case readAheadBeforeLock
  /// A `write` to a memory file holds its page and has not copied into it.
  case cacheBetweenPageAndCopy
  /// A `write` has copied into a page of the page cache and has not marked it dirty.
  case cacheBetweenCopyAndMark
  /// A thread has counted a dirty page of the page cache and has not marked it.
  case dirtyBetweenCountAndMark
  /// A write-back has chosen its pages and has not touched their dirty marks.
  case writeBackBeforeMarks
  /// A write-back has cleared dirty marks and has not advanced the sequence.
  case writeBackBetweenMarksAndSequence
  /// A write-back has advanced the sequence and has write-protected no entry.
  case writeBackBetweenSequenceAndProtect
  /// A write-back has write-protected its entries, and no grace period has passed.
  case writeBackBetweenProtectAndGrace
  /// A write-back's grace period is over, and it has not looked for holders of its frames.
  case writeBackBetweenGraceAndLook
  /// A write-back has counted the entries of a frame, and has not counted its references.
  case writeBackBetweenMappingsAndReferences
  /// A write-back has the bytes to write, copies perhaps, and has let no store in.
  case writeBackBetweenCopiesAndStores
  /// A write-back has written its pages, and has not cleared their marks.
  case writeBackBetweenStoresAndEnd
  /// An eviction, or a move, has claimed its pages and has emptied no entry.
  case evictionBetweenClaimAndUnmap
  /// An eviction has emptied its entries, and no grace period has passed.
  case evictionBetweenUnmapAndGrace
  /// An eviction's grace period is over, and it has not looked for holders of its frames.
  case evictionBetweenGraceAndLook
  /// An eviction has made its pages empty, and is not over.
  case evictionBetweenEmptyAndEnd
  /// A sync has written what was dirty, and has not looked which pages the disk may still lose.
  case syncBetweenWriteBackAndList
  /// A page of the page cache was copied to another frame, and the cache still has the old one.
  case cacheMoveBetweenCopyAndInstall
  /// A move of a page of the page cache has made it `reading`, and its new frame has no reference yet.
  case cacheMoveBetweenClaimAndInstall
  /// A move out of a movable frame has taken the entry away, and no grace period has passed.
  case moveOutBetweenTakeAndGrace
  /// A move out of a movable frame has waited for its grace period, and has not looked for holders.
  case moveOutBetweenGraceAndLook
  /// A store has made a hole, or has told an invalidation its length, and no page has left the page cache.
  case holeBetweenStoreAndDrop
  /// A cut of a memory file has brought in the page that its new end divides, and does not hold the change lock.
  case cutBetweenTailAndLock
  /// A truncation, a hole or an invalidation has taken pages out of the page cache, and has neither advanced the
  /// sequence nor emptied an entry.
  case truncationBetweenDropAndUnmap
  /// A truncation, a hole or an invalidation has emptied its entries, and no grace period has passed.
  case truncationBetweenUnmapAndGrace
  /// A thread needs a grace period that has not ended, and neither runs nor awaits one.
  case gracePeriodBeforeWait
  /// A grace period has waited for its sections, and has not ended: no other one can begin.
  case gracePeriodBetweenSectionsAndEnd
  /// An allocation that found no free frame has freed what was deferred, and has not looked again.
  case allocationBetweenDrainAndLook
  /// A real file was opened and locked, and its name has not been looked up again.
  case lockedFileBetweenLockAndLook
  /// A sync of a handle has written and synced, and has not looked for the error that it is to report.
  case syncBetweenWritesAndReport
  /// SQLite's VFS knows which file a path leads to, and has not opened it for a pool.
  case poolFileBetweenLookAndOpen
  /// SQLite's VFS has found no other descriptor of a pool's file, and has not closed its own.
  case poolFileBetweenLookAndClose
  /// A connection of SQLite has ended its read in a stretch, and does not keep its lock on the read mark yet.
  case readLockBetweenLookAndKeep

  /// Calls `handler` on every thread that reaches a yield point, until `remove` with the number that is returned. It
  /// gets the place and, where the thread says it, the address of the machine's memory.
  ///
  /// Tests that run side by side each have a handler of their own: all are called.
  package static func install(_ handler: @escaping @Sendable (YieldPoint, UnsafeRawPointer?) -> Void) -> Int {
    installed.withLock { installed in
      installed.lastNumber += 1
      installed.handlers.append(Handler(number: installed.lastNumber, call: handler))
      isInstalled.store(true, ordering: .releasing)
      return installed.lastNumber
    }
  }

  /// Ends what `install` began.
  package static func remove(_ number: Int) {
    installed.withLock { installed in
      installed.handlers.removeAll { $0.number == number }
      if installed.handlers.isEmpty { isInstalled.store(false, ordering: .releasing) }
    }
  }

  @usableFromInline static let isInstalled = Atomic<Bool>(false)
  // Behind a lock that ThreadSanitizer knows: tests with yield points run under it too.
  private static let installed = Guarded(Installed())

  private struct Installed {
    var handlers: [Handler] = []
    var lastNumber = 0
  }

  /// In a struct, because a closure that is read out of a generic place and put back is wrapped once more each time.
  private struct Handler {
    let number: Int
    let call: @Sendable (YieldPoint, UnsafeRawPointer?) -> Void
  }

  /// The calling thread has come to this place.
  ///
  /// - Parameter memory: the address of the machine's memory, which the library's own threads name. By that machine a
  ///   test knows a thread that it did not start.
  @inlinable @inline(__always)
  package func reach(in memory: @autoclosure () -> UnsafeRawPointer? = nil) {
    #if DEBUG || USERPAGES_YIELD_POINTS
      if Self.isInstalled.load(ordering: .acquiring) { callHandler(memory()) }
    #endif
  }

  @usableFromInline @inline(never)
  func callHandler(_ memory: UnsafeRawPointer?) {
    for handler in Self.installed.withLock({ $0.handlers }) { handler.call(self, memory) }
  }
}
