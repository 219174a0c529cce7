#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Threads that change 2 MiB, and threads that touch them, stopped half way.
    @Suite struct FrozenHugeChanges {
      @Test(arguments: Engines.lockless)
      func everyAccessWaitsForACollapse(engine: PinEngine) throws {
        try everyAccessWaits(engine: engine, at: .collapseBetweenUnlinkAndLook) { space in
          try space.advise(at: HugeRegion.start, pages: 512, .collapse)
        }
      }

      @Test(arguments: Engines.lockless)
      func everyAccessWaitsForABreakUp(engine: PinEngine) throws {
        try everyAccessWaits(engine: engine, at: .breakUpBetweenTakeAndLook) { space in
          space.breakUpHugeFrames(in: HugeRegion.start..<HugeRegion.start + Page.hugeSize)
        }
      }

      private func everyAccessWaits(
        engine: PinEngine, at point: YieldPoint, _ change: @escaping @Sendable (AddressSpace) throws -> Void
      ) throws {
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          try space.advise(at: HugeRegion.bystander, pages: 1, .dontNeed)
          // Otherwise the operation would wait for a grace period before it begins.
          machine.memory.flushDeferredFrees()
          let changer = freezer.start("change", freezeAt: point) { try change(space) }
          #expect(changer.waitUntilFrozen())
          #expect(space.entry(at: pageOf2MiB).kind == .migration)
          #expect(throws: PageError.tryAgain) { try space.pin(at: pageOf2MiB, [.write, .fastOnly]).release() }
          let loader = freezer.start("load") {
            let seen = try space.load(at: pageOf2MiB, as: UInt64.self)
            freezer.expect(seen == 7 || seen == 8, "a load found \(seen)")
          }
          let storer = freezer.start("store") { try space.store(UInt64(8), at: pageOf2MiB) }
          let pinner = freezer.start("pin") {
            let pin = try space.pin(at: pageOf2MiB + Page.size, .write)
            pin.deviceBytes.store(UInt64(9))
            pin.release(dirty: true)
          }
          #expect(!loader.mayFinish() && !storer.mayFinish() && !pinner.mayFinish())
          changer.thaw()
          for thread in [changer, loader, storer, pinner] { try thread.join() }
          #expect(try space.load(at: pageOf2MiB, as: UInt64.self) == 8)
          #expect(try space.load(at: pageOf2MiB + Page.size, as: UInt64.self) == 9)
        }
      }

      @Test(arguments: Engines.lockless)
      func aStoreUnderWayLandsInTheCopy(engine: PinEngine) throws {
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          try space.advise(at: HugeRegion.bystander, pages: 1, .dontNeed)
          // Otherwise the operation would wait for a grace period before it begins.
          machine.memory.flushDeferredFrees()
          let storer = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(8), at: pageOf2MiB)
          }
          #expect(storer.waitUntilFrozen())
          let collapser = freezer.start("collapse") {
            try space.advise(at: HugeRegion.start, pages: 512, .collapse)
          }
          #expect(collapser.waitUntilPast(.collapseBetweenUnlinkAndLook))
          #expect(!collapser.mayFinish(), "the pages were copied under a store")
          storer.thaw()
          try storer.join()
          try collapser.join()
          #expect(space.entry(at: pageOf2MiB).kind == .huge)
          #expect(try space.load(at: pageOf2MiB, as: UInt64.self) == 8)
        }
      }

      @Test(arguments: Engines.lockless)
      func aFaultUnderWayIsWaitedForOrComesToNothing(engine: PinEngine) throws {
        // It has found its place in a node that a collapse takes away.
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          try space.advise(at: HugeRegion.bystander, pages: 1, .dontNeed)
          // Otherwise the operation would wait for a grace period before it begins.
          machine.memory.flushDeferredFrees()
          let faulter = freezer.start("fault", freezeAt: .faultBeforeInstall) {
            try space.store(UInt64(5), at: HugeRegion.bystander)
          }
          #expect(faulter.waitUntilFrozen())
          let collapser = freezer.start("collapse") {
            try space.advise(at: HugeRegion.start, pages: 512, .collapse)
          }
          #expect(collapser.waitUntilPast(.collapseBetweenUnlinkAndLook))
          #expect(!collapser.mayFinish(), "a node was retired under a fault")
          faulter.thaw()
          try faulter.join()
          try collapser.join()
          #expect(try space.load(at: HugeRegion.bystander, as: UInt64.self) == 5)
          #expect(try space.load(at: pageOf2MiB, as: UInt64.self) == 7)
        }
      }

      /// The fault has found its place in a node that advice empties and gives back. If the node went at once, the
      /// store would go with it.
      @Test(arguments: Engines.lockless)
      func aNodeIsNotReclaimedUnderAFault(engine: PinEngine) throws {
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          // In halves, which leave the table. So the advice below empties nothing, and waits for no access before it
          // looks at the table.
          for half in [HugeRegion.start, HugeRegion.start + 256 * Page.size] {
            try space.advise(at: half, pages: 256, .dontNeed)
          }
          machine.memory.flushDeferredFrees()
          let faulter = freezer.start("fault", freezeAt: .faultBeforeInstall) {
            try space.store(UInt64(5), at: HugeRegion.bystander)
          }
          #expect(faulter.waitUntilFrozen())
          let adviser = freezer.start("dontneed") {
            try space.advise(at: HugeRegion.start, pages: 512, .dontNeed)
          }
          #expect(adviser.waitUntilPast(.tableReclaimBetweenUnlinkAndGrace))
          #expect(!adviser.mayFinish(), "a node was retired under a fault")
          faulter.thaw()
          try faulter.join()
          try adviser.join()
          #expect(try space.load(at: HugeRegion.bystander, as: UInt64.self) == 5)
          #expect(try space.load(at: pageOf2MiB, as: UInt64.self) == 0)
        }
      }

      @Test(arguments: Engines.lockless, [PinOptions.write, []])
      func aForkBetweenLookAndReuse(engine: PinEngine, options: PinOptions) throws {
        // A fault has seen that its space has the 2 MiB alone. A fork comes and goes, and leaves the entry as it was.
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          try space.fork().exit()
          let holder = freezer.start("pin", freezeAt: .faultBeforeInstall) {
            let pin = try space.pin(at: pageOf2MiB, options)
            try space.store(UInt64(8), at: pageOf2MiB)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 8, "pin and program see two pages")
            pin.release()
          }
          #expect(holder.waitUntilFrozen())
          let child = try space.fork()
          holder.thaw()
          try holder.join()
          #expect(try child.load(at: pageOf2MiB, as: UInt64.self) == 7, "the parent wrote to its child's page")
          child.exit()
        }
      }

      @Test(arguments: Engines.lockless)
      func ofTwoFirstTouchesOneWins(engine: PinEngine) throws {
        try play(frames: 2048) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: HugeRegion.start, pages: 512, protection: .readWrite, hugePages: true)
          let first = freezer.start("fault", freezeAt: .faultBeforeInstall) {
            try space.store(UInt64(5), at: HugeRegion.start)
          }
          #expect(first.waitUntilFrozen())
          try space.store(UInt64(6), at: pageOf2MiB)
          #expect(space.entry(at: pageOf2MiB).kind == .huge)
          first.thaw()
          try first.join()
          #expect(try space.load(at: HugeRegion.start, as: UInt64.self) == 5)
          #expect(try space.load(at: pageOf2MiB, as: UInt64.self) == 6)
          #expect(machine.memory.census().framesInUse == 512)
        }
      }

      @Test(arguments: Engines.lockless)
      func aFaultWith2MiBThatNeedsAPageGivesThemBackFirst(engine: PinEngine) throws {
        // All there is of memory. Another thread finds no 2 MiB, makes a node for its page, and finds no page either.
        try play(frames: 512) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: HugeRegion.start, pages: 512, protection: .readWrite, hugePages: true)
          let first = freezer.start("fault", freezeAt: .faultBeforeInstall) {
            try space.store(UInt64(5), at: HugeRegion.start)
          }
          #expect(first.waitUntilFrozen())
          #expect(throws: PageError.outOfMemory) { try space.store(UInt64(6), at: pageOf2MiB) }
          first.thaw()
          try first.join()
          #expect(space.entry(at: HugeRegion.start).kind == .normal)
          try space.store(UInt64(6), at: pageOf2MiB)
          #expect(machine.memory.census().framesInUse == 2)
        }
      }

      @Test(arguments: Engines.lockless)
      func theFrameStaysWhileAWalkerMayReferToIt(engine: PinEngine) throws {
        try play(frames: 512) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          let other = AddressSpace(machine.memory, engine: engine)
          try other.map(at: 0x5000, pages: 1, protection: .readWrite)
          let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) {
            let seen = try space.load(at: pageOf2MiB, as: UInt64.self)
            freezer.expect(seen == 7, "a load of a page that is being unmapped found \(seen)")
          }
          #expect(loader.waitUntilFrozen())
          let unmapper = freezer.start("unmap") { try space.unmap(at: HugeRegion.start, pages: 512) }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          let stored = Board(1)
          let taker = freezer.start("take a frame") {
            // The unmapped ones may not even be among the deferred frees yet.
            while try !tolerating(
              .outOfMemory, body: { () throws(PageError) in try other.store(UInt64(1), at: 0x5000) })
            {}
            stored[0] = 1
          }
          #expect(!taker.mayFinish() && stored[0] == 0, "the frame was given away under a reader")
          loader.thaw()
          for thread in [loader, unmapper, taker] { try thread.join() }
        }
      }
    }
  }
#endif
