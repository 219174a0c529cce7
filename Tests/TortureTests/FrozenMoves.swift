#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Pins, stores and writes that are frozen while their page leaves its movable frame.
    @Suite struct FrozenMoves {
      private let address: VirtualAddress = 0x5000

      private func withPage(
        _ engine: PinEngine = .reference, _ body: (Freezer, Machine, AddressSpace) throws -> Void
      ) throws {
        try play(movable: 32) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: address, pages: 1, protection: .readWrite)
          try space.store(UInt64(7), at: address)
          // A move waits for what was deferred before it takes the entry away.
          machine.memory.flushDeferredFrees()
          try body(freezer, machine, space)
          space.exit()
        }
      }

      /// The move waits for a pin that has read the entry, and leaves it the page.
      @Test(arguments: Engines.lockless, [false, true])
      func aPinThatHasReadItsEntry(engine: PinEngine, isGet: Bool) throws {
        try withPage(engine) { [address] freezer, machine, space in
          let pin = FrozenHolder(freezer, space, at: address, isGet ? [.get, .write] : .write)
          let long = freezer.start("long-term pin") {
            do throws(PageError) {
              try space.pin(at: address, [.write, .longTerm]).release()
              freezer.expect(engine != .slot, "a page moved that a slot holds")
            } catch {
              freezer.expect(error == .outOfMemory, "\(error)")
            }
          }
          #expect(long.waitUntilPast(.moveOutBetweenTakeAndGrace))
          #expect(!long.mayFinish(), "a page moved under a pin that cannot be seen yet")
          // A pin by reference finds the entry changed, and waits until the page is in its new place.
          pin.thaw()
          try long.join()
          pin.waitUntilHeld()
          try pin.storeAndEnd()
        }
      }

      @Test(arguments: Engines.lockless)
      func aStoreThatHasReadItsEntry(engine: PinEngine) throws {
        try withPage(engine) { [address] freezer, machine, space in
          let store = freezer.startStoring(space, at: address)
          let long = freezer.start("long-term pin") {
            let pin = try space.pin(at: address, [.write, .longTerm])
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 8, "a store was lost as its page moved")
            pin.release()
          }
          #expect(long.waitUntilPast(.moveOutBetweenTakeAndGrace))
          #expect(!long.mayFinish(), "a page moved under a store")
          store.thaw()
          try store.join()
          try long.join()
          #expect(try space.load(at: address, as: UInt64.self) == 8)
        }
      }

      /// A fault that has looked at its mapping finds it sealed, and waits until the page is in its new place.
      @Test(arguments: Engines.lockless)
      func aLoadDuringTheMove(engine: PinEngine) throws {
        try withPage(engine) { [address] freezer, machine, space in
          let long = freezer.start("long-term pin", freezeAt: .moveOutBetweenGraceAndLook) {
            try space.pin(at: address, [.write, .longTerm]).release()
          }
          #expect(long.waitUntilFrozen())
          let load = freezer.start("load") {
            freezer.expect(try space.load(at: address, as: UInt64.self) == 7, "a load met a page between two places")
          }
          #expect(!load.mayFinish())
          long.thaw()
          try long.join()
          try load.join()
        }
      }

      /// The cache copies a page, and a write comes before the copy is the page: the copy is thrown away.
      @Test func aWriteToACopiedPage() throws {
        try play(movable: 32) { [address] freezer, machine in
          let store = MemoryStore(pages: 2)
          let cache = try PageCache(machine.memory, store, limit: 2, maximumPages: 4)
          let space = AddressSpace(machine.memory)
          try space.map(at: address, pages: 2, protection: .readWrite, sharing: .shared, backing: .file(cache))
          try space.store(UInt64(7), at: address)
          machine.memory.flushDeferredFrees()
          let long = freezer.start("long-term pin", freezeAt: .cacheMoveBetweenCopyAndInstall) {
            let pin = try space.pin(at: address, .longTerm)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 9, "a write was lost as its page moved")
            pin.release()
          }
          #expect(long.waitUntilFrozen())
          try cache.write([9], at: 0)
          long.thaw()
          try long.join()
          try cache.sync()
          #expect(MemoryStore.word(store.durable, at: 0) == 9)
          space.exit()
        }
      }
    }
  }
#endif
