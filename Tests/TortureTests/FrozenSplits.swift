#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Splits of 2 MiB that are stopped half way, and break-ups between two looks at the parts.
    @Suite struct FrozenSplits {
      /// Two spaces share the 2 MiB. One splits its entry while the other asks, for a collapse, whether a page is held.
      @Test func aHolderIsCountedWhileAnotherSpaceSplits() throws {
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: .reference)
          let child = try space.fork()
          try space.advise(at: HugeRegion.bystander, pages: 1, .dontNeed)
          machine.memory.flushDeferredFrees()
          let get = try space.pin(at: pageOf2MiB, .get)
          let splitter = freezer.start("split", freezeAt: .splitBetweenCounts) {
            try child.advise(at: HugeRegion.bystander, pages: 1, .dontNeed)
          }
          #expect(splitter.waitUntilFrozen())
          #expect(throws: PageError.tryAgain, "a page was collapsed under a get") {
            try space.advise(at: HugeRegion.start, pages: 512, .collapse)
          }
          splitter.thaw()
          try splitter.join()
          get.release()
          child.exit()
          space.exit()
        }
      }

      /// Two faults split the same entry. What the first one did to the parts must not be undone.
      @Test(arguments: Engines.lockless)
      func ofTwoSplitsOneWins(engine: PinEngine) throws {
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          let child = try space.fork()
          let late = freezer.start("store", freezeAt: .splitBeforeLock) { try child.store(UInt64(8), at: pageOf2MiB) }
          #expect(late.waitUntilFrozen())
          try child.store(UInt64(9), at: pageOf2MiB + Page.size)
          late.thaw()
          try late.join()
          #expect(try child.load(at: pageOf2MiB, as: UInt64.self) == 8)
          #expect(try child.load(at: pageOf2MiB + Page.size, as: UInt64.self) == 9, "a store was lost")
          #expect(try space.load(at: pageOf2MiB, as: UInt64.self) == 7)
          child.exit()
          space.exit()
        }
      }

      /// A load that comes while an entry is being split finds the 2 MiB or their parts, and no node that is empty.
      @Test(arguments: Engines.lockless, [false, true])
      func aLoadBesideASplit(engine: PinEngine, byFault: Bool) throws {
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          let child = try space.fork()
          let splitter = freezer.start("split", freezeAt: .splitBetweenCounts) {
            if byFault {
              try child.store(UInt64(1), at: HugeRegion.bystander)
            } else {
              try child.advise(at: HugeRegion.bystander, pages: 1, .dontNeed)
            }
          }
          #expect(splitter.waitUntilFrozen())
          let loader = freezer.start("load") {
            let seen = try child.load(at: pageOf2MiB, as: UInt64.self)
            freezer.expect(seen == 7, "a load beside a split found \(seen)")
          }
          _ = loader.mayFinish()
          splitter.thaw()
          try splitter.join()
          try loader.join()
          child.exit()
          space.exit()
        }
      }

      /// A store has read the entry of a part that is all zeroes so far. The break-up must not free that part.
      @Test(arguments: Engines.lockless)
      func aStoreIntoZeroes(engine: PinEngine) throws {
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          let place = pageOf2MiB + Page.size
          #expect(try space.load(at: place, as: UInt64.self) == 0)
          // Otherwise the break-up would wait for a grace period before it begins.
          machine.memory.flushDeferredFrees()
          let writer = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(8), at: place)
          }
          #expect(writer.waitUntilFrozen())
          let breaker = freezer.start("break-up") {
            let isBroken = space.breakUpHugeFrames(in: HugeRegion.start..<HugeRegion.start + Page.hugeSize)
            freezer.expect(isBroken, "there is another holder")
          }
          #expect(breaker.waitUntilPast(.breakUpBetweenTakeAndLook))
          #expect(!breaker.mayFinish(), "2 MiB were broken up under a store")
          writer.thaw()
          try writer.join()
          try breaker.join()
          #expect(try space.load(at: place, as: UInt64.self) == 8, "a store was lost")
          space.exit()
        }
      }

      /// A break-up has noted the entries of the parts, and puts those back in the end. A store must not change one in
      /// between.
      @Test(arguments: Engines.lockless)
      func aStoreBetweenTheLooksOfABreakUp(engine: PinEngine) throws {
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          // The parts are not exclusive any more: a store copies one.
          try space.fork().exit()
          try space.advise(at: HugeRegion.bystander, pages: 1, .dontNeed)
          // Otherwise the operation would wait for a grace period before it begins.
          machine.memory.flushDeferredFrees()
          let breaker = freezer.start("break up", freezeAt: .breakUpBetweenLookAndTake) {
            space.breakUpHugeFrames(in: HugeRegion.start..<HugeRegion.start + Page.hugeSize)
          }
          #expect(breaker.waitUntilFrozen())
          let storer = freezer.start("store") { try space.store(UInt64(8), at: pageOf2MiB) }
          #expect(!storer.mayFinish(), "a fault went past a break-up that has the mapping to itself")
          breaker.thaw()
          try breaker.join()
          try storer.join()
          #expect(try space.load(at: pageOf2MiB, as: UInt64.self) == 8, "a store was lost")
          space.exit()
        }
      }
    }
  }
#endif
