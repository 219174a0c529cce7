#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Copy-on-write faults that are frozen between look, copy and install, and loads by the entry that a copy
    /// replaces.
    @Suite struct FrozenCopies {
      private let start: VirtualAddress = 0x5000

      /// Two spaces share a page. One stores, and so moves to a copy, under a load by its old entry. The page is the
      /// other's alone from then on. Its store must not show through the load.
      @Test(arguments: Engines.all)
      func aLoadByTheOldEntry(engine: PinEngine) throws {
        try play { freezer, machine in
          let (parent, child) = try family(machine, engine: engine)
          let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) {
            let seen = try child.load(at: start, as: UInt64.self)
            freezer.expect(seen == 7, "a load in the child found the parent's store of \(seen)")
          }
          #expect(loader.waitUntilFrozen())
          try child.store(UInt64(1), at: start + 8)
          let storer = freezer.start("store") { try parent.store(UInt64(8), at: start) }
          _ = storer.mayFinish()
          loader.thaw()
          try loader.join()
          try storer.join()
          #expect(try parent.load(at: start, as: UInt64.self) == 8)
          #expect(try child.load(at: start, as: UInt64.self) == 7)
          parent.exit()
          child.exit()
        }
      }

      /// The same where the entry that the copy replaces had the last reference: the frame is not free before the load
      /// is over.
      @Test(arguments: Engines.all)
      func aLoadOfAPageThatNoEntryMapsAnyMore(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let file = try PageCacheFile(machine.memory, pages: 1, fill: 3)
          try space.map(at: start, pages: 1, protection: .readWrite, backing: .file(file))
          #expect(try space.load(at: start, as: UInt8.self) == 3)
          file.drop()
          machine.memory.flushDeferredFrees()
          let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) {
            freezer.expect(try space.load(at: start, as: UInt8.self) == 3, "the page was given away under a load")
          }
          #expect(loader.waitUntilFrozen())
          let free = machine.memory.freePages
          try space.store(UInt8(4), at: start)
          #expect(machine.memory.freePages == free - 1, "the original was freed under a load")
          loader.thaw()
          try loader.join()
          space.exit()
          file.drop()
        }
      }

      /// Two faults copy the same page. The second finds the entry changed, and its store goes into the first one's
      /// copy.
      @Test(arguments: Engines.lockless)
      func ofTwoCopiesOneWins(engine: PinEngine) throws {
        try play { freezer, machine in
          let (parent, child) = try family(machine, engine: engine)
          let late = freezer.start("store", freezeAt: .copyBetweenContentsAndInstall) {
            try parent.store(UInt64(8), at: start)
          }
          #expect(late.waitUntilFrozen())
          try parent.store(UInt64(9), at: start + 8)
          late.thaw()
          try late.join()
          #expect(try parent.load(at: start, as: UInt64.self) == 8)
          #expect(try parent.load(at: start + 8, as: UInt64.self) == 9, "a store was lost")
          #expect(try child.load(at: start, as: UInt64.self) == 7)
          parent.exit()
          child.exit()
        }
      }

      /// A shared page is read-only as it is, so an operation that forbids stores leaves its entry alone. The copy must
      /// notice the mapping instead.
      @Test(arguments: Engines.lockless)
      func aCopyOvertakenByProtect(engine: PinEngine) throws {
        try play { freezer, machine in
          let (parent, child) = try family(machine, engine: engine)
          let late = freezer.start("store", freezeAt: .copyBetweenContentsAndInstall) {
            freezer.expect(.segmentationViolation) { () throws(PageError) in try parent.store(UInt64(8), at: start) }
          }
          #expect(late.waitUntilFrozen())
          let protector = freezer.start("protect") { try parent.protect(at: start, pages: 1, .read) }
          _ = protector.mayFinish()
          late.thaw()
          try late.join()
          try protector.join()
          #expect(!parent.entry(at: start).protection.contains(.write))
          #expect(try parent.load(at: start, as: UInt64.self) == 7)
          parent.exit()
          child.exit()
        }
      }

      /// A fault is about to reuse a page that goes out. It takes the page back instead. The swap entry is not
      /// overwritten.
      @Test(arguments: Engines.lockless)
      func aReuseOvertakenByAPageOut(engine: PinEngine) throws {
        try play(swapPages: 4) { freezer, machine in
          let (parent, child) = try family(machine, engine: engine)
          child.exit()
          machine.memory.flushDeferredFrees()
          let late = freezer.start("store", freezeAt: .faultBeforeInstall) { try parent.store(UInt64(8), at: start) }
          #expect(late.waitUntilFrozen())
          let out = freezer.start("page out") { try parent.advise(at: start, pages: 1, .pageOut) }
          #expect(out.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          late.thaw()
          try late.join()
          try out.join()
          // An entry that was overwritten leaves its slot behind: no more is done then.
          try #require(machine.memory.census().swapSlots == 0)
          #expect(try parent.load(at: start, as: UInt64.self) == 8)
          parent.exit()
        }
      }

      /// A parent and a child that share a page which begins with 7.
      private func family(
        _ machine: Machine, engine: PinEngine
      ) throws -> (parent: AddressSpace, child: AddressSpace) {
        let parent = AddressSpace(machine.memory, engine: engine)
        try parent.map(at: start, pages: 1, protection: .readWrite)
        try parent.store(UInt64(7), at: start)
        return (parent, try parent.fork())
      }
    }
  }
#endif
