#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

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

      /// A fault that has looked at its mapping finds it write-locked, and waits until the page is in its new place.
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

      /// A page of a cache, and a long-term pin that moves it.
      private struct MovingPage {
        let freezer: Freezer
        let memory: PhysicalMemory
        let store: MemoryStore
        let cache: PageCache
        let long: StagedThread
      }

      /// Runs `body` while the move of a page of a cache stands still at `point`. The pin may fail if `body` cuts the
      /// page off.
      private func withMovingPage(
        _ point: YieldPoint, frames: Int = 64, movable: Int = 32, mayFail: Bool = false,
        _ body: (MovingPage) throws -> Void
      ) throws {
        try play(frames: frames, movable: movable) { [address] freezer, machine in
          let store = MemoryStore(pages: 1)
          let cache = try PageCache(machine.memory, store, limit: 1, maximumPages: 4)
          let space = AddressSpace(machine.memory)
          try space.map(at: address, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(cache))
          try space.store(UInt64(7), at: address)
          machine.memory.flushDeferredFrees()
          let long = freezer.start("long-term pin", freezeAt: point) {
            if let pin = try space.pin(at: address, .longTerm, orGiveUpOn: mayFail ? [.badAddress, .busError] : []) {
              pin.release()
            }
          }
          #expect(long.waitUntilFrozen())
          try body(MovingPage(freezer: freezer, memory: machine.memory, store: store, cache: cache, long: long))
          space.exit()
        }
      }

      /// The frame that a page moves to is not the page's yet, and the move may fail. So it cannot be had by its
      /// number.
      @Test(arguments: MappingByNumber.allCases)
      func theNewFrameCannotBeNamed(way: MappingByNumber) throws {
        try withMovingPage(.cacheMoveBetweenCopyAndInstall, frames: 3, movable: 2) { moving in
          // The only frame that is not movable.
          let pfn = moving.memory.allocator.first
          let other = AddressSpace(moving.memory)
          #expect(throws: way.refusal) { try way.map(pfn, in: other) }
          // The page is needed, and the copy is thrown away.
          try moving.cache.write([9], at: 0)
          moving.long.thaw()
          try moving.long.join()
          #expect(other.entry(at: 0x9000).kind == .none)
          other.exit()
        }
      }

      /// Once the page is on its way to the new frame, a look-up waits until it is there.
      @Test func aLookUpOfAPageThatMoves() throws {
        try withMovingPage(.cacheMoveBetweenClaimAndInstall) { moving in
          let cache = moving.cache
          let freezer = moving.freezer
          let look = freezer.start("read") {
            freezer.expect(try cache.read(at: 0, count: 1) == [7], "a look-up met a page between two frames")
          }
          #expect(!look.mayFinish())
          moving.long.thaw()
          try moving.long.join()
          try look.join()
        }
      }

      /// A truncation waits for the move, and finds the page in its new frame.
      @Test func aTruncationDuringTheMove() throws {
        try withMovingPage(.cacheMoveBetweenClaimAndInstall, mayFail: true) { moving in
          let cache = moving.cache
          let truncation = moving.freezer.start("truncation") { try cache.setByteCount(0) }
          #expect(!truncation.mayFinish(), "a truncation passed a page by that moves")
          moving.long.thaw()
          try moving.long.join()
          try truncation.join()
          #expect(cache.residentPages == 0)
        }
      }

      /// The move has written the page, and the disk fails to make that durable. The page is between two frames, and is
      /// written again all the same.
      @Test func aFailedSyncDuringTheMove() throws {
        try withMovingPage(.cacheMoveBetweenClaimAndInstall) { moving in
          let (cache, store) = (moving.cache, moving.store)
          store.fail { call, _ in call == .sync ? .file(.sync, errno: 5) : nil }
          let sync = moving.freezer.start("sync") {
            moving.freezer.expect(.file(.sync, errno: 5)) { () throws(PageError) in try cache.sync() }
          }
          #expect(!sync.mayFinish(), "a failed sync passed a page by that moves")
          moving.long.thaw()
          try moving.long.join()
          try sync.join()
          #expect(cache.dirtyPages == 1, "a write that the disk may have lost is not repeated")
          store.fail(nil)
          try cache.sync()
          #expect(store.writes.count == 1)
        }
      }

      /// A store that moves a page of its own cache would wait for a truncation, and the truncation waits for the
      /// store's read.
      @Test func aMoveInsideACallOfTheStore() throws {
        try play(movable: 32) { [address] freezer, machine in
          let store = MemoryStore(pages: 2)
          let cache = try PageCache(machine.memory, store, limit: 2, maximumPages: 4)
          let space = AddressSpace(machine.memory)
          try space.map(at: address, pages: 2, protection: .readWrite, sharing: .shared, backing: .file(cache))
          try space.store(UInt64(7), at: address)
          let truncation = Locked<StagedThread?>(nil)
          store.onCall { [unowned cache, unowned space] call in
            guard call == .read(page: 1, count: 1) else { return }
            let cut = freezer.start("truncation") { try cache.setByteCount(Page.size) }
            freezer.expect(!cut.mayFinish(), "a truncation did not wait for a read")
            freezer.expect(.outOfMemory) { () throws(PageError) in try space.pin(at: address, .longTerm).release() }
            truncation.withLock { $0 = cut }
          }
          let read = freezer.start("read") { _ = try cache.read(at: Page.size, count: 1) }
          try read.join()
          try truncation.withLock { $0 }?.join()
          #expect(cache.byteCount == Page.size)
          store.onCall(nil)
          space.exit()
        }
      }
    }
  }
#endif
