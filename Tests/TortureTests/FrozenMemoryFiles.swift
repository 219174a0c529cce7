#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Faults, accesses, pins and writes that are frozen while a memory file is cut or punched under them.
    @Suite struct FrozenMemoryFiles {
      private let start: VirtualAddress = 0x10000

      private func address(_ page: Int) -> VirtualAddress { start + page * Page.size }

      private func withFrozenFile(
        _ engine: PinEngine = .reference, _ body: (Freezer, AddressSpace, PageCacheFile) throws -> Void
      ) throws {
        try play { freezer, machine in
          let file = try PageCacheFile(machine.memory, pages: 4, fill: 9, maximumPages: 8)
          let space = AddressSpace(machine.memory, engine: engine)
          // Twice: what one mapping shows is what the file has.
          for start in [start, start + 16 * Page.size] {
            try space.map(at: start, pages: 8, protection: .readWrite, sharing: .shared, backing: .file(file))
          }
          try body(freezer, space, file)
          space.exit()
          file.drop()
        }
      }

      // MARK: Pages that are being made

      /// A frame that was filled before the cut is not the file's page after it.
      @Test(arguments: [false, true])
      func aFrameThatIsBeingFilled(isHole: Bool) throws {
        try withFrozenFile { [address] freezer, space, file in
          let load = freezer.start("load", freezeAt: .cacheBetweenReadAndInstall) {
            freezer.expect(try space.load(at: address(2), count: 1) == [0], "the file's old contents")
          }
          #expect(load.waitUntilFrozen())
          if isHole {
            try file.punchHole(2..<3)
          } else {
            try file.setByteCount(2 * Page.size)
            try file.setByteCount(4 * Page.size)
          }
          load.thaw()
          try load.join()
          #expect(try file.read(at: 2 * Page.size, count: 1) == [0])
        }
      }

      /// The same beyond the end: the page does not come into the cache.
      @Test func aFrameBeyondTheEnd() throws {
        try withFrozenFile { [address] freezer, space, file in
          let load = freezer.start("load", freezeAt: .cacheBetweenReadAndInstall) {
            freezer.expect(.busError) { () throws(PageError) in _ = try space.load(at: address(2), count: 1) }
          }
          #expect(load.waitUntilFrozen())
          try file.setByteCount(2 * Page.size)
          load.thaw()
          try load.join()
          try file.setByteCount(4 * Page.size)
          #expect(file.cachedPages == 0)
        }
      }

      /// The cut comes between the look at the length and the file's contents, which are those of after the cut.
      @Test func aFrameBeyondTheEndOfCutContents() throws {
        try withFrozenFile { freezer, _, file in
          let read = freezer.start("read", freezeAt: .cacheBetweenLengthAndContents) {
            freezer.expect(try file.read(at: 2 * Page.size, count: 1) == [], "a byte beyond the end")
          }
          #expect(read.waitUntilFrozen())
          try file.setByteCount(2 * Page.size)
          read.thaw()
          try read.join()
          try file.setByteCount(4 * Page.size)
          #expect(file.cachedPages == 0)
        }
      }

      // MARK: Faults

      /// A fault with an answer from before the cut installs nothing.
      @Test(arguments: Engines.lockless)
      func anOldAnswer(engine: PinEngine) throws {
        try withFrozenFile(engine) { [address] freezer, space, file in
          let store = freezer.start("store", freezeAt: .faultBeforeInstall) {
            freezer.expect(.busError) { () throws(PageError) in try space.store(UInt64(1), at: address(2)) }
          }
          #expect(store.waitUntilFrozen())
          let cut = freezer.start("truncate") { try file.setByteCount(Page.size) }
          #expect(cut.waitUntilPast(.truncationBetweenUnmapAndGrace))
          store.thaw()
          try cut.join()
          try store.join()
          #expect(space.entry(at: address(2)).kind == .none)
        }
      }

      /// The same for a hole: the store is in the page that the file has then.
      @Test(arguments: Engines.lockless)
      func anAnswerFromBeforeTheHole(engine: PinEngine) throws {
        try withFrozenFile(engine) { [address] freezer, space, file in
          let store = freezer.start("store", freezeAt: .faultBeforeInstall) {
            try space.store(UInt64(1), at: address(2) + 8)
          }
          #expect(store.waitUntilFrozen())
          let hole = freezer.start("punch") { try file.punchHole(2..<3) }
          #expect(hole.waitUntilPast(.truncationBetweenUnmapAndGrace))
          store.thaw()
          try hole.join()
          try store.join()
          #expect(try space.load(at: address(2), as: UInt64.self) == 0, "a fault installed what was punched out")
          #expect(
            try file.read(at: 2 * Page.size + 8, count: 1) == [1], "a store went to a page that is not the file's")
        }
      }

      /// A fault that comes when the entries are gone finds the page gone, too.
      @Test(arguments: Engines.lockless)
      func aFaultDuringTheHole(engine: PinEngine) throws {
        try withFrozenFile(engine) { [address] freezer, space, file in
          try space.store(UInt64(5), at: address(2))
          let hole = freezer.start("punch", freezeAt: .truncationBetweenUnmapAndGrace) { try file.punchHole(2..<3) }
          #expect(hole.waitUntilFrozen())
          #expect(try space.load(at: address(2), as: UInt64.self) == 0, "a fault found what was punched out")
          hole.thaw()
          try hole.join()
          try space.store(UInt64(6), at: address(2))
          #expect(try space.load(at: address(18), as: UInt64.self) == 6, "two mappings show two pages")
        }
      }

      /// A child that a fork makes between the end of the page and the end of its entries loses it as well.
      @Test(arguments: [YieldPoint.truncationBetweenDropAndUnmap, .truncationBetweenUnmapAndGrace], [false, true])
      func aForkDuringTheCut(point: YieldPoint, isHole: Bool) throws {
        try withFrozenFile { [address] freezer, space, file in
          try space.store(UInt64(5), at: address(2))
          let cut = freezer.start("cut", freezeAt: point) {
            if isHole { try file.punchHole(2..<4) } else { try file.setByteCount(2 * Page.size) }
          }
          #expect(cut.waitUntilFrozen())
          let child = try space.fork()
          cut.thaw()
          try cut.join()
          for space in [space, child] {
            #expect((try? space.load(at: address(2), as: UInt64.self)) == (isHole ? 0 : nil))
          }
          child.exit()
        }
      }

      /// The cut finds a child before its fork has returned. Its private copy goes as well.
      @Test func aForkThatHasCopied() throws {
        try withFrozenFile { freezer, space, file in
          let copy: VirtualAddress = 0x100000
          try space.map(at: copy, pages: 4, protection: .readWrite, sharing: .private, backing: .file(file))
          try space.store(UInt64(5), at: copy + 2 * Page.size)
          let children = Children()
          let fork = freezer.start("fork", freezeAt: .forkBetweenUnlockAndReturn) { children.add(try space.fork()) }
          #expect(fork.waitUntilFrozen())
          try file.setByteCount(2 * Page.size)
          fork.thaw()
          try fork.join()
          children.forEach { child in
            let seen = try? child.load(at: copy + 2 * Page.size, as: UInt64.self)
            #expect(seen == nil, "a child shows a page beyond the end")
          }
          children.removeAll()
        }
      }

      // MARK: Accesses and pins

      /// A store by the old entry lands before the rest of the last page is cleared, and before a cut returns.
      @Test(arguments: Engines.lockless)
      func aStoreBehindTheEnd(engine: PinEngine) throws {
        try withFrozenFile(engine) { [address] freezer, space, file in
          try space.store(UInt64(5), at: address(2) + 8)
          let store = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(6), at: address(2) + 8)
          }
          #expect(store.waitUntilFrozen())
          let cut = freezer.start("truncate") { try file.setByteCount(2 * Page.size + 8) }
          #expect(cut.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!cut.mayFinish(), "a cut returned while a store behind the end was under way")
          store.thaw()
          try store.join()
          try cut.join()
          #expect(try space.load(at: address(2) + 8, as: UInt64.self) == 0)
        }
      }

      /// A store to a page that is punched out has ended when the call returns.
      @Test(arguments: Engines.lockless)
      func aStoreToAHole(engine: PinEngine) throws {
        try withFrozenFile(engine) { [address] freezer, space, file in
          try space.store(UInt64(5), at: address(2))
          let store = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(6), at: address(2))
          }
          #expect(store.waitUntilFrozen())
          let hole = freezer.start("punch") { try file.punchHole(2..<3) }
          #expect(hole.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!hole.mayFinish(), "a hole was made while a store to it was under way")
          store.thaw()
          try store.join()
          try hole.join()
          #expect(try space.load(at: address(2), as: UInt64.self) == 0)
        }
      }

      /// A pin that has read its entry holds the page that was the file's, or does not get it.
      @Test(arguments: [false, true])
      func aPinThatHasReadItsEntry(isHole: Bool) throws {
        try withFrozenFile { [address] freezer, space, file in
          try space.store(UInt64(5), at: address(2))
          let pin = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            freezer.expect(.tryAgain) { () throws(PageError) in
              try space.pin(at: address(2), [.write, .fastOnly]).release()
            }
          }
          #expect(pin.waitUntilFrozen())
          let cut = freezer.start("cut") {
            if isHole { try file.punchHole(2..<3) } else { try file.setByteCount(2 * Page.size) }
          }
          #expect(cut.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!cut.mayFinish(), "a cut returned while a pin by the old entry was under way")
          pin.thaw()
          try pin.join()
          try cut.join()
        }
      }

      /// A mirrored store that has found its translation is waited for, and is gone with its page.
      @Test(arguments: [false, true])
      func aMirroredStore(isHole: Bool) throws {
        try withFrozenFile { [address] freezer, space, file in
          let mirror = try space.mirror(at: address(2), pages: 1, for: .write)
          try mirror.store(UInt64(5), at: address(2))
          let store = freezer.start("store", freezeAt: .mirrorBetweenTranslationAndBytes) {
            try mirror.store(UInt64(6), at: address(2))
          }
          #expect(store.waitUntilFrozen())
          let cut = freezer.start("cut") {
            if isHole { try file.punchHole(2..<3) } else { try file.setByteCount(2 * Page.size) }
          }
          #expect(cut.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!mirror.holdsTranslation(at: address(2)))
          #expect(!cut.mayFinish(), "a cut returned while a mirrored store was under way")
          store.thaw()
          try store.join()
          try cut.join()
          #expect((try? mirror.load(at: address(2), as: UInt64.self)) == (isHole ? 0 : nil))
        }
      }

      // MARK: Writes

      /// [store-then-length]: a `write` of bytes behind a new end makes the file longer again. None stays there
      /// unseen.
      @Test func aWriteThatHasItsPage() throws {
        try withFrozenFile { freezer, _, file in
          let write = freezer.start("write", freezeAt: .cacheBetweenPageAndCopy) {
            try file.write([UInt8](repeating: 7, count: 16), at: 2 * Page.size + 100)
          }
          #expect(write.waitUntilFrozen())
          try file.setByteCount(2 * Page.size + 8)
          write.thaw()
          try write.join()
          #expect(file.byteCount == 2 * Page.size + 116, "the bytes are behind the end")
          let bytes = try file.read(at: 2 * Page.size, count: Page.size)
          let expected: [UInt8] =
            [UInt8](repeating: 9, count: 8) + [UInt8](repeating: 0, count: 92) + [UInt8](repeating: 7, count: 16)
          #expect(bytes == expected)
        }
      }
    }
  }
#endif
