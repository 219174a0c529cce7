import Glibc
import MemoryModel

/// The protocols of the operation matrix, each as a program of two or three threads on the smallest machine.
///
/// `repin`: the page was pinned before. In the slot engine the first pin of a page goes another way than the later
/// ones.
private let programs: [(name: String, run: @Sendable (PinEngine) -> Void)] = [
  ("pin-unmap", { pinAgainstUnmap(Setting(engine: $0)) }),
  ("repin-unmap", { pinAgainstUnmap(Setting(engine: $0, wasPinned: true)) }),
  ("pin-unmap-reuse", { pinAgainstReuse(Setting(engine: $0)) }),
  ("repin-unmap-reuse", { pinAgainstReuse(Setting(engine: $0, wasPinned: true)) }),
  ("pinstore-reuse", { pinnedStoreAgainstReuse(Setting(engine: $0)) }),
  ("repinstore-reuse", { pinnedStoreAgainstReuse(Setting(engine: $0, wasPinned: true)) }),
  ("repinpinstore-reuse", twoPinnedStoresAgainstReuse),
  ("rangestore-reuse", rangeStoreAgainstReuse),
  ("first-pins", firstPins),
  ("pin-pin-unmap", twoPinsAgainstUnmap),
  ("range-unmap", rangePinAgainstUnmap),
  ("range-fork", rangePinAgainstFork),
  ("pin-fork", { pinAgainstFork(Setting(engine: $0)) }),
  ("repin-fork", { pinAgainstFork(Setting(engine: $0, wasPinned: true)) }),
  ("pin-protect", pinAgainstProtect),
  ("pin-remap", pinAgainstRemap),
  ("pin-cow", pinAgainstCopyOnWrite),
  ("unshare-cow", unsharingPinAgainstCopyOnWrite),
  ("pin-cow-fork", breakingPinAgainstFork),

  ("store-protect", storeAgainstProtect),
  ("store-map", storeAgainstMap),
  ("store-remap", storeAgainstRemap),
  ("store-fork", storeAgainstFork),
  ("store-unmap-reuse", storeAgainstReuse),
  ("load-unmap-reuse", loadAgainstReuse),
  ("store-cow", storesOfParentAndChild),
  ("cow-cow", storesOfOneSpace),
  ("cow-fork", copyOnWriteAgainstFork),
  ("fault-fault", faultAgainstFault),
  ("fault-unmap", faultAgainstUnmap),
  ("fault-unmap-nodes", faultAgainstUnmapOfNodes),
  ("fault-fault-nodes", faultAgainstFaultOfNodes),
  ("fault-fork", faultAgainstFork),
  ("first-stores-fork", firstStoresAgainstFork),
  ("fault-publish", faultAgainstPublish),

  ("stripe-first", firstMapsInAStripe),
  ("stripe-whole", mapInAStripeAgainstTheWhole),
  ("stripe-advice-whole", adviceInAStripeAgainstTheWhole),
  ("look-up-widens", lookUpWhileItWidens),
  ("look-up-first", lookUpOfTheFirst),
  ("look-up-shifts", lookUpWhileItShifts),
  ("look-up-shifts-back", lookUpWhileItShiftsBack),

  ("pin-pageout", pinAgainstPageOut),
  ("get-pageout", getAgainstPageOut),
  ("store-pageout", storeAgainstPageOut),
  ("swapin-swapin", swapInAgainstSwapIn),
  ("swapin-unmap", swapInAgainstUnmap),
  ("swapin-fork", swapInAgainstFork),

  ("store-lazyfree", storeAgainstDropOfLazilyFreed),
  ("pin-lazyfree", pinAgainstDropOfLazilyFreed),
  ("lock-pageout", lockAgainstPageOut),
  ("seal-unmap", sealAgainstUnmap),
  ("fault-tables", faultAgainstTableReclaim),
  ("fault-guard", faultAgainstGuard),
  ("store-guard", storeAgainstGuard),
  ("pin-move", pinAgainstMove),
  ("store-move", storeAgainstMove),

  ("miss-miss", missAgainstMiss),
  ("miss-cut", missAgainstCut),
  ("load-evict", loadAgainstEviction),
  ("store-evict", storeAgainstEviction),
  ("reclaim-reclaim", reclaimAgainstReclaim),
  ("last-whole-part", lastWholeAgainstPart),
  ("pin-evict", pinAgainstEviction),
  ("store-writeback", storeAgainstWriteBack),
  ("pin-writeback", pinAgainstWriteBack),
  ("write-writeback", writeAgainstWriteBack),

  ("load-migrate", loadAgainstMigration),
  ("pin-migrate-back", pinAgainstMigrationBack),
  ("store-migrate-back", storeAgainstMigrationBack),

  ("load-truncate", loadAgainstTruncation),
  ("store-truncate", storeAgainstTruncation),
  ("write-truncate", writeAgainstTruncation),
  ("store-empty-unmap", storeAgainstEmptyingAndUnmap),
  ("pin-truncate", pinAgainstTruncation),

  ("mirror-load-unmap", mirroredLoadAgainstReuse),
  ("mirror-copy-unmap", mirroredCopyAgainstReuse),
  ("mirror-copy-unmap-elsewhere", mirroredCopyAgainstReuseElsewhere),
  ("mirror-load-unmap-elsewhere", mirroredLoadAgainstReuseElsewhere),
  ("mirror-new-cow", newMirrorAgainstCopyOnWrite),
  ("mirror-fill-unmap", mirroredFillAgainstReuse),
  ("mirror-load-fill", mirroredLoadAgainstFill),
  ("mirror-store-unmap", mirroredStoreAgainstReuse),
  ("mirror-store-protect", mirroredStoreAgainstProtect),
  ("mirror-store-fork", mirroredStoreAgainstFork),
  ("mirror-load-cow", mirroredLoadAgainstCopyOnWrite),
  ("mirror-store-cow", mirroredStoreAgainstCopyOnWrite),
  ("mirror-load-migrate", mirroredLoadAgainstMigration),
  ("mirror-load-migrate-back", mirroredLoadAgainstMigrationBack),
  ("mirror-store-migrate-back", mirroredStoreAgainstMigrationBack),
  ("mirror-load-pageout", mirroredLoadAgainstPageOut),
  ("mirror-store-pageout", mirroredStoreAgainstPageOut),
  ("mirror-load-truncate", mirroredLoadAgainstTruncation),
  ("mirror-store-truncate", mirroredStoreAgainstTruncation),

  ("pin-split", pinAgainstSplit),
  ("store-split", storeAgainstSplit),
  ("pin-collapse", pinAgainstCollapse),
  ("store-collapse", storeAgainstCollapse),
  ("pin-breakup", pinAgainstBreakUp),
  ("store-breakup", storeAgainstBreakUp),
  ("unmap-breakup", unmapAgainstBreakUp),
  ("number-breakup", numberAgainstBreakUp),
  ("number-reuse", numberAgainstReuse),

  ("futex-lock", { _ in locks(threads: 2) }),
  ("futex-lock-3", { _ in locks(threads: 3) }),
  ("futex-try-lock", { _ in triedLocks() }),
  ("new-section", lookAgainstNewSection),
  ("guarded", { _ in guardedValue() }),
  ("published", { _ in publishedValue() }),
  ("set-once", { _ in setOnce() }),
  ("shared-grace", { _ in sharedGracePeriod() }),
  ("cookie", { _ in cookie() }),
  ("queue-drain", { _ in drainAgainstEnqueue() }),
  ("queue-queue", { _ in twoDrains() }),
  ("endings", { _ in endingsComeByThemselves() }),
  ("allocator", allocations),
]

@_cdecl("mm_test") public func test(_ unused: UnsafeMutableRawPointer?) {
  guard let name = getenv("MM_PROGRAM").map({ String(cString: $0) }),
    let program = programs.first(where: { $0.name == name.prefix(while: { $0 != "/" }) })
  else { fatalError("MM_PROGRAM names no program") }
  let engine = name.drop { $0 != "/" }.dropFirst()
  guard let engine = engine.isEmpty ? .reference : PinEngine(rawValue: String(engine)) else {
    fatalError("MM_PROGRAM names no engine")
  }
  program.run(engine)
}
