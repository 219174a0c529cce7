#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Pages of a memory file that become 2 MiB in one frame, with one side frozen in the middle.
    @Suite struct FrozenFileCollapses {
      private let start: VirtualAddress = 0x4000_0000

      private func address(_ page: Int) -> VirtualAddress { start + page * Page.size }

      /// A file of 2 MiB, of which a space without leave for 2 MiB has touched the first eight pages: the word 7.
      private func withFile(
        _ engine: PinEngine = .reference, swapPages: Int = 0,
        _ body: (Freezer, Machine, AddressSpace, PageCacheFile) throws -> Void
      ) throws {
        try play(frames: 4 * Page.pagesPerHuge, swapPages: swapPages) { freezer, machine in
          let file = try PageCacheFile(machine.memory, pages: Page.pagesPerHuge)
          let space = AddressSpace(machine.memory, engine: engine)
          try map(file, in: space)
          for page in 0..<8 { try space.store(UInt64(7), at: address(page)) }
          try body(freezer, machine, space, file)
          space.exit()
          file.drop()
        }
      }

      private func map(_ file: PageCacheFile, in space: AddressSpace) throws {
        try space.map(
          at: start, pages: Page.pagesPerHuge, protection: .readWrite, sharing: .shared, backing: .file(file))
      }

      /// Returns the error, if there is one.
      private func collapse(_ space: AddressSpace) -> PageError? {
        do throws(PageError) {
          try space.advise(at: start, pages: Page.pagesPerHuge, .collapse)
          return nil
        } catch {
          return error
        }
      }

      // MARK: Holders

      /// A look-up that has found the frame and has no reference yet. No entry maps the page: its reference would wait
      /// for a grace period, too.
      @Test func aLookUpWithoutReference() throws {
        try withFile { [address, collapse, map] freezer, machine, space, file in
          try space.unmap(at: address(0), pages: Page.pagesPerHuge)
          try map(file, space)
          machine.memory.flushDeferredFrees()
          let read = freezer.start("read", freezeAt: .cacheBetweenLookAndReference) {
            freezer.expect(try file.read(at: 0, count: 1) == [7], "a frame was freed under a look-up")
          }
          #expect(read.waitUntilFrozen())
          let collapsing = freezer.start("collapse") { _ = collapse(space) }
          #expect(collapsing.waitUntilPast(.fileCollapseBetweenEntriesAndGrace))
          #expect(!collapsing.mayFinish(), "a page was copied under a look-up")
          read.thaw()
          try read.join()
          try collapsing.join()
          #expect(try space.load(at: address(0), as: UInt64.self) == 7)
        }
      }

      @Test(
        arguments: [
          (YieldPoint.pinBetweenEntryAndReference, false), (.pinBetweenEntryAndReference, true),
          (.pinBetweenReferenceAndSecondLook, true),
        ], Engines.lockless)
      func aPin(at: (place: YieldPoint, isGet: Bool), engine: PinEngine) throws {
        // The slot engine has no second look.
        if engine == .slot, at.place == .pinBetweenReferenceAndSecondLook { return }
        try withFile(engine) { [address, collapse] freezer, machine, space, _ in
          let pinning = freezer.start("pin", freezeAt: at.place) {
            let pin = try space.pin(at: address(3), at.isGet ? [.get, .write] : .write)
            for word in 8..<UInt64(64) {
              pin.deviceBytes.store(word)
              freezer.expect(try space.load(at: address(3), as: UInt64.self) == word, "pin and program see two pages")
            }
            pin.release(dirty: true)
          }
          #expect(pinning.waitUntilFrozen())
          let collapsing = freezer.start("collapse") { _ = collapse(space) }
          #expect(collapsing.waitUntilPast(.fileCollapseBetweenEntriesAndGrace))
          #expect(!collapsing.mayFinish(), "pages were copied under a pin that cannot be seen yet")
          pinning.thaw()
          try collapsing.join()
          try pinning.join()
          #expect(try space.load(at: address(3), as: UInt64.self) == 63)
        }
      }

      /// A pin by reference or slot that was there when the collapse looked.
      @Test(arguments: Engines.all, [false, true])
      func aPinThatIsThere(engine: PinEngine, isGet: Bool) throws {
        try withFile(engine) { [address, collapse] freezer, machine, space, file in
          let pin = try space.pin(at: address(3), isGet ? [.get, .write] : .write)
          #expect(collapse(space) == .tryAgain)
          pin.deviceBytes.store(UInt64(9))
          #expect(try space.load(at: address(3), as: UInt64.self) == 9, "pin and program see two pages")
          pin.release()
          machine.memory.flushDeferredFrees()
          #expect(collapse(space) == nil)
          #expect(try space.load(at: address(3), as: UInt64.self) == 9)
        }
      }

      @Test(arguments: Engines.lockless, [false, true])
      func aStore(engine: PinEngine, isThroughAnotherSpace: Bool) throws {
        try withFile(engine) { [address, collapse, map] freezer, machine, space, file in
          let other = AddressSpace(machine.memory, engine: engine)
          try map(file, other)
          try other.store(UInt64(7), at: address(3))
          let store = freezer.startStoring(isThroughAnotherSpace ? other : space, at: address(3))
          let collapsing = freezer.start("collapse") {
            freezer.expect(collapse(space) == nil, "the collapse was refused")
          }
          #expect(collapsing.waitUntilPast(.fileCollapseBetweenEntriesAndGrace))
          #expect(!collapsing.mayFinish(), "a page was copied under a store")
          store.thaw()
          try store.join()
          try collapsing.join()
          #expect(try space.load(at: address(3), as: UInt64.self) == 8, "a store was lost")
          #expect(try other.load(at: address(3), as: UInt64.self) == 8, "a store was lost")
          other.exit()
        }
      }

      /// An answer has a reference, and comes too late.
      @Test func aFaultThatHasItsAnswer() throws {
        try withFile { [address, collapse, map] freezer, machine, space, file in
          let other = AddressSpace(machine.memory)
          try map(file, other)
          let store = freezer.start("store", freezeAt: .faultBeforeInstall) {
            try other.store(UInt64(9), at: address(3))
          }
          #expect(store.waitUntilFrozen())
          let collapsing = freezer.start("collapse", freezeAt: .fileCollapseBetweenEntriesAndGrace) {
            _ = collapse(space)
          }
          #expect(collapsing.waitUntilFrozen())
          store.thaw()
          #expect(!store.mayFinish(), "a fault mapped a page that is being copied")
          #expect(other.entry(at: address(3)).kind == .none)
          collapsing.thaw()
          try collapsing.join()
          try store.join()
          #expect(try space.load(at: address(3), as: UInt64.self) == 9, "a store was lost")
          other.exit()
        }
      }

      @Test func aFaultThatKeepsItsAnswer() throws {
        try withFile { [collapse] freezer, machine, space, file in
          guard case .frame(let reference, page: 0) = file.fault(page: 0, write: true) else {
            Issue.record("the page is no base page")
            return
          }
          #expect(collapse(space) == .tryAgain)
          reference.deviceBytes().store(UInt64(9))
          let bytes = try file.read(at: 0, count: 1)
          #expect(bytes == [9])
        }
      }

      /// A `write` that has its page, and has not stored.
      @Test func aWriteThatHasItsPage() throws {
        try withFile { [collapse] freezer, machine, space, file in
          let write = freezer.start("write", freezeAt: .cacheBetweenPageAndCopy) { try file.write([9], at: 8) }
          #expect(write.waitUntilFrozen())
          #expect(collapse(space) == .tryAgain)
          write.thaw()
          try write.join()
          #expect(try file.read(at: 8, count: 1) == [9])
          #expect(collapse(space) == nil)
          #expect(try file.read(at: 8, count: 1) == [9])
        }
      }

      /// A mapping by number retains the frame, and no walk over the file's mappings finds it.
      @Test func aLookUpByNumber() throws {
        try withFile { [address, collapse] freezer, machine, space, file in
          let pin = try space.pin(at: address(3), .write)
          let pfn = pin.pfn
          pin.release()
          let other = AddressSpace(machine.memory)
          let namer = freezer.start("map by number", freezeAt: .numberBetweenReferenceAndSecondLook) {
            try MappingByNumber.readFault.map(pfn, in: other)
          }
          #expect(namer.waitUntilFrozen())
          let collapsing = freezer.start("collapse") {
            freezer.expect(collapse(space) == .tryAgain, "a page was copied that another mapping shows")
          }
          #expect(collapsing.waitUntilPast(.fileCollapseBetweenEntriesAndGrace))
          #expect(!collapsing.mayFinish(), "a page was copied under a look by its number")
          namer.thaw()
          try namer.join()
          try collapsing.join()
          #expect(try other.load(at: 0x9000, as: UInt64.self) == 7)
          try space.store(UInt64(9), at: address(3))
          #expect(try other.load(at: 0x9000, as: UInt64.self) == 9, "two mappings see two pages")
          other.exit()
          machine.memory.flushDeferredFrees()
          #expect(collapse(space) == nil)
        }
      }

      /// The frame that the number names is free.
      @Test(arguments: [MappingByNumber.insertMixed, .readFault])
      func aNumberThatComesTooLate(way: MappingByNumber) throws {
        try withFile { [address, collapse] freezer, machine, space, file in
          let pin = try space.pin(at: address(3), .write)
          let pfn = pin.pfn
          pin.release()
          #expect(collapse(space) == nil)
          let other = AddressSpace(machine.memory)
          #expect(throws: way.refusal) { try way.map(pfn, in: other) }
          other.exit()
        }
      }

      // MARK: Places

      /// A first touch has begun its frame for an empty place, under the contents' lock.
      @Test func aFirstTouchThatHasBegun() throws {
        try withFile { [address, collapse] freezer, machine, space, file in
          let store = freezer.start("store", freezeAt: .cacheBetweenBeginAndInstall) {
            try space.store(UInt64(9), at: address(100))
          }
          #expect(store.waitUntilFrozen())
          let collapsing = freezer.start("collapse") { _ = collapse(space) }
          #expect(!collapsing.mayFinish(), "a place was withheld that a first touch is filling")
          store.thaw()
          try store.join()
          try collapsing.join()
          #expect(try space.load(at: address(100), as: UInt64.self) == 9, "a store was lost")
          #expect(try file.read(at: 100 * Page.size, count: 1) == [9], "a store was lost")
        }
      }

      /// A first touch has filled a frame, and finds its place withheld.
      @Test(arguments: [YieldPoint.cacheBetweenLengthAndContents, .cacheBetweenReadAndInstall], [false, true])
      func aFirstTouch(place: YieldPoint, isWrite: Bool) throws {
        try withFile { [address, collapse] freezer, machine, space, file in
          let touch = freezer.start("first touch", freezeAt: place) {
            if isWrite {
              try file.write([9], at: 100 * Page.size)
            } else {
              try space.store(UInt64(9), at: address(100))
            }
          }
          #expect(touch.waitUntilFrozen())
          let collapsing = freezer.start("collapse", freezeAt: .fileCollapseBetweenGraceAndLook) {
            freezer.expect(collapse(space) == nil, "the collapse was refused")
          }
          #expect(collapsing.waitUntilFrozen())
          touch.thaw()
          #expect(!touch.mayFinish(), "a page came into a place that is withheld")
          collapsing.thaw()
          try collapsing.join()
          try touch.join()
          #expect(try space.load(at: address(100), as: UInt64.self) == 9, "a store was lost")
          #expect(try file.read(at: 100 * Page.size, count: 1) == [9], "a store was lost")
          #expect(file.cachedPages == Page.pagesPerHuge)
        }
      }

      private static let places: [YieldPoint] = [
        .fileCollapseBetweenPlacesAndEntries, .fileCollapseBetweenEntriesAndGrace, .fileCollapseBetweenGraceAndLook,
      ]

      /// What comes while the places are withheld waits, and finds everything.
      @Test(arguments: places, 0..<7)
      func comeTooEarly(place: YieldPoint, what: Int) throws {
        try withFile(.slot, swapPages: 16) { [address, collapse, map] freezer, machine, space, file in
          let other = AddressSpace(machine.memory)
          try map(file, other)
          let collapsing = freezer.start("collapse", freezeAt: place) { _ = collapse(space) }
          #expect(collapsing.waitUntilFrozen())
          let visitor = freezer.start("visitor") {
            switch what {
            case 0: freezer.expect(try other.load(at: address(3), as: UInt64.self) == 7, "another page")
            case 1: try other.store(UInt64(9), at: address(3))
            case 2: try file.write([9], at: 3 * Page.size)
            case 3: freezer.expect(try file.read(at: 3 * Page.size, count: 1) == [7], "another page")
            case 4:
              let pin = try other.pin(at: address(3), .write)
              pin.deviceBytes.store(UInt64(9))
              pin.release(dirty: true)
            case 5:
              // The look for 2 MiB waits, too.
              _ = file.hugeFault(page: 0, write: false)
            default:
              let child = try space.fork()
              freezer.expect(try child.load(at: address(3), as: UInt64.self) == 7, "another page")
              child.exit()
            }
          }
          // By an entry that is there still, a child or a load may be faster.
          if place != Self.places[0] || what < 6 {
            #expect(!visitor.mayFinish(), "a look-up did not wait for a collapse")
          }
          collapsing.thaw()
          try collapsing.join()
          try visitor.join()
          let word: UInt64 = [1, 2, 4].contains(what) ? 9 : 7
          #expect(try space.load(at: address(3), as: UInt64.self) == word, "a store was lost")
          #expect(try other.load(at: address(3), as: UInt64.self) == word, "a store was lost")
          #expect(MemoryStore.word(try file.read(at: 3 * Page.size, count: 8), at: 0) == word)
          other.exit()
        }
      }

      // MARK: The file's changes

      /// Cuts, holes, drops and page-outs wait for the collapse.
      @Test(arguments: places, 0..<4)
      func aChangeMeanwhile(place: YieldPoint, what: Int) throws {
        try withFile(swapPages: 16) { [address, collapse] freezer, machine, space, file in
          let collapsing = freezer.start("collapse", freezeAt: place) { _ = collapse(space) }
          #expect(collapsing.waitUntilFrozen())
          let change = freezer.start("change") {
            switch what {
            case 0:
              try file.setByteCount(3 * Page.size)
              try file.setByteCount(Page.hugeSize)
            case 1: try file.punchHole(3..<4)
            case 2: file.drop()
            default: _ = machine.memory.reclaim(pages: 1)
            }
          }
          if what < 3 { #expect(!change.mayFinish(), "a file was changed while a collapse had its pages") }
          collapsing.thaw()
          try collapsing.join()
          try change.join()
          machine.memory.flushDeferredFrees()
          #expect(MemoryStore.word(try file.read(at: 3 * Page.size, count: 8), at: 0) == (what < 3 ? 0 : 7))
          // A drop leaves what is mapped.
          if what != 2 { #expect(try space.load(at: address(3), as: UInt64.self) == (what < 3 ? 0 : 7)) }
          if what > 0 { #expect(MemoryStore.word(try file.read(at: 0, count: 8), at: 0) == (what == 2 ? 0 : 7)) }
        }
      }

      /// A page goes out after it was brought in, before the collapse has the lock.
      @Test func aPageThatGoesOutAgain() throws {
        try withFile(swapPages: 16) { [address, collapse, start] freezer, machine, space, file in
          let collapsing = freezer.start("collapse", freezeAt: .fileCollapseBetweenPagesAndLock) {
            freezer.expect(collapse(space) == nil, "the collapse was refused")
          }
          #expect(collapsing.waitUntilFrozen())
          try space.advise(at: start, pages: 4, .pageOut)
          machine.memory.flushDeferredFrees()
          #expect(file.cachedPages == 4)
          collapsing.thaw()
          try collapsing.join()
          for page in 0..<8 { #expect(try space.load(at: address(page), as: UInt64.self) == 7) }
          #expect(space.entry(at: start).kind == .huge)
        }
      }

      /// The file has its pages in one frame and loses one before the space has its entry of 2 MiB.
      @Test(
        arguments: [
          YieldPoint.fileCollapseBetweenPagesAndEntry, .fileCollapseBetweenAnswerAndLock, .collapseBetweenUnlinkAndLook,
        ], Engines.lockless)
      func aHoleBeforeTheEntry(place: YieldPoint, engine: PinEngine) throws {
        try withFile(engine) { [address, collapse] freezer, machine, space, file in
          let collapsing = freezer.start("collapse", freezeAt: place) {
            freezer.expect(collapse(space) == nil, "the collapse was refused")
          }
          #expect(collapsing.waitUntilFrozen())
          let hole = freezer.start("hole") { try file.punchHole(3..<4) }
          _ = hole.mayFinish()
          collapsing.thaw()
          try collapsing.join()
          try hole.join()
          #expect(try space.load(at: address(3), as: UInt64.self) == 0, "an entry shows what the file has lost")
          try space.store(UInt64(9), at: address(3))
          #expect(MemoryStore.word(try file.read(at: 3 * Page.size, count: 8), at: 0) == 9)
          #expect(try space.load(at: address(4), as: UInt64.self) == 7)
        }
      }

      /// Faults make entries of the frame's parts before the space has its entry of 2 MiB.
      @Test(arguments: Engines.lockless)
      func entriesOfParts(engine: PinEngine) throws {
        try withFile(engine) { [address, collapse, start] freezer, machine, space, file in
          let collapsing = freezer.start("collapse", freezeAt: .fileCollapseBetweenPagesAndEntry) {
            freezer.expect(collapse(space) == nil, "the collapse was refused")
          }
          #expect(collapsing.waitUntilFrozen())
          try space.store(UInt64(9), at: address(3))
          let pin = try space.pin(at: address(4), .write)
          collapsing.thaw()
          try collapsing.join()
          #expect(space.entry(at: start).kind == .huge)
          pin.deviceBytes.store(UInt64(10))
          #expect(try space.load(at: address(3), as: UInt64.self) == 9)
          #expect(try space.load(at: address(4), as: UInt64.self) == 10, "pin and program see two pages")
          pin.release(dirty: true)
        }
      }
    }
  }
#endif
