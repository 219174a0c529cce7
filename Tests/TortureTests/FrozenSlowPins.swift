#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Pins that are frozen on the slow path, or meet there an operation that is frozen.
    @Suite struct FrozenSlowPins {
      /// The pin has found a shared mapping of a file. A private one of the same file takes its place, and its page is
      /// there when the pin reads the entry. By the old mapping's rules the pin would take the file's page, which the
      /// next store leaves.
      @Test(arguments: Engines.lockless)
      func aMappingThatWasReplacedHasNoSay(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let file = try PageCacheFile(machine.memory, pages: 1, fill: 3)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
          let reader = freezer.start("pin", freezeAt: .slowPinBetweenMappingAndEntry) {
            let pin = try space.pin(at: 0x5000, .longTerm)
            try space.store(UInt64(8), at: 0x5000)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 8, "the pin does not see the program's store")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          try space.map(at: 0x5000, pages: 1, protection: .readWrite, backing: .file(file))
          #expect(try space.load(at: 0x5000, as: UInt8.self) == 3)
          reader.thaw()
          try reader.join()
          space.exit()
          file.drop()
        }
      }

      /// Between the two steps of a replacement there is no mapping. A pin must not report that.
      @Test(arguments: Engines.lockless)
      func aHoleInAReplacementIsNotBelieved(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let mapper = freezer.start("map over", freezeAt: .unmapBetweenClearAndFree) {
            try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          }
          #expect(mapper.waitUntilFrozen())
          let pinner = freezer.start("pin") {
            let pin = try space.pin(at: 0x5000, .write)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 0, "the pin is of the page that is gone")
            pin.release()
          }
          #expect(!pinner.mayFinish())
          mapper.thaw()
          try mapper.join()
          try pinner.join()
          space.exit()
        }
      }

      /// A fault holds the entry of a page that is there: a pin that may not fault waits for it.
      @Test(arguments: Engines.lockless)
      func anEntryThatAFaultHoldsIsWaitedFor(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let place = try #require(RCU.read { space.table.ptep(for: 0x5000, $0) })
          let pte = place.load()
          #expect(place.lock(pte))
          let pinner = freezer.start("pin") {
            let pin = try space.pin(at: 0x5000, [.write, .noFault])
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 7, "another page")
            pin.release()
          }
          #expect(!pinner.mayFinish())
          place.store(pte)
          try pinner.join()
          space.exit()
        }
      }

      /// The fault of a pin for writing has prepared a writable entry, and writing is forbidden before it installs it.
      @Test(arguments: Engines.lockless)
      func protect(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let pinner = freezer.start("pin", freezeAt: .faultBeforeInstall) {
            freezer.expect(.badAddress) { () throws(PageError) in try space.pin(at: 0x5000, .write).release() }
          }
          #expect(pinner.waitUntilFrozen())
          try space.protect(at: 0x5000, pages: 1, .read)
          pinner.thaw()
          try pinner.join()
          #expect(!space.entry(at: 0x5000).protection.contains(.write))
          space.exit()
        }
      }

      /// The page is shared by a fork that is over: a pin for writing copies it first.
      @Test(arguments: Engines.all)
      func aPageThatAForkShared(engine: PinEngine) throws {
        try play { _, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let child = try space.fork()
          let pin = try space.pin(at: 0x5000, .write)
          pin.deviceBytes.store(UInt64(8))
          #expect(try space.load(at: 0x5000, as: UInt64.self) == 8)
          #expect(try child.load(at: 0x5000, as: UInt64.self) == 7, "the device wrote to the child's page")
          pin.release()
        }
      }

      /// A fork has write-locked the mapping and has not copied its entries. A pin that would make the page the
      /// parent's own again waits.
      @Test(arguments: Engines.lockless)
      func fork(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          // The page is shared, and its other user gone. So the next fork finds nothing to write-protect.
          try space.fork().exit()
          machine.memory.flushDeferredFrees()
          let children = Children()
          let forker = freezer.start("fork", freezeAt: .forkBetweenProtectAndCopy) { children.add(try space.fork()) }
          #expect(forker.waitUntilFrozen())
          let pinner = freezer.start("pin") {
            let pin = try space.pin(at: 0x5000, .write)
            pin.deviceBytes.store(UInt64(8))
            freezer.expect(try space.load(at: 0x5000, as: UInt64.self) == 8, "pin and program see two pages")
            pin.release()
          }
          #expect(!pinner.mayFinish(), "the pin did not wait for the fork")
          forker.thaw()
          try forker.join()
          try pinner.join()
          children.forEach { child in #expect((try? child.load(at: 0x5000, as: UInt64.self)) == 7) }
          children.removeAll()
        }
      }

      /// Two pins fault one page in: the second to install takes the first one's frame.
      @Test(arguments: Engines.lockless)
      func twoPinsOfAFreshPage(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let pfn = Board(1)
          let loser = freezer.start("pin", freezeAt: .faultBeforeInstall) {
            let pin = try space.pin(at: 0x5000, .write)
            freezer.expect(pin.pfn.rawValue == pfn[0], "two pins have two frames")
            pin.release()
          }
          #expect(loser.waitUntilFrozen())
          let pin = try space.pin(at: 0x5000, .write)
          pfn[0] = pin.pfn.rawValue
          loser.thaw()
          try loser.join()
          pin.release()
          space.exit()
        }
      }

      /// The slow path's look has read an entry and has no reference yet. The frame must not be another page's
      /// meanwhile.
      @Test(arguments: Engines.lockless)
      func frameStaysWhileTheSlowPathMayReferToIt(engine: PinEngine) throws {
        try play(frames: 4) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let other = AddressSpace(machine.memory, engine: engine)
          let file = try PageCacheFile(machine.memory, pages: 1, fill: 3)
          try space.map(at: 0x5000, pages: 1, protection: .read, sharing: .shared, backing: .file(file))
          try other.map(at: 0x5000, pages: 4, protection: .readWrite)
          #expect(try space.load(at: 0x5000, as: UInt8.self) == 3)
          // The fast path takes no file's page for a long time.
          let reader = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            freezer.expect(.badAddress) { () throws(PageError) in try space.pin(at: 0x5000, .longTerm).release() }
          }
          #expect(reader.waitUntilFrozen())
          let unmapper = freezer.start("unmap") {
            try space.unmap(at: 0x5000, pages: 1)
            file.drop()
          }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          let stored = Board(1)
          let taker = freezer.start("take all frames") {
            for page in 0..<4 {
              let address = VirtualAddress(0x5000) + page * Page.size
              while try !tolerating(
                .outOfMemory, body: { () throws(PageError) in try other.store(UInt64(1), at: address) })
              {}
              stored[0] = UInt64(page + 1)
            }
          }
          #expect(!taker.mayFinish() && stored[0] < 4, "the frame was given away under the slow path")
          reader.thaw()
          try reader.join()
          try unmapper.join()
          try taker.join()
        }
      }
    }
  }
#endif
