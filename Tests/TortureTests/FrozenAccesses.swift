#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Loads, stores and faults that are frozen in the middle while another thread changes the mapping.
    @Suite struct FrozenAccesses {
      @Test(arguments: Engines.all)
      func protectWaitsForStoresInFlight(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let storer = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(8), at: 0x5000)
          }
          #expect(storer.waitUntilFrozen())
          let protector = freezer.start("protect") {
            try space.protect(at: 0x5000, pages: 1, .read)
            // Whatever was in flight has landed.
            freezer.expect(try space.load(at: 0x5000, as: UInt64.self) == 8, "the program sees something else")
          }
          while space.entry(at: 0x5000).protection.contains(.write) {}
          #expect(!protector.mayFinish(), "protect returned while a store was in flight")
          storer.thaw()
          try storer.join()
          try protector.join()
        }
      }

      @Test(arguments: Engines.all)
      func forkWaitsForStoresInFlight(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let children = Children()
          let storer = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(8), at: 0x5000)
          }
          #expect(storer.waitUntilFrozen())
          let forker = freezer.start("fork") { children.add(try space.fork()) }
          #expect(forker.waitUntilPast(.forkBetweenProtectAndCopy))
          if forker.mayFinish() {
            // A fork that returned already has fixed what the child sees.
            children.forEach { child in #expect(throws: Never.self) { _ = try child.load(at: 0x5000, as: UInt64.self) }
            }
            Issue.record("fork returned while a store was in flight")
          }
          storer.thaw()
          try storer.join()
          try forker.join()
          children.forEach { child in #expect((try? child.load(at: 0x5000, as: UInt64.self)) == 8) }
          children.removeAll()
        }
      }

      @Test(arguments: Engines.all)
      func storeInFlightHitsNoOtherMapping(engine: PinEngine) throws {
        // The page is unmapped under a store. Its frame must not be another's before the store has landed.
        try play(frames: 4) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let other = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          try other.map(at: 0x5000, pages: 4, protection: .readWrite)
          try space.store(UInt64(7), at: 0x5000)
          let storer = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(8), at: 0x5000)
          }
          #expect(storer.waitUntilFrozen())
          let unmapper = freezer.start("unmap") { try space.unmap(at: 0x5000, pages: 1) }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          let stored = Board(1)
          let taker = freezer.start("take all frames") {
            for page in 0..<4 {
              // The unmapped frame may not even be among the deferred frees yet.
              while try !tolerating(
                .outOfMemory,
                body: { () throws(PageError) in
                  try other.store(UInt64(0), at: 0x5000 + page * Page.size)
                })
              {}
              stored[0] = UInt64(page + 1)
            }
          }
          #expect(!taker.mayFinish() && stored[0] < 4, "the frame was given away under a store")
          storer.thaw()
          try storer.join()
          try unmapper.join()
          try taker.join()
          for page in 0..<4 { #expect(try other.load(at: 0x5000 + page * Page.size, as: UInt64.self) == 0) }
        }
      }

      @Test(arguments: Engines.lockless)
      func aLoadFindsTheContentsOfANewPage(engine: PinEngine) throws {
        // The machine's one frame has held another page.
        try play(frames: 1) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          try space.store(UInt64(7), at: 0x5008)
          try space.unmap(at: 0x5000, pages: 1)
          machine.memory.flushDeferredFrees()
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let storer = freezer.start("store", freezeAt: .faultBetweenBeginAndStore) {
            try space.store(UInt64(1), at: 0x5000)
          }
          #expect(storer.waitUntilFrozen())
          let loader = freezer.start("load") {
            let seen = try space.load(at: 0x5008, as: UInt64.self)
            freezer.expect(seen == 0, "a new page holds \(seen)")
          }
          #expect(!loader.mayFinish(), "a load did not wait for the fault that holds the entry")
          storer.thaw()
          try storer.join()
          try loader.join()
        }
      }

      @Test(arguments: Engines.lockless)
      func twoFaultsOnOnePage(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let loser = freezer.start("store", freezeAt: .faultBeforeInstall) { try space.store(UInt64(1), at: 0x5000) }
          #expect(loser.waitUntilFrozen())
          try space.store(UInt64(2), at: 0x5008)
          loser.thaw()
          try loser.join()
          #expect(try space.load(at: 0x5000, as: UInt64.self) == 1)
          #expect(try space.load(at: 0x5008, as: UInt64.self) == 2)
        }
      }

      @Test(arguments: Engines.lockless)
      func faultOvertakenByUnmap(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let faulter = freezer.start("store", freezeAt: .faultBeforeInstall) {
            freezer.expect(.segmentationViolation) { () throws(PageError) in try space.store(UInt64(1), at: 0x5000) }
          }
          #expect(faulter.waitUntilFrozen())
          let unmapper = freezer.start("unmap") { try space.unmap(at: 0x5000, pages: 1) }
          _ = unmapper.mayFinish()
          faulter.thaw()
          try faulter.join()
          try unmapper.join()
          #expect(space.entry(at: 0x5000).kind == .none)
        }
      }

      @Test(arguments: Engines.lockless, 0...3)
      func nodesOfAFaultThatCameTooLate(engine: PinEngine, passes: Int) throws {
        // The fault makes a node after the last mapping, and all nodes, went away: the space's exit must find it.
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x20_0000_0000, pages: 1, protection: .readWrite)
          let faulter = freezer.start("store", freezeAt: .faultBeforeWalk, after: passes) {
            freezer.expect(.segmentationViolation) { () throws(PageError) in
              try space.store(UInt64(1), at: 0x20_0000_0000)
            }
          }
          #expect(faulter.waitUntilFrozen())
          try space.unmap(at: 0x20_0000_0000, pages: 1)
          faulter.thaw()
          try faulter.join()
          space.exit()
        }
      }

      @Test(arguments: Engines.lockless)
      func nodesStayWhileALoadMayBeInThem(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let address: VirtualAddress = 0x20_0000_0000
          try space.map(at: address, pages: 1, protection: .readWrite)
          try space.store(UInt64(7), at: address)
          let nodes = machine.memory.census().tableNodes
          let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) {
            freezer.expect(try space.load(at: address, as: UInt64.self) == 7, "another page")
          }
          #expect(loader.waitUntilFrozen())
          let unmapper = freezer.start("unmap and flush") {
            try space.unmap(at: address, pages: 1)
            machine.memory.flushDeferredFrees()
          }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          _ = unmapper.mayFinish()
          #expect(machine.memory.census().tableNodes == nodes, "a node was freed under a load")
          loader.thaw()
          try loader.join()
          try unmapper.join()
          #expect(machine.memory.census().tableNodes < nodes)
        }
      }

      @Test(arguments: Engines.lockless)
      func faultOvertakenByProtect(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let faulter = freezer.start("store", freezeAt: .faultBeforeInstall) {
            freezer.expect(.segmentationViolation) { () throws(PageError) in try space.store(UInt64(1), at: 0x5000) }
          }
          #expect(faulter.waitUntilFrozen())
          let protector = freezer.start("protect") { try space.protect(at: 0x5000, pages: 1, .read) }
          _ = protector.mayFinish()
          faulter.thaw()
          try faulter.join()
          try protector.join()
          #expect(!space.entry(at: 0x5000).protection.contains(.write))
        }
      }

      @Test(arguments: Engines.lockless)
      func faultOvertakenByAnotherMapping(engine: PinEngine) throws {
        // The first store to an anonymous page, overtaken by a mapping of a file: the store must reach the file.
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let file = try PageCacheFile(machine.memory, pages: 1, fill: 3)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let faulter = freezer.start("store", freezeAt: .faultBeforeInstall) { try space.store(UInt64(1), at: 0x5000) }
          #expect(faulter.waitUntilFrozen())
          let mapper = freezer.start("map over") {
            try space.map(at: 0x5000, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
          }
          _ = mapper.mayFinish()
          faulter.thaw()
          try faulter.join()
          try mapper.join()
          #expect(try space.load(at: 0x5008, as: UInt8.self) == 3)
          #expect(try file.read(at: 0, count: 1) == [1])
          space.exit()
          file.drop()
        }
      }

      @Test(arguments: Engines.lockless, [PinOptions?.none, .write, .longTerm])
      func reuseOvertakenByFork(engine: PinEngine, options: PinOptions?) throws {
        // A page without its other user is about to become the parent's own again, when it is shared with a new
        // child.
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          try space.fork().exit()
          machine.memory.flushDeferredFrees()
          let faulter = freezer.start("store or pin", freezeAt: .faultBeforeInstall) {
            if let options { try space.pin(at: 0x5000, options).release() }
            try space.store(UInt64(8), at: 0x5000)
          }
          #expect(faulter.waitUntilFrozen())
          let children = Children()
          let forker = freezer.start("fork") { children.add(try space.fork()) }
          let forkedFirst = forker.mayFinish()
          faulter.thaw()
          try faulter.join()
          try forker.join()
          // Where the fork came first, the child has 7. Where it waited for the store, the child may have 8. It never
          // has a later store.
          try space.store(UInt64(9), at: 0x5000)
          children.forEach { child in
            let seen = try? child.load(at: 0x5000, as: UInt64.self)
            #expect(
              seen == 7 || (seen == 8 && !forkedFirst),
              "the child sees the parent's store of \(String(describing: seen))")
          }
          children.removeAll()
        }
      }

      @Test func aForkOverlooksNoPageThatAFaultHolds() throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          try space.store(UInt64(7), at: 0x5000)
          // The next one finds nothing to lower, and so waits for no section.
          try space.fork().exit()
          let children = Children()
          let forker = freezer.start("fork", freezeAt: .forkBetweenProtectAndCopy) { children.add(try space.fork()) }
          #expect(forker.waitUntilFrozen())
          // What a fault does that saw the mapping live before the fork write-locked it.
          let place = try #require(RCU.read { space.table.ptep(for: 0x5000, $0) })
          let entry = place.load()
          #expect(place.lock(entry))
          forker.thaw()
          #expect(!forker.mayFinish())
          place.store(entry)
          try forker.join()
          children.forEach { child in #expect((try? child.load(at: 0x5000, as: UInt64.self)) == 7) }
          children.removeAll()
        }
      }
    }
  }
#endif
