#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Forks that are stopped between two looks at an entry, and faults that come in between.
    @Suite struct FrozenForks {
      /// A fault may hold an entry until it finds the mapping write-locked. The fork copies what comes back, wherever
      /// it is.
      @Test(arguments: 0..<3)
      func anEntryThatAFaultHoldsIsCopied(held: Int) throws {
        try play { freezer, machine in
          let space = try spaceWithoutExclusivePages(machine, engine: .reference, pages: 3)
          let children = Children()
          let forker = freezer.start("fork", freezeAt: .forkBetweenProtectAndCopy) { children.add(try space.fork()) }
          #expect(forker.waitUntilFrozen())
          let ptep = try #require(RCU.read { space.table.ptep(for: start + held * Page.size, $0) })
          let pte = ptep.load()
          #expect(ptep.lock(pte))
          forker.thaw()
          #expect(!forker.mayFinish(), "a fork went past an entry that a fault holds")
          ptep.store(pte)
          try forker.join()
          children.forEach { child in
            for page in 0..<3 {
              let seen = try? child.load(at: start + page * Page.size, as: UInt64.self)
              #expect(seen == 7, "page \(page) of the child shows \(String(describing: seen))")
            }
          }
          children.removeAll()
        }
      }

      /// The same for the entry of a pinned page, which the fork makes exclusive again.
      @Test(arguments: Engines.all)
      func anEntryThatAFaultHoldsIsMadeExclusiveAgain(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: start, pages: 1, protection: .readWrite)
          try space.store(UInt64(7), at: start)
          let pin = try space.pin(at: start, .write)
          let forker = freezer.start("fork", freezeAt: .forkBetweenCopyAndRestore) { try space.fork().exit() }
          #expect(forker.waitUntilFrozen())
          let ptep = try #require(RCU.read { space.table.ptep(for: start, $0) })
          let pte = ptep.load()
          #expect(ptep.lock(pte))
          forker.thaw()
          _ = forker.mayFinish()
          ptep.store(pte)
          try forker.join()
          #expect(space.frameInformation(at: start)?.isExclusive == true)
          try space.store(UInt64(8), at: start)
          #expect(pin.deviceBytes.load(as: UInt64.self) == 8, "the program left its pinned page")
          pin.release()
        }
      }

      /// A fault saw the mapping before the fork write-locked it, and comes to its entry when the fork has
      /// write-protected all pages and copied none. Were its entry installed, the child would inherit one that takes
      /// stores.
      @Test(arguments: Engines.lockless, [false, true])
      func aFaultBetweenProtectAndCopy(engine: PinEngine, isFirstTouch: Bool) throws {
        try play { freezer, machine in
          let space = try spaceWithoutExclusivePages(machine, engine: engine, pages: 1)
          try space.map(at: start + Page.size, pages: 1, protection: .readWrite)
          machine.memory.flushDeferredFrees()
          let page = isFirstTouch ? start + Page.size : start
          let storer = freezer.start("store", freezeAt: .faultBeforeInstall) { try space.store(UInt64(8), at: page) }
          #expect(storer.waitUntilFrozen())
          let children = Children()
          let forker = freezer.start("fork", freezeAt: .forkBetweenProtectAndCopy) { children.add(try space.fork()) }
          #expect(forker.waitUntilFrozen())
          storer.thaw()
          #expect(!storer.mayFinish(), "a fault went past a fork that has the mapping to itself")
          forker.thaw()
          try forker.join()
          try storer.join()
          children.forEach { child in
            #expect(throws: Never.self) {
              try child.store(UInt64(99), at: page + 8)
              let seen = try space.load(at: page + 8, as: UInt64.self)
              #expect(seen == 0, "the parent sees its child's store of \(seen)")
            }
          }
          children.removeAll()
        }
      }

      /// A first touch is about to give the mapping its `anon_vma`, and has no page there. Were the page there before,
      /// another thread's store would be in it, and the fork would pass the mapping by.
      @Test(arguments: Engines.lockless, [PrivatePage.anonymous, .copyOfFile])
      func aFirstTouchBeforeItsAnonVMA(engine: PinEngine, page: PrivatePage) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let kind: MappingKind =
            page == .anonymous ? .anonymous : .file(try PageCacheFile(machine.memory, pages: 1))
          try space.map(at: start, pages: 1, protection: .readWrite, backing: kind)
          let toucher = freezer.start("touch", freezeAt: .anonVMABeforePrepare) {
            try space.advise(at: start, pages: 1, .populateWrite)
          }
          #expect(toucher.waitUntilFrozen())
          try space.store(UInt64(7), at: start)
          let child = try space.fork()
          #expect(try child.load(at: start, as: UInt64.self) == 7, "the child lost its parent's page")
          toucher.thaw()
          try toucher.join()
          child.exit()
          space.exit()
        }
      }

      enum PrivatePage: CaseIterable { case anonymous, copyOfFile }

      private let start: VirtualAddress = 0x5000

      /// A space with pages that begin with 7, as a child that is gone has left them. The next fork finds no entry to
      /// write-protect, and so waits for no section.
      private func spaceWithoutExclusivePages(
        _ machine: Machine, engine: PinEngine, pages: Int
      ) throws -> AddressSpace {
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(at: start, pages: pages, protection: .readWrite)
        for page in 0..<pages { try space.store(UInt64(7), at: start + page * Page.size) }
        try space.fork().exit()
        machine.memory.flushDeferredFrees()
        return space
      }
    }
  }
#endif
