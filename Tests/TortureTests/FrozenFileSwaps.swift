#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Pages of a memory file that go to the swap file, with one side frozen in the middle.
    /// `FrozenFileSwaps+In.swift` has those that come back.
    @Suite struct FrozenFileSwaps {
      let address: VirtualAddress = 0x5000

      /// A page that the space maps once, with the word 7, and a page behind it that another thread may pin first.
      func withPage(
        _ engine: PinEngine = .reference, _ body: (Freezer, Machine, AddressSpace, PageCacheFile) throws -> Void
      ) throws {
        try play(swapPages: 16) { freezer, machine in
          let file = try PageCacheFile(machine.memory, pages: 2)
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: address, pages: 2, protection: .readWrite, sharing: .shared, backing: .file(file))
          try space.store(UInt64(7), at: address)
          try body(freezer, machine, space, file)
          space.exit()
        }
      }

      func pageOut(_ space: AddressSpace) throws { try space.advise(at: address, pages: 1, .pageOut) }

      func isIn(_ file: PageCacheFile) -> Bool { file.cachedPages > 0 }

      /// A page-out that sees the count of a pin leaves the page alone. It does not tell the reference of a get from
      /// others.
      @Test(
        arguments: [
          (YieldPoint.pinBetweenEntryAndReference, false), (.pinBetweenEntryAndReference, true),
          (.pinBetweenReferenceAndSecondLook, true),
        ], [PinEngine.reference, .locked])
      func aPinByReference(at: (place: YieldPoint, isGet: Bool), engine: PinEngine) throws {
        try withPage(engine) { [address] freezer, machine, space, _ in
          let flags = Board(1)
          let reader = freezer.start("pin", freezeAt: at.place) {
            let pin = try space.pin(at: address, at.isGet ? [.get, .write] : .write)
            while flags[0] == 0 {}
            try space.store(UInt64(8), at: address)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 8, "pin and program see two pages")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let out = freezer.start("page out") { try pageOut(space) }
          #expect(out.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          #expect(space.entry(at: address).kind == .none)
          #expect(!out.mayFinish(), "the page went out under a reader")
          reader.thaw()
          try out.join()
          machine.memory.flushDeferredFrees()
          flags[0] = 1
          try reader.join()
        }
      }

      /// A pin by reference or slot that was there when the page-out looked.
      @Test(arguments: Engines.lockless, [false, true])
      func aPinThatIsThere(engine: PinEngine, isGet: Bool) throws {
        try withPage(engine) { [address] freezer, machine, space, file in
          let pin = try space.pin(at: address, isGet ? [.get, .write] : .write)
          #expect(machine.memory.reclaim(pages: 1) == 0, "a page went out under its holder")
          #expect(isIn(file))
          pin.deviceBytes.store(UInt64(9))
          #expect(try space.load(at: address, as: UInt64.self) == 9, "pin and program see two pages")
          pin.release()
        }
      }

      @Test func aPinBySlot() throws {
        try withPage(.slot) { [address] freezer, machine, space, file in
          let flags = Board(2)
          let reader = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            let pin = try space.pin(at: address, .write)
            flags[0] = 1
            while flags[1] == 0 {}
            pin.deviceBytes.store(UInt64(9), toByteOffset: 8)
            freezer.expect(try space.load(at: address + 8, as: UInt64.self) == 9, "pin and program see two pages")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let out = freezer.start("page out") { try pageOut(space) }
          #expect(out.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          #expect(!out.mayFinish(), "the page went out under a pin that cannot be seen yet")
          reader.thaw()
          try out.join()
          while flags[0] == 0 {}
          machine.memory.flushDeferredFrees()
          #expect(machine.memory.reclaim(pages: 1) == 0, "a frame went under its pin")
          #expect(isIn(file))
          flags[1] = 1
          try reader.join()
        }
      }

      @Test(arguments: Engines.lockless)
      func aStoreThatHasReadItsEntry(engine: PinEngine) throws {
        try withPage(engine) { [address] freezer, machine, space, file in
          let writer = freezer.startStoring(space, at: address)
          let out = freezer.start("page out") { try pageOut(space) }
          #expect(out.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          #expect(!out.mayFinish(), "the page went out under a store")
          writer.thaw()
          try writer.join()
          try out.join()
          machine.memory.flushDeferredFrees()
          #expect(!isIn(file))
          #expect(try space.load(at: address, as: UInt64.self) == 8, "a store was lost")
        }
      }

      /// A look-up that has found the frame and has no reference yet. No entry maps the page: its reference would wait
      /// for a grace period, too.
      @Test func aLookUpWithoutReference() throws {
        try withPage { [address] freezer, machine, space, file in
          try space.unmap(at: address, pages: 2)
          machine.memory.flushDeferredFrees()
          let read = freezer.start("read", freezeAt: .cacheBetweenLookAndReference) {
            freezer.expect(try file.read(at: 0, count: 1) == [7], "a frame was freed under a look-up")
          }
          #expect(read.waitUntilFrozen())
          let out = freezer.start("reclaim") { _ = machine.memory.reclaim(pages: 1) }
          #expect(out.waitUntilPast(.pageOutBetweenEntriesAndGrace))
          #expect(!out.mayFinish(), "a page went out under a look-up")
          read.thaw()
          try read.join()
          try out.join()
        }
      }

      /// A `write` that has its page, and has not stored.
      @Test func aWriteThatHasItsPage() throws {
        try withPage { freezer, machine, space, file in
          let write = freezer.start("write", freezeAt: .cacheBetweenPageAndCopy) { try file.write([9], at: 8) }
          #expect(write.waitUntilFrozen())
          try pageOut(space)
          machine.memory.flushDeferredFrees()
          #expect(isIn(file), "a page went out under a write")
          write.thaw()
          try write.join()
          #expect(try file.read(at: 8, count: 1) == [9])
        }
      }

      /// A fault that has its answer, and has not made the entry.
      @Test func aFaultThatHasItsAnswer() throws {
        try withPage { [address] freezer, machine, space, file in
          guard case .frame(let reference, page: 0) = file.fault(page: 0, write: true) else {
            Issue.record("the page is no base page")
            return
          }
          try pageOut(space)
          machine.memory.flushDeferredFrees()
          #expect(isIn(file), "a page went out under a fault")
          reference.deviceBytes().store(UInt64(9))
          #expect(try space.load(at: address, as: UInt64.self) == 9)
        }
      }

      private static let places: [YieldPoint] = [
        .fileOutBetweenPlaceAndEntries, .pageOutBetweenEntriesAndGrace, .pageOutBetweenGraceAndLook,
      ]

      /// What a page may meet between the end of its place and the look at its frame.
      @Test(arguments: places, 0..<7)
      func comeBackTooEarly(place: YieldPoint, what: Int) throws {
        try withPage(.slot) { [address] freezer, machine, space, file in
          let out = freezer.start("page out", freezeAt: place) { try pageOut(space) }
          #expect(out.waitUntilFrozen())
          var word: UInt64 = 7
          func end() throws {
            out.thaw()
            try out.join()
            machine.memory.flushDeferredFrees()
          }
          switch what {
          case 0: #expect(try space.load(at: address, as: UInt64.self) == 7)
          case 1:
            word = 8
            try space.store(word, at: address)
          case 2:
            word = 9
            try file.write([9], at: 0)
          case 3:
            let pin = try space.pin(at: address, .write)
            try end()
            word = 10
            pin.deviceBytes.store(word)
            #expect(try space.load(at: address, as: UInt64.self) == word, "pin and program see two pages")
            pin.release(dirty: true)
          case 4:
            let child = try space.fork()
            word = 11
            try child.store(word, at: address)
            try end()
            #expect(try child.load(at: address, as: UInt64.self) == word)
            child.exit()
          case 5: try space.unmap(at: address, pages: 1)
          default:
            // The file forgets what it has, when the page-out is over.
            let drop = freezer.start("drop") { file.drop() }
            #expect(!drop.mayFinish(), "a page was dropped while it went out, and its entries were emptied")
            try end()
            try drop.join()
            machine.memory.flushDeferredFrees()
            word = 0
          }
          if ![3, 4, 6].contains(what) { try end() }
          #expect(MemoryStore.word(try file.read(at: 0, count: 8), at: 0) == word)
          #expect(machine.memory.census().swapSlots == 0)
        }
      }

      /// A mapping is locked after reclaim has looked for such mappings: its entry stays, and so does the page.
      @Test func aLockDuringAPageOut() throws {
        try withPage { [address] freezer, machine, space, file in
          let out = freezer.start("reclaim", freezeAt: .fileOutBetweenPlaceAndEntries) {
            freezer.expect(machine.memory.reclaim(pages: 1) == 0, "a locked page went out")
          }
          #expect(out.waitUntilFrozen())
          try space.lock(at: address, pages: 1)
          out.thaw()
          try out.join()
          #expect(space.entry(at: address).kind == .normal)
          #expect(isIn(file))
          try space.unlock(at: address, pages: 1)
        }
      }

      /// A fault takes a held page back before the page-out does.
      @Test func aPutBackThatComesTooLate() throws {
        try withPage { [address] freezer, machine, space, file in
          let held = try space.pin(at: address, .get)
          let out = freezer.start("page out", freezeAt: .pageOutBetweenLookAndPutBack) { try pageOut(space) }
          #expect(out.waitUntilFrozen())
          try space.store(UInt64(8), at: address)
          #expect(held.deviceBytes.load(as: UInt64.self) == 8)
          out.thaw()
          try out.join()
          #expect(try file.read(at: 0, count: 1) == [8])
          held.release()
          machine.memory.flushDeferredFrees()
          #expect(machine.memory.census().swapSlots == 0)
        }
      }

      /// A cut has brought its last page in, and clears the rest of it later. The page does not go out in between.
      @Test func aPageOutDuringACut() throws {
        try withPage { [address] freezer, machine, space, file in
          try space.store(UInt64(7), at: address + 2048)
          try pageOut(space)
          machine.memory.flushDeferredFrees()
          let cut = freezer.start("cut", freezeAt: .truncationBetweenUnmapAndGrace) { try file.setByteCount(100) }
          #expect(cut.waitUntilFrozen())
          #expect(try space.load(at: address, as: UInt64.self) == 7)
          let out = freezer.start("page out") { try pageOut(space) }
          #expect(!out.mayFinish(), "a page went out before its rest was cleared")
          cut.thaw()
          try cut.join()
          try out.join()
          try file.setByteCount(2 * Page.size)
          #expect(try space.load(at: address + 2048, as: UInt64.self) == 0)
        }
      }

      /// The page that a cut divides comes, and goes out, between the cut's first look and its lock.
      @Test func aPageOutBeforeACut() throws {
        try withPage { [address] freezer, machine, space, file in
          try file.punchHole(0..<1)
          let cut = freezer.start("cut", freezeAt: .cutBetweenTailAndLock) { try file.setByteCount(100) }
          #expect(cut.waitUntilFrozen())
          try space.store(UInt64(7), at: address + 2048)
          try pageOut(space)
          machine.memory.flushDeferredFrees()
          #expect(!isIn(file))
          cut.thaw()
          try cut.join()
          try file.setByteCount(2 * Page.size)
          #expect(try space.load(at: address + 2048, as: UInt64.self) == 0, "a cut left what was behind it")
        }
      }
    }
  }
#endif
