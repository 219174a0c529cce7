import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pages that are freed lazily and dropped while programs and devices store to them.
  @Suite struct LazyFreeRaces {
    private static let region = Region(at: 0x7000_0000, pages: 4)

    /// A thread's store that comes after its own advice is kept, whatever others drop meanwhile.
    @Test(arguments: Engines.all)
    func stores(engine: PinEngine) throws {
      try race("stores against lazily freed pages", engine: engine, swapPages: 64) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(at: Self.region.start, pages: Self.region.pages, protection: .readWrite)
        let dropped = torture.tally("pages that were dropped", goal: 4)
        torture.run([
          // Each thread has two pages of its own.
          Worker("free and store", threads: 2) { run in
            while run.next() {
              let address = Self.region.address(2 * run.index + run.random.below(2))
              try space.store(UInt64(run.turn), at: address)
              try space.advise(at: address, pages: 1, .free)
              run.pauseRandomly()
              let seen = try space.load(at: address, as: UInt64.self)
              torture.expect(seen == 0 || seen == UInt64(run.turn), "a freed page shows \(seen)")
              if seen == 0 { dropped.count() }
              try space.store(UInt64(run.turn) + 1, at: address + 8)
              run.pauseRandomly()
              let kept = try space.load(at: address + 8, as: UInt64.self)
              torture.expect(kept == UInt64(run.turn) + 1, "a store after the advice was lost: \(kept)")
            }
          },
          Worker("page out") { run in
            while run.next() {
              _ = try tolerating(.outOfMemory) { () throws(PageError) in
                try space.advise(at: Self.region.start, pages: Self.region.pages, .pageOut)
              }
              run.pauseRandomly()
            }
          },
          .neighbour(machine, engine: engine, torture),
        ])
        space.exit()
      }
    }

    /// Program and device see one page for as long as it is pinned.
    @Test(arguments: Engines.all)
    func pins(engine: PinEngine) throws {
      try race("pins against lazily freed pages", engine: engine, swapPages: 64) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(at: Self.region.start, pages: Self.region.pages, protection: .readWrite)
        let held = torture.tally("coherent pins", goal: 16)
        torture.run([
          Worker("free and page out", threads: 2) { run in
            while run.next() {
              try space.advise(at: Self.region.start, pages: Self.region.pages, .free)
              _ = try tolerating(.outOfMemory) { () throws(PageError) in
                try space.advise(at: Self.region.start, pages: Self.region.pages, .pageOut)
              }
              run.pauseRandomly()
            }
          },
          Worker("pin", threads: 2) { run in
            while run.next() {
              let address = Self.region.address(run.random.below(Self.region.pages))
              let pin = try space.pin(at: address, .write)
              let place = Stamp.deviceOffset(run.index)
              pin.deviceBytes.store(UInt64(run.turn), toByteOffset: place)
              run.pauseRandomly()
              let seen = try space.load(at: address + place, as: UInt64.self)
              torture.expect(seen == UInt64(run.turn), "the program sees \(seen), the device stored \(run.turn)")
              pin.release(dirty: true)
              held.count()
            }
          },
        ])
        space.exit()
      }
    }
  }
}

