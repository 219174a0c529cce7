#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  /// What meets the places that a collapse withholds, and changes of the file.
  extension TortureTests.FrozenFileCollapses {
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
#endif
