#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Pins, stores, faults and forks that are frozen while reclaim takes their page, and reclaim that is frozen under
    /// them.
    @Suite struct FrozenReclaim {
      private let address: VirtualAddress = 0x5000

      private func withPage(
        _ engine: PinEngine = .reference, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (Freezer, Machine, AddressSpace) throws -> Void
      ) throws {
        try play(swapPages: 16, sourceLocation: sourceLocation) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: address, pages: 1, protection: .readWrite)
          try space.store(UInt64(7), at: address)
          try body(freezer, machine, space)
          space.exit()
        }
      }

      /// A pin that has read the entry: reclaim waits for it, and leaves it the page.
      @Test(arguments: Engines.lockless)
      func aPinThatHasReadItsEntry(engine: PinEngine) throws {
        try withPage(engine) { [address] freezer, machine, space in
          let reclaimed = Board(1)
          let pin = FrozenHolder(freezer, space, at: address)
          let reclaim = freezer.start("reclaim") { reclaimed[0] = UInt64(machine.memory.reclaim(pages: 1)) }
          #expect(reclaim.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          #expect(!reclaim.mayFinish(), "a page was reclaimed under a pin that cannot be seen yet")
          pin.thaw()
          pin.waitUntilHeld()
          try reclaim.join()
          // A pin by reference looks again, and finds the entry gone. Reclaim may have the page before the pin's fault:
          // then it comes back from the swap file.
          if engine == .slot { #expect(reclaimed[0] == 0, "a pinned page was reclaimed") }
          try pin.storeAndEnd()
        }
      }

      @Test(arguments: Engines.lockless)
      func aStoreThatHasReadItsEntry(engine: PinEngine) throws {
        try withPage(engine) { [address] freezer, machine, space in
          let store = freezer.startStoring(space, at: address)
          let reclaim = freezer.start("reclaim") { machine.memory.reclaim(pages: 1) }
          #expect(reclaim.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          #expect(!reclaim.mayFinish(), "a page was reclaimed under a store")
          store.thaw()
          try store.join()
          try reclaim.join()
          #expect(space.entry(at: address).kind == .swap)
          #expect(try space.load(at: address, as: UInt64.self) == 8, "a store was lost")
        }
      }

      /// What the two spaces that share a page may do while one entry has gone and the other is going.
      @Test(arguments: Engines.lockless, 0..<6)
      func aSharedPage(engine: PinEngine, what: Int) throws {
        try withPage(engine) { [address] freezer, machine, parent in
          let child = try parent.fork()
          let reclaim = freezer.start("reclaim", freezeAt: .pageOutBetweenEntriesAndGrace, after: 1) {
            machine.memory.reclaim(pages: 1)
          }
          #expect(reclaim.waitUntilFrozen())
          #expect(parent.entry(at: address).kind == .swap && child.entry(at: address).kind == .swap)
          #expect(machine.memory.census().framesInUse == 1, "two entries of one page lead to two frames")
          var values: [UInt64] = [7, 7]
          for (index, space) in [parent, child].enumerated() where (what % 3 + 1) & (1 << index) != 0 {
            if what < 3 {
              #expect(try space.load(at: address, as: UInt64.self) == 7)
            } else {
              // Its own copy: the other space still has the page.
              try space.store(UInt64(8 + index), at: address)
              values[index] = UInt64(8 + index)
            }
          }
          reclaim.thaw()
          try reclaim.join()
          #expect(try parent.load(at: address, as: UInt64.self) == values[0])
          #expect(try child.load(at: address, as: UInt64.self) == values[1])
          child.exit()
          machine.memory.flushDeferredFrees()
          #expect(try parent.load(at: address, as: UInt64.self) == values[0])
        }
      }

      /// The space ends while reclaim looks at it. Its last reference is then reclaim's, which holds a lock.
      @Test func theSpaceEnds() throws {
        try play(swapPages: 16) { [address] freezer, machine in
          var space: AddressSpace? = AddressSpace(machine.memory)
          try space?.map(at: address, pages: 1, protection: .readWrite)
          try space?.store(UInt64(7), at: address)
          let reclaim = freezer.start("reclaim", freezeAt: .pageOutBetweenGraceAndLook) {
            machine.memory.reclaim(pages: 4)
          }
          #expect(reclaim.waitUntilFrozen())
          space = nil
          reclaim.thaw()
          try reclaim.join()
        }
      }

      /// One thread reclaims at a time. The second one finds what is left when the first is done.
      @Test func twoThreads() throws {
        try withPage { [address] freezer, machine, space in
          let freed = Board(2)
          let first = freezer.start("first", freezeAt: .pageOutBetweenEntriesAndGrace) {
            freed[0] = UInt64(machine.memory.reclaim(pages: 1))
          }
          #expect(first.waitUntilFrozen())
          let second = freezer.start("second") { freed[1] = UInt64(machine.memory.reclaim(pages: 1)) }
          #expect(!second.mayFinish(), "a thread believed in the end of memory too early")
          first.thaw()
          try first.join()
          try second.join()
          #expect(freed[0] == 1 && freed[1] == 0)
          #expect(try space.load(at: address, as: UInt64.self) == 7)
        }
      }
    }
  }
#endif
