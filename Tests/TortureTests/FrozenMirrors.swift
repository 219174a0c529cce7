#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  /// An operation that takes away what a mirror remembers of the page at 0x5000, which holds 5.
  enum MirrorEnding: CaseIterable {
    case unmap, mapOver, dontNeed, protect, fork, remap, pageOut, copyOnWrite

    /// What must be there before.
    func prepare(_ space: AddressSpace, _ children: Children) throws {
      if self == .copyOnWrite { children.add(try space.fork()) }
    }

    func run(on space: AddressSpace, _ children: Children) throws {
      switch self {
      case .unmap: try space.unmap(at: 0x5000, pages: 1)
      case .mapOver: try space.map(at: 0x5000, pages: 1, protection: .read)
      case .dontNeed: try space.advise(at: 0x5000, pages: 1, .dontNeed)
      case .protect: try space.protect(at: 0x5000, pages: 1, .read)
      case .fork: children.add(try space.fork())
      case .remap: try space.remap(at: 0x5000, pages: 1, to: 0x9000, newPages: 1)
      case .pageOut: try space.advise(at: 0x5000, pages: 1, .pageOut)
      case .copyOnWrite: try space.store(UInt64(6), at: 0x5008)
      }
    }
  }

  extension TortureTests {
    /// Mirrored accesses that are frozen while an operation changes their page, and operations that are frozen while
    /// they revoke.
    @Suite struct FrozenMirrors {
      private func playWithPage(
        frames: Int = 64, engine: PinEngine = .reference, _ ending: MirrorEnding? = nil,
        _ body: (Freezer, Machine, AddressSpace, Mirror, Children) throws -> Void
      ) throws {
        try play(frames: frames, swapPages: 8) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let children = Children()
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          try space.store(UInt64(5), at: 0x5000)
          try ending?.prepare(space, children)
          try body(freezer, machine, space, try space.mirror(at: 0x5000, pages: 1, for: .write), children)
          space.exit()
          children.removeAll()
        }
      }

      // MARK: Loads

      /// (D): the load has found its translation, and reads the frame when it is another program's.
      @Test(.disabled(if: Sanitizer.isThread, "there the load is in a section, which the reuse waits for"))
      func aLoadOfAFrameThatIsUsedAgain() throws {
        try playWithPage(frames: 4) { freezer, machine, space, mirror, _ in
          #expect(try mirror.load(at: 0x5000, as: UInt64.self) == 5)
          let load = freezer.start("load", freezeAt: .mirrorBetweenTranslationAndBytes) {
            freezer.expect(.badAddress) { () throws(PageError) in
              let seen = try mirror.load(at: 0x5000, as: UInt64.self)
              freezer.expect(false, "a load saw \(seen)")
            }
          }
          #expect(load.waitUntilFrozen())
          try space.unmap(at: 0x5000, pages: 1)
          machine.memory.flushDeferredFrees()
          let other = AddressSpace(machine.memory)
          try other.map(at: 0x5000, pages: 4, protection: .readWrite)
          for page in 0..<4 { try other.store(UInt64(0x99), at: 0x5000 + page * Page.size) }
          load.thaw()
          try load.join()
          other.exit()
        }
      }

      /// (F): bytes beside RAM go away, so their reader is waited for.
      @Test func aLoadOfADevice() throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory)
          let mirror = try space.mirror(at: 0x5000, pages: 1)
          do {
            let device = try DeviceRange(machine.memory, pages: 1)
            try space.map(at: 0x5000, pages: 1, protection: .read, backing: .pfn(device, isIO: true))
          }
          #expect(try mirror.load(at: 0x5000, as: UInt64.self) == 0)
          let load = freezer.start("load", freezeAt: .mirrorBetweenTranslationAndBytes) {
            freezer.expect(try mirror.load(at: 0x5000, as: UInt64.self) == 0, "other bytes")
          }
          #expect(load.waitUntilFrozen())
          let unmap = freezer.start("unmap") { try space.unmap(at: 0x5000, pages: 1) }
          #expect(!unmap.mayFinish(), "the device went under a load")
          load.thaw()
          try load.join()
          try unmap.join()
        }
      }

      // MARK: Translating

      /// (A): the entry was read before the operation began. What was read is not remembered.
      @Test(arguments: MirrorEnding.allCases, [YieldPoint.mirrorBetweenEntryAndClaim, .mirrorBetweenClaimAndLook])
      func aTranslationThatComesTooLate(ending: MirrorEnding, point: YieldPoint) throws {
        try playWithPage(ending) { freezer, _, space, mirror, children in
          let load = freezer.start("load", freezeAt: point) {
            freezer.expect(try mirror.load(at: 0x5000, as: UInt64.self) == 5, "the load saw what came later")
          }
          #expect(load.waitUntilFrozen())
          let change = freezer.start("change") { try ending.run(on: space, children) }
          #expect(change.waitUntilPast(.revocationBetweenWordsAndEntries))
          _ = change.mayFinish()
          load.thaw()
          try load.join()
          try change.join()
          #expect(!mirror.holdsTranslation(at: 0x5000))
        }
      }

      /// (A): between the revocation and the change the old entry can be read, and is not remembered.
      @Test(arguments: MirrorEnding.allCases)
      func aTranslationBesideAChange(ending: MirrorEnding) throws {
        try playWithPage(ending) { freezer, _, space, mirror, children in
          #expect(try mirror.load(at: 0x5000, as: UInt64.self) == 5)
          let change = freezer.start("change", freezeAt: .revocationBetweenWordsAndEntries) {
            try ending.run(on: space, children)
          }
          #expect(change.waitUntilFrozen())
          #expect(!mirror.holdsTranslation(at: 0x5000))
          // A copy-on-write fault has the entry locked meanwhile.
          let load = freezer.start("load") {
            freezer.expect(try mirror.load(at: 0x5000, as: UInt64.self) == 5, "another page")
          }
          #expect(load.mayFinish() == (ending != .copyOnWrite), "a load and an entry that is about to change")
          change.thaw()
          try change.join()
          try load.join()
          #expect(ending == .copyOnWrite || !mirror.holdsTranslation(at: 0x5000))
        }
      }

      /// (B): a fill that was overtaken does not publish on another fill's claim.
      @Test func twoFillsOfTwoFrames() throws {
        try playWithPage { freezer, _, space, mirror, _ in
          let first = freezer.start("first load", freezeAt: .mirrorBetweenLookAndPublish) {
            freezer.expect(try mirror.load(at: 0x5000, as: UInt64.self) == 5, "the first load saw another page")
          }
          #expect(first.waitUntilFrozen())
          try space.advise(at: 0x5000, pages: 1, .dontNeed)
          try space.store(UInt64(7), at: 0x5000)
          let second = freezer.start("second load", freezeAt: .mirrorBetweenClaimAndLook) {
            freezer.expect(try mirror.load(at: 0x5000, as: UInt64.self) == 7, "the second load saw the old page")
          }
          #expect(second.waitUntilFrozen())
          first.thaw()
          try first.join()
          second.thaw()
          try second.join()
          #expect(try mirror.load(at: 0x5000, as: UInt64.self) == 7)
        }
      }

      /// (E): the copy cannot be seen as long as a translation of the original can be read.
      @Test func aCopyIsSeenAfterItsRevocation() throws {
        try playWithPage(.copyOnWrite) { freezer, _, space, mirror, _ in
          #expect(try mirror.load(at: 0x5000, as: UInt64.self) == 5)
          let store = freezer.start("store", freezeAt: .revocationBetweenWordsAndEntries) {
            try space.store(UInt64(6), at: 0x5000)
          }
          #expect(store.waitUntilFrozen())
          let load = freezer.start("load") { _ = try space.load(at: 0x5000, as: UInt64.self) }
          #expect(!load.mayFinish(), "the copy was seen before the translation was revoked")
          store.thaw()
          try store.join()
          try load.join()
          #expect(try mirror.load(at: 0x5000, as: UInt64.self) == 6)
        }
      }

      // MARK: New mirrors

      @Test func aMirrorOfARangeThatIsBeingUnmapped() throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory)
          try space.map(at: 0x5000, pages: 2, protection: .readWrite)
          for page in 0..<2 { try space.store(UInt64(5), at: 0x5000 + page * Page.size) }
          // It has looked for mirrors, found none, and cleared the first entry.
          let unmap = freezer.start("unmap", freezeAt: .unmapBetweenClearAndFree) {
            try space.unmap(at: 0x5000, pages: 2)
          }
          #expect(unmap.waitUntilFrozen())
          let load = freezer.start("mirror and load") {
            let mirror = try space.mirror(at: 0x5000, pages: 2)
            freezer.expect(.badAddress) { () throws(PageError) in _ = try mirror.load(at: 0x6000, as: UInt64.self) }
          }
          #expect(!load.mayFinish(), "a mirror was made beside an operation that does not know it")
          unmap.thaw()
          try unmap.join()
          try load.join()
        }
      }

      @Test(arguments: Engines.lockless)
      func aMirrorThatComesDuringACopy(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          try space.store(UInt64(5), at: 0x5000)
          let child = try space.fork()
          let store = freezer.start("store", freezeAt: .faultBeforeInstall) { try space.store(UInt64(6), at: 0x5000) }
          #expect(store.waitUntilFrozen())
          let mirror = try space.mirror(at: 0x5000, pages: 1)
          #expect(try mirror.load(at: 0x5000, as: UInt64.self) == 5)
          store.thaw()
          try store.join()
          #expect(!mirror.holdsTranslation(at: 0x5000))
          #expect(try mirror.load(at: 0x5000, as: UInt64.self) == 6)
          child.exit()
        }
      }

      // MARK: Stores

      /// (C): the operation waits for a store that has found its translation, and what follows from the page holds the
      /// store.
      @Test(arguments: [MirrorEnding.protect, .fork, .remap, .pageOut])
      func aStoreIsWaitedFor(ending: MirrorEnding) throws {
        try playWithPage(ending) { freezer, _, space, mirror, children in
          try mirror.store(UInt64(5), at: 0x5000)
          let store = freezer.start("store", freezeAt: .mirrorBetweenTranslationAndBytes) {
            try mirror.store(UInt64(9), at: 0x5000)
          }
          #expect(store.waitUntilFrozen())
          let change = freezer.start("change") {
            try ending.run(on: space, children)
            let seen = try space.load(at: ending == .remap ? 0x9000 : 0x5000, as: UInt64.self)
            freezer.expect(seen == 9, "the operation returned, and \(seen) is there")
            children.forEach { child in
              freezer.expect((try? child.load(at: 0x5000, as: UInt64.self)) == 9, "the child has an older page")
            }
          }
          #expect(change.waitUntilPast(.revocationBetweenWordsAndEntries))
          #expect(!change.mayFinish(), "an operation returned while a mirrored store was under way")
          store.thaw()
          try store.join()
          try change.join()
        }
      }
    }
  }
#endif