#if DEBUG
  extension TortureTests {
    @Suite struct FrozenLazyFrees {
      private let address: VirtualAddress = 0x5000

      private func withFreedPage(
        _ engine: PinEngine, _ body: (Freezer, Machine, AddressSpace) throws -> Void
      ) throws {
        try play(swapPages: 16) { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          try space.advise(at: address, pages: 1, .free)
          try body(freezer, machine, space)
          space.exit()
        }
      }

      /// A store comes when the page-out has looked at the clean entry. The page stays, with the store.
      @Test(arguments: Engines.all)
      func aStoreBeforeTheDrop(engine: PinEngine) throws {
        try withFreedPage(engine) { [address] freezer, _, space in
          let out = freezer.start("page out", freezeAt: .pageOutBetweenEntryAndReplacement) {
            try space.advise(at: address, pages: 1, .pageOut)
          }
          #expect(out.waitUntilFrozen())
          try space.store(UInt64(8), at: address)
          out.thaw()
          try out.join()
          #expect(try space.load(at: address, as: UInt64.self) == 8, "a store was lost with its page")
        }
      }

      /// A store comes when the page is on its way out. It waits, and finds a page of zeroes.
      @Test(arguments: Engines.all)
      func aStoreDuringTheDrop(engine: PinEngine) throws {
        try withFreedPage(engine) { [address] freezer, _, space in
          let out = freezer.start("page out", freezeAt: .pageOutBetweenEntriesAndGrace) {
            try space.advise(at: address, pages: 1, .pageOut)
          }
          #expect(out.waitUntilFrozen())
          let store = freezer.start("store") { try space.store(UInt64(8), at: address + 8) }
          #expect(!store.mayFinish(), "a store went through a page that is being dropped")
          out.thaw()
          try out.join()
          try store.join()
          #expect(try space.load(at: address, as: UInt64.self) == 0)
          #expect(try space.load(at: address + 8, as: UInt64.self) == 8)
        }
      }

      /// A pin has read the entry, and its hold cannot be seen yet. The drop waits, and leaves the page.
      @Test(arguments: Engines.lockless)
      func aPinThatHasReadItsEntry(engine: PinEngine) throws {
        try withFreedPage(engine) { [address] freezer, _, space in
          let pinned = Board(2)
          let pin = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            let pin = try space.pin(at: address, .write)
            pin.deviceBytes.store(UInt64(9), toByteOffset: 8)
            pinned[0] = 1
            while pinned[1] == 0 {}
            freezer.expect(try space.load(at: address + 8, as: UInt64.self) == 9, "pin and program see two pages")
            pin.release(dirty: true)
          }
          #expect(pin.waitUntilFrozen())
          let out = freezer.start("page out") { try space.advise(at: address, pages: 1, .pageOut) }
          #expect(out.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          #expect(!out.mayFinish(), "the page was dropped under a pin that cannot be seen yet")
          pin.thaw()
          try out.join()
          while pinned[0] == 0 {}
          pinned[1] = 1
          try pin.join()
          // What the device stored is kept: the holder has said so.
          try space.advise(at: address, pages: 1, .pageOut)
          #expect(try space.load(at: address + 8, as: UInt64.self) == 9)
        }
      }

      /// Reclaim has read one program's entry of a shared page. Another program's advice is that it can do without it.
      /// The mark of that is for the page as it was: once it is back from the swap file, its entries are clean.
      @Test(arguments: Engines.all)
      func anAdviceBesideTheFirstSwapOut(engine: PinEngine) throws {
        try play(swapPages: 16) { [address] freezer, machine in
          let parent = try machine.space(engine: engine, holding: 7)
          let child = try parent.fork()
          let reclaim = freezer.start("reclaim", freezeAt: .pageOutBetweenEntryAndReplacement) {
            machine.memory.reclaim(pages: 1)
          }
          #expect(reclaim.waitUntilFrozen())
          // One of the two has the entry that was read. The advice waits for a grace period, so for the reclaim.
          let advice = freezer.start("advice", freezeAt: .freeBetweenMarkAndEntry) {
            try child.advise(at: address, pages: 1, .free)
          }
          #expect(advice.waitUntilFrozen())
          reclaim.thaw()
          advice.thaw()
          try reclaim.join()
          try advice.join()
          #expect(try parent.load(at: address, as: UInt64.self) == 7)
          child.exit()
          machine.memory.flushDeferredFrees()
          machine.memory.reclaim(pages: 64)
          #expect(try parent.load(at: address, as: UInt64.self) == 7, "another program's advice dropped a page")
          parent.exit()
        }
      }

      /// A page that a slot pins has a swap entry while a page-out looks for its holders. The advice leaves it alone.
      @Test func aPinnedPageOnItsWayOut() throws {
        try play(swapPages: 16) { [address] freezer, machine in
          let space = try machine.space(engine: .slot, holding: 7)
          let pin = try space.pin(at: address, .write)
          let out = freezer.start("page out", freezeAt: .pageOutBetweenEntriesAndGrace) {
            try space.advise(at: address, pages: 1, .pageOut)
          }
          #expect(out.waitUntilFrozen())
          try space.advise(at: address, pages: 1, .free)
          out.thaw()
          try out.join()
          pin.deviceBytes.store(UInt64(9))
          #expect(try space.load(at: address, as: UInt64.self) == 9, "pin and program see two pages")
          pin.release()
          space.exit()
        }
      }

      /// The same as below for 2 MiB, which are made clean by their one entry, or by an entry for each page.
      @Test(arguments: Engines.lockless, [false, true])
      func aStoreByTheDirtyEntryOf2MiB(engine: PinEngine, isSplit: Bool) throws {
        try play(frames: 2048, swapPages: 16) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          if isSplit {
            try space.protect(at: HugeRegion.start, pages: 1, .read)
            try space.protect(at: HugeRegion.start, pages: 1, .readWrite)
          }
          let store = freezer.startStoring(space, at: pageOf2MiB)
          let advice = freezer.start("free") { try space.advise(at: HugeRegion.start, pages: 512, .free) }
          #expect(!advice.mayFinish(), "the advice was over before a store that it cannot see")
          store.thaw()
          try store.join()
          try advice.join()
          space.exit()
        }
      }

      /// A store by the dirty entry is under way when the advice is given. It lands before the advice is over.
      @Test(arguments: Engines.lockless)
      func aStoreByTheDirtyEntry(engine: PinEngine) throws {
        try play(swapPages: 16) { [address] freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let store = freezer.startStoring(space, at: address)
          let advice = freezer.start("free") { try space.advise(at: address, pages: 1, .free) }
          #expect(!advice.mayFinish(), "the advice was over before a store that it cannot see")
          store.thaw()
          try store.join()
          try advice.join()
          space.exit()
        }
      }
    }
  }
#endif
