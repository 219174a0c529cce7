#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Pins, stores and faults that are frozen while a page goes out under them.
    @Suite struct FrozenSwaps {
      private let address: VirtualAddress = 0x5000

      private func withPage(
        _ engine: PinEngine = .reference, pages: Int = 1, swapPages: Int = 16,
        sourceLocation: SourceLocation = #_sourceLocation, _ body: (Freezer, Machine, AddressSpace) throws -> Void
      ) throws {
        try play(swapPages: swapPages, sourceLocation: sourceLocation) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: address, pages: pages, protection: .readWrite)
          for page in 0..<pages { try space.store(UInt64(7 + page), at: address + page * Page.size) }
          try body(freezer, machine, space)
          space.exit()
        }
      }

      /// A pin that has its reference already is seen at once, and the page left alone. A get is not told from what
      /// only waits for a grace period.
      @Test(
        arguments: [
          (YieldPoint.pinBetweenEntryAndReference, false), (.pinBetweenEntryAndReference, true),
          (.pinBetweenReferenceAndSecondLook, true),
        ], [PinEngine.reference, .locked])
      func aPinByReference(at: (place: YieldPoint, isGet: Bool), engine: PinEngine) throws {
        // Engine `locked` has the slow path alone.
        let (place, isGet) = at
        try withPage(engine) { [address] freezer, _, space in
          let flags = Board(1)
          let reader = freezer.start("pin", freezeAt: place) {
            let pin = try space.pin(at: address, isGet ? [.get, .write] : .write)
            while flags[0] == 0 {}
            try space.store(UInt64(8), at: address)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 8, "pin and program see two pages")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let out = freezer.start("page out") { try space.advise(at: address, pages: 1, .pageOut) }
          #expect(out.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          #expect(space.entry(at: address).kind == .swap)
          #expect(!out.mayFinish(), "the page went out under a reader")
          reader.thaw()
          try out.join()
          flags[0] = 1
          try reader.join()
        }
      }

      @Test(arguments: [false, true])
      func aPinBySlot(isGet: Bool) throws {
        try withPage(.slot) { [address] freezer, machine, space in
          let flags = Board(2)
          let reader = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            let pin = try space.pin(at: address, isGet ? [.get, .write] : .write)
            flags[0] = 1
            while flags[1] == 0 {}
            pin.deviceBytes.store(UInt64(9), toByteOffset: 8)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 8, "the pin does not see the program's store")
            freezer.expect(try space.load(at: address + 8, as: UInt64.self) == 9, "nor the program the device's")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let out = freezer.start("page out") { try space.advise(at: address, pages: 1, .pageOut) }
          #expect(out.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          #expect(!out.mayFinish(), "the page went out under a pin that cannot be seen yet")
          reader.thaw()
          try out.join()
          while flags[0] == 0 {}
          // A get keeps its frame, and not the entry.
          #expect(space.entry(at: address).description == (isGet ? "swap" : "normal rw dirty"))
          machine.memory.flushDeferredFrees()
          #expect(machine.memory.reclaim(pages: 1) == 0, "a frame went under its holder")
          try space.store(UInt64(8), at: address)
          #expect(space.frameInformation(at: address)?.isExclusive == true)
          flags[1] = 1
          try reader.join()
        }
      }

      @Test(arguments: Engines.lockless)
      func aStoreThatHasReadItsEntry(engine: PinEngine) throws {
        try withPage(engine) { [address] freezer, machine, space in
          let writer = freezer.startStoring(space, at: address)
          let out = freezer.start("page out") { try space.advise(at: address, pages: 1, .pageOut) }
          #expect(out.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          #expect(!out.mayFinish(), "the page went out under a store")
          writer.thaw()
          try writer.join()
          try out.join()
          machine.memory.flushDeferredFrees()
          #expect(space.entry(at: address).kind == .swap)
          #expect(try space.load(at: address, as: UInt64.self) == 8, "a store was lost")
        }
      }

      @Test(arguments: Engines.lockless)
      func aStoreThatADontNeedMustWaitForToo(engine: PinEngine) throws {
        try withPage(engine) { [address] freezer, machine, space in
          let held = try space.pin(at: address, .get)
          let writer = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(8), at: address)
          }
          #expect(writer.waitUntilFrozen())
          let out = freezer.start("page out") { try space.advise(at: address, pages: 1, .pageOut) }
          #expect(out.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          let drop = freezer.start("dontneed") { try space.advise(at: address, pages: 1, .dontNeed) }
          #expect(!drop.mayFinish(), "dontNeed was over before a store into a page that is held")
          writer.thaw()
          try writer.join()
          try out.join()
          try drop.join()
          #expect(held.deviceBytes.load(as: UInt64.self) == 8)
          held.release()
        }
      }

      /// What a page may meet between its entry's end and the look at its frame.
      @Test(arguments: Engines.lockless, 0..<5)
      func comeBackTooEarly(engine: PinEngine, what: Int) throws {
        for place in [YieldPoint.pageOutBetweenEntriesAndGrace, .pageOutBetweenGraceAndLook] {
          try withPage(engine) { [address] freezer, machine, space in
            let out = freezer.start("page out", freezeAt: place) {
              try space.advise(at: address, pages: 1, .pageOut)
            }
            #expect(out.waitUntilFrozen())
            switch what {
            case 0: #expect(try space.load(at: address, as: UInt64.self) == 7)
            case 1: try space.store(UInt64(8), at: address)
            case 2: try space.advise(at: address, pages: 1, .dontNeed)
            case 3:
              try space.advise(at: address, pages: 1, .dontNeed)
              try space.store(UInt64(9), at: address)
            default:
              let pin = try space.pin(at: address, .write)
              pin.deviceBytes.store(UInt64(10))
              out.thaw()
              try out.join()
              machine.memory.flushDeferredFrees()
              try space.store(UInt64(11), at: address + 8)
              #expect(pin.deviceBytes.load(fromByteOffset: 8, as: UInt64.self) == 11)
              pin.release()
            }
            out.thaw()
            try out.join()
            machine.memory.flushDeferredFrees()
            #expect(machine.memory.census().swapSlots == 0)
            #expect(try space.load(at: address, as: UInt64.self) == [7, 8, 0, 9, 10][what])
          }
        }
      }

      /// A fault has read a page, and before it maps it the page comes back by another, is written to and goes out
      /// again. Were the slot used again, the fault would find the entry as it was.
      @Test func aSlotIsNotUsedAgainUnderAFault() throws {
        try withPage { [address] freezer, machine, space in
          try space.advise(at: address, pages: 1, .pageOut)
          machine.memory.flushDeferredFrees()
          let late = freezer.start("load", freezeAt: .swapInBetweenReadAndMap) {
            freezer.expect(try space.load(at: address, as: UInt64.self) == 8, "a page from before a store came back")
          }
          #expect(late.waitUntilFrozen())
          try space.store(UInt64(8), at: address)
          try space.advise(at: address, pages: 1, .pageOut)
          machine.memory.flushDeferredFrees()
          #expect(machine.memory.census().swapSlots == 2)
          late.thaw()
          try late.join()
          #expect(machine.memory.census().swapSlots == 0)
        }
      }

      @Test func aSlotThatIsBeingReadIsNotUsedForAnother() throws {
        try withPage(pages: 2, swapPages: 1) { [address] freezer, machine, space in
          try space.advise(at: address, pages: 1, .pageOut)
          machine.memory.flushDeferredFrees()
          let reader = freezer.start("load", freezeAt: .swapInBetweenHoldAndRead) {
            freezer.expect(try space.load(at: address, as: UInt64.self) == 8, "another page's contents came back")
          }
          #expect(reader.waitUntilFrozen())
          try space.store(UInt64(8), at: address)
          // The only slot is held, though no entry leads there.
          #expect(throws: PageError.outOfMemory) { try space.advise(at: address + Page.size, pages: 1, .pageOut) }
          reader.thaw()
          try reader.join()
          try space.advise(at: address + Page.size, pages: 1, .pageOut)
          #expect(try space.load(at: address + Page.size, as: UInt64.self) == 8)
        }
      }

      /// A store's swap-in is about to lock its entry, which a protection change leaves as it is: the page must not
      /// become writable.
      @Test(arguments: Engines.lockless)
      func aSwapInIsOvertakenByProtect(engine: PinEngine) throws {
        try withPage(engine) { [address] freezer, machine, space in
          try space.advise(at: address, pages: 1, .pageOut)
          machine.memory.flushDeferredFrees()
          let writer = freezer.start("store", freezeAt: .faultBeforeInstall, after: 1) {
            freezer.expect(.segmentationViolation) { () throws(PageError) in try space.store(UInt64(8), at: address) }
          }
          #expect(writer.waitUntilFrozen())
          try space.protect(at: address, pages: 1, .read)
          writer.thaw()
          try writer.join()
          #expect(!space.entry(at: address).protection.contains(.write))
          #expect(try space.load(at: address, as: UInt64.self) == 7)
          #expect(throws: PageError.segmentationViolation) { try space.store(UInt64(9), at: address) }
        }
      }

      @Test(arguments: [YieldPoint.swapInBetweenHoldAndRead, .swapInBetweenReadAndMap, .faultBeforeInstall])
      func aFaultIsOvertaken(place: YieldPoint) throws {
        for what in 0..<3 {
          try withPage { [address] freezer, machine, space in
            try space.advise(at: address, pages: 1, .pageOut)
            machine.memory.flushDeferredFrees()
            let reader = freezer.start("load", freezeAt: place) {
              if what == 0 {
                freezer.expect(.segmentationViolation) { () throws(PageError) in
                  _ = try space.load(at: address, count: 1)
                }
              } else {
                freezer.expect(try space.load(at: address, as: UInt64.self) == [0, 7][what - 1], "another page")
              }
            }
            #expect(reader.waitUntilFrozen())
            let other = freezer.start("other") {
              switch what {
              case 0: try space.unmap(at: address, pages: 1)
              case 1: try space.advise(at: address, pages: 1, .dontNeed)
              default:
                let child = try space.fork()
                child.exit()
              }
            }
            // The fork's child cannot end before the fault has left its section.
            if what == 2 { _ = other.mayFinish() } else { while space.entry(at: address).kind != .none {} }
            reader.thaw()
            try reader.join()
            try other.join()
          }
        }
      }
    }
  }
#endif
