#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Pages of a memory file that become 2 MiB in one frame, with one side frozen in the middle.
    /// `FrozenFileCollapses+Places.swift` has what meets the places of pages.
    @Suite struct FrozenFileCollapses {
      let start: VirtualAddress = 0x4000_0000

      func address(_ page: Int) -> VirtualAddress { start + page * Page.size }

      /// A file of 2 MiB, of which a space without leave for 2 MiB has touched the first eight pages: the word 7.
      func withFile(
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

      func map(_ file: PageCacheFile, in space: AddressSpace) throws {
        try space.map(
          at: start, pages: Page.pagesPerHuge, protection: .readWrite, sharing: .shared, backing: .file(file))
      }

      /// Returns the error, if there is one.
      func collapse(_ space: AddressSpace) -> PageError? {
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
          // Whatever is free becomes another page.
          let other = AddressSpace(machine.memory)
          let count = machine.memory.freePages
          try other.map(at: start, pages: count, protection: .readWrite, sharing: .private)
          for page in 0..<count { try other.store(UInt64(9), at: address(page)) }
          read.thaw()
          try read.join()
          try collapsing.join()
          #expect(try space.load(at: address(0), as: UInt64.self) == 7)
          other.exit()
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
    }
  }
#endif
