#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Range pins by a list look once. Frozen between the entries and the list's length, they must be waited for.
    @Suite struct FrozenRangePins {
      @Test func unmapWaitsAndTheFramesStay() throws {
        try play(frames: 4) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: .slot)
          let other = AddressSpace(machine.memory, engine: .slot)
          try space.map(at: 0x5000, pages: 2, protection: .readWrite)
          try other.map(at: 0x5000, pages: 4, protection: .readWrite)
          for page in 0..<2 { try space.store(UInt64(7 + page), at: 0x5000 + page * Page.size) }
          let flags = Board(2)
          let reader = freezer.start("range pin", freezeAt: .rangePinBetweenEntriesAndLength) {
            let pins = try space.pin(at: 0x5000, pages: 2, .write)
            freezer.expect(pins.listedCount == 2, "the pages are not in a list")
            flags[0] = 1
            while flags[1] == 0 {}
            for page in 0..<2 {
              let seen = pins.deviceBytes(at: page).load(as: UInt64.self)
              freezer.expect(seen == UInt64(7 + page), "a frame was taken away from its pin")
            }
            pins.release()
          }
          #expect(reader.waitUntilFrozen())
          let unmapper = freezer.start("unmap") { try space.unmap(at: 0x5000, pages: 2) }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          #expect(!unmapper.mayFinish(), "unmap did not wait for a list that it cannot see yet")
          reader.thaw()
          try unmapper.join()
          while flags[0] == 0 {}
          for page in 0..<2 { try other.store(UInt64(1), at: 0x5000 + page * Page.size) }
          #expect(throws: PageError.outOfMemory) { try other.store(UInt64(1), at: 0x5000 + 2 * Page.size) }
          flags[1] = 1
          try reader.join()
          for page in 0..<4 { try other.store(UInt64(1), at: 0x5000 + page * Page.size) }
        }
      }

      /// The device's store after a fork is the parent's alone.
      @Test func aForkWaitsAndCopies() throws {
        try play { freezer, machine in
          let space = try machine.space(engine: .slot, holding: 7)
          let children = Children()
          let forked = Board(1)
          let reader = freezer.start("range pin", freezeAt: .rangePinBetweenEntriesAndLength) {
            let pins = try space.pin(at: 0x5000, pages: 1, .write)
            freezer.expect(pins.listedCount == 1, "the page is not in a list")
            while forked[0] == 0 {}
            pins.deviceBytes(at: 0).store(UInt64(8))
            freezer.expect(try space.load(at: 0x5000, as: UInt64.self) == 8, "the parent lost its pinned page")
            pins.release()
          }
          #expect(reader.waitUntilFrozen())
          let forker = freezer.start("fork") {
            children.add(try space.fork())
            forked[0] = 1
          }
          #expect(forker.waitUntilPast(.forkBetweenProtectAndCopy))
          #expect(!forker.mayFinish(), "the fork did not wait for a list that it cannot see yet")
          reader.thaw()
          try forker.join()
          try reader.join()
          children.forEach { child in
            #expect((try? child.load(at: 0x5000, as: UInt64.self)) == 7, "the child sees the device's store")
          }
          children.removeAll()
        }
      }

      /// The first pin of a page by a list has found the mark, and the page is unmapped before it has cleared it.
      @Test func aFirstPinOfAChangedEntryHoldsNothing() throws {
        try play { freezer, machine in
          let space = try machine.space(engine: .slot, holding: 7)
          let reader = freezer.start("range pin", freezeAt: .slotPinBetweenEntryAndMark) {
            let pins = try space.pin(at: 0x5000, pages: 1, [.write, .fastOnly])
            freezer.expect(pins.isEmpty, "a page that is gone was pinned")
          }
          #expect(reader.waitUntilFrozen())
          try space.unmap(at: 0x5000, pages: 1)
          reader.thaw()
          try reader.join()
        }
      }

      // MARK: Pages of a file

      /// A thread that pins two pages of a file, frozen before its list has them. It ends its pins when `flags[1]` is
      /// set, after `body`.
      private func startPinning(
        _ stage: CacheFreeze, _ options: PinOptions, _ flags: Board,
        _ body: @escaping @Sendable (borrowing PinnedPages) -> Void
      ) throws -> StagedThread {
        let (space, start) = (stage.space, CacheFreeze.first + 2 * Page.size)
        // No page's first pin by a slot: that one looks again.
        try space.pin(at: start, pages: 2, options).release()
        let reader = stage.freezer.start("range pin", freezeAt: .rangePinBetweenEntriesAndLength) {
          let pins = try space.pin(at: start, pages: 2, options)
          stage.freezer.expect(pins.listedCount == 2, "the pages are not in a list")
          flags[0] = 1
          while flags[1] == 0 {}
          body(pins)
          pins.release(dirty: options.contains(.write))
        }
        #expect(reader.waitUntilFrozen())
        return reader
      }

      /// A device that holds the pages by a list may store at any time: they are copied, and stay dirty.
      @Test(arguments: [PageCache.Stability.none, .waits, .copies])
      func aWriteBackWaitsAndCopies(stability: PageCache.Stability) throws {
        try withFrozenCache(.slot, stability: stability) { stage in
          let cache = stage.cache
          for page in 2..<4 { try stage.space.store(UInt64(5), at: CacheFreeze.first + page * Page.size) }
          let flags = Board(2)
          let reader = try startPinning(stage, .write, flags) { pins in
            for index in pins.indices { pins.deviceBytes(at: index).store(UInt64(7)) }
          }
          let sync = stage.freezer.start("sync") { try cache.sync() }
          #expect(sync.waitUntilPast(.writeBackBetweenProtectAndGrace))
          #expect(!sync.mayFinish(), "a write-back did not wait for a list that it cannot see yet")
          reader.thaw()
          try sync.join()
          while flags[0] == 0 {}
          #expect(cache.dirtyPages == 2, "a device stores to pages that the cache believes to be clean")
          #expect(cache.copiedPages == 2)
          flags[1] = 1
          try reader.join()
          try cache.sync()
          #expect(stage.written(2) == 7 && stage.written(3) == 7 && cache.dirtyPages == 0)
        }
      }

      @Test func anEvictionWaitsAndSparesThem() throws {
        try withFrozenCache(.slot) { stage in
          let cache = stage.cache
          let flags = Board(2)
          let reader = try startPinning(stage, [], flags) { pins in
            for index in pins.indices {
              let seen = pins.deviceBytes(at: index).load(as: UInt64.self)
              stage.freezer.expect(seen == UInt64(index + 3) &* 0x0101_0101_0101_0101, "another page's bytes")
            }
          }
          let evict = stage.freezer.start("evict") {
            stage.freezer.expect(cache.evict(2) == 0, "a page was evicted that a list holds")
          }
          #expect(evict.waitUntilPast(.evictionBetweenUnmapAndGrace))
          #expect(!evict.mayFinish(), "an eviction did not wait for a list that it cannot see yet")
          reader.thaw()
          try evict.join()
          #expect(cache.isResident(page: 2) && cache.isResident(page: 3))
          flags[1] = 1
          try reader.join()
        }
      }

      /// A cut, a hole or an invalidation leaves the orphans to the list.
      @Test(arguments: [nil, PageLoss.hole, .invalidation])
      func theOrphansStay(loss: PageLoss?) throws {
        try withFrozenCache(.slot) { stage in
          let (cache, store) = (stage.cache, stage.store)
          for page in 2..<4 { try stage.space.store(UInt64(page), at: CacheFreeze.first + page * Page.size) }
          let flags = Board(2)
          let reader = try startPinning(stage, .write, flags) { pins in
            for index in pins.indices {
              let seen = pins.deviceBytes(at: index).load(as: UInt64.self)
              stage.freezer.expect(seen == UInt64(index + 2), "an orphan was taken from its pin: \(seen)")
            }
          }
          let cut = stage.freezer.start("cut") {
            if let loss { try loss.run(cache, store) } else { try cache.setByteCount(2 * Page.size) }
          }
          #expect(cut.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!cut.mayFinish(), "the call did not wait for a list that it cannot see yet")
          reader.thaw()
          try cut.join()
          while flags[0] == 0 {}
          stage.memory.flushDeferredFrees()
          // A frame that came free would be used again here.
          let gone = loss == .hole ? 1 : 2
          try cache.write([UInt8](repeating: 1, count: gone * Page.size), at: 2 * Page.size)
          flags[1] = 1
          try reader.join()
        }
      }
    }
  }
#endif
