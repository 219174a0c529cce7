#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  /// How a frozen thread touches a page of an image for the first time.
  enum FirstTouch: CaseIterable {
    case load, pin, hugeLoad

    var isHuge: Bool { self == .hugeLoad }
  }

  extension TortureTests {
    /// Faults, forks, loads, stores and pins that are frozen while a page of an image moves, and migrations that are.
    @Suite struct FrozenMigrations {
      /// A fault has the image's answer, and the page moves before the fault has locked its entry.
      ///
      /// Were the answer believed, the entry would show the old place from then on, and no store to the new one.
      @Test(arguments: Engines.lockless, FirstTouch.allCases)
      func anAnswerFromBeforeTheMove(engine: PinEngine, touch: FirstTouch) throws {
        try play { freezer, machine in
          let stage = try MovingStage(machine, engine: engine, isHuge: touch.isHuge)
          let late = stage.space
          let toucher = freezer.start("first touch", freezeAt: .faultBeforeInstall) {
            if touch == .pin {
              let pin = try late.pin(at: stage.page)
              freezer.expect(pin.deviceBytes.load(as: UInt8.self) == 1, "the pin shows another page")
              pin.release()
            } else {
              freezer.expect(try late.load(at: stage.page, as: UInt8.self) == 1, "the load found another page")
            }
          }
          #expect(toucher.waitUntilFrozen())
          let mover = freezer.start("migrate") { try stage.image.migrateToCache(page: stage.number) }
          #expect(mover.waitUntilPast(.migrationBetweenEntriesAndGrace))
          #expect(!mover.mayFinish(), "the page moved under a fault")
          toucher.thaw()
          try mover.join()
          try toucher.join()
          try stage.other.store(UInt8(9), at: stage.page)
          #expect(try late.load(at: stage.page, as: UInt8.self) == 9, "an entry shows where the page was")
          stage.end()
        }
      }

      /// A fork has copied entries and has not returned: the child is among those that the reverse map must find.
      @Test(arguments: Engines.all)
      func aChildThatNoThreadKnowsYet(engine: PinEngine) throws {
        try play { freezer, machine in
          let stage = try MovingStage(machine, engine: engine)
          #expect(try stage.space.load(at: stage.page, as: UInt8.self) == 1)
          let children = Children()
          let forker = freezer.start("fork", freezeAt: .forkBetweenUnlockAndReturn) {
            children.add(try stage.space.fork())
          }
          #expect(forker.waitUntilFrozen())
          try stage.image.migrateToCache(page: stage.number)
          try stage.other.store(UInt8(9), at: stage.page)
          forker.thaw()
          try forker.join()
          children.forEach { child in
            let seen = try? child.load(at: stage.page, as: UInt8.self)
            #expect(seen == 9, "the child sees where the page was: \(String(describing: seen))")
          }
          children.removeAll()
          stage.end()
        }
      }

      /// Each of the two places loses its entry, and an access that has read it must be over before the other place is
      /// used.
      @Test(arguments: Engines.all, [false, true])
      func anAccessUnderWayIsWaitedFor(engine: PinEngine, isStore: Bool) throws {
        try play { freezer, machine in
          let stage = try MovingStage(machine, engine: engine)
          // A store needs an entry that takes it: that of a page in the cache.
          if isStore { try stage.space.store(UInt8(1), at: stage.page) }
          #expect(try stage.space.load(at: stage.page, as: UInt8.self) == 1)
          let accessor = freezer.start("access", freezeAt: .accessBetweenEntryAndBytes) {
            if isStore {
              try stage.space.store(UInt8(8), at: stage.page)
            } else {
              freezer.expect(try stage.space.load(at: stage.page, as: UInt8.self) == 1, "a load found another page")
            }
          }
          #expect(accessor.waitUntilFrozen())
          let mover = freezer.start("migrate") {
            if isStore {
              try stage.image.migrateToImage(page: stage.number)
            } else {
              try stage.image.migrateToCache(page: stage.number)
            }
          }
          #expect(mover.waitUntilPast(.migrationBetweenEntriesAndGrace))
          #expect(!mover.mayFinish(), "the page moved under an access")
          accessor.thaw()
          try accessor.join()
          try mover.join()
          #expect(try stage.other.load(at: stage.page, as: UInt8.self) == (isStore ? 8 : 1), "a store was lost")
          stage.end()
        }
      }

      /// The migration does the waiting. Another operation on the same page has no other way to know of the access.
      @Test(arguments: [Ending.unmap, .dontNeed, .protectNone])
      func anOperationThatFindsTheEntryEmptied(ending: Ending) throws {
        try play { freezer, machine in
          let stage = try MovingStage(machine, engine: .reference)
          #expect(try stage.space.load(at: stage.page, as: UInt8.self) == 1)
          let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) {
            _ = try stage.space.load(at: stage.page, as: UInt8.self)
          }
          #expect(loader.waitUntilFrozen())
          let mover = freezer.start("migrate", freezeAt: .migrationBetweenEntriesAndGrace) {
            try stage.image.migrateToCache(page: stage.number)
          }
          #expect(mover.waitUntilFrozen())
          let changer = freezer.start("\(ending)") {
            switch ending {
            case .unmap: try stage.space.unmap(at: stage.page, pages: 1)
            case .dontNeed: try stage.space.advise(at: stage.page, pages: 1, .dontNeed)
            default: try stage.space.protect(at: stage.page, pages: 1, .none)
            }
          }
          #expect(!changer.mayFinish(), "\(ending) returned while a load was in flight")
          loader.thaw()
          mover.thaw()
          for thread in [loader, mover, changer] { try thread.join() }
          stage.end()
        }
      }

      /// A pin that is frozen on the fast path must be waited for, and seen if it holds the page.
      @Test(
        arguments: Engines.lockless, [YieldPoint.pinBetweenEntryAndReference, .pinBetweenReferenceAndSecondLook])
      func aPinUnderWay(engine: PinEngine, place: YieldPoint) throws {
        if engine == .slot, place == .pinBetweenReferenceAndSecondLook { return }
        try play { freezer, machine in
          let stage = try MovingStage(machine, engine: engine)
          try stage.space.store(UInt8(7), at: stage.page)
          let moved = Board(1)
          let reader = freezer.start("pin", freezeAt: place) {
            let pin = try stage.space.pin(at: stage.page, .write)
            while moved[0] == 0 {}
            try stage.other.store(UInt8(8), at: stage.page)
            freezer.expect(pin.deviceBytes.load(as: UInt8.self) == 8, "the pinned page moved")
            pin.deviceBytes.store(UInt8(9))
            freezer.expect(try stage.other.load(at: stage.page, as: UInt8.self) == 9, "the program lost the pin's page")
            pin.release(dirty: true)
          }
          #expect(reader.waitUntilFrozen())
          let mover = freezer.start("migrate") {
            _ = try tolerating(.busy) { () throws(PageError) in try stage.image.migrateToImage(page: stage.number) }
            moved[0] = 1
          }
          #expect(mover.waitUntilPast(.migrationBetweenEntriesAndGrace))
          #expect(!mover.mayFinish(), "the page moved under a pin that cannot be seen yet")
          reader.thaw()
          try mover.join()
          try reader.join()
          stage.end()
        }
      }

      /// A caller is told that the page is in the cache when it is there, even if another thread moves it.
      @Test func aMigrationWaitsForAnother() throws {
        try play { freezer, machine in
          let stage = try MovingStage(machine, engine: .reference)
          let first = freezer.start("migrate", freezeAt: .migrationBetweenEntriesAndGrace) {
            try stage.image.migrateToCache(page: stage.number)
          }
          #expect(first.waitUntilFrozen())
          let second = freezer.start("migrate again") {
            try stage.image.migrateToCache(page: stage.number)
            freezer.expect(stage.image.isCached(page: stage.number), "the page is not where the migration left it")
          }
          #expect(!second.mayFinish(), "a migration returned before the page had moved")
          first.thaw()
          try first.join()
          try second.join()
          stage.end()
        }
      }

      /// A fault copies a page of a backing for a private mapping. The backing named the place, and moved the page
      /// before the fault came to copy: what lies there now is not the page any more.
      @Test(arguments: Engines.all)
      func aCopyOfAPageThatHasMoved(engine: PinEngine) throws {
        try play { freezer, machine in
          let backing = try PageWithTwoPlaces(machine)
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite, backing: .mixed(backing))
          let storer = freezer.start("store") {
            try space.store(UInt8(8), at: 0x5000)
            let seen = try space.load(at: 0x5001, as: UInt8.self)
            freezer.expect(seen == 1, "the copy holds \(seen), from where the page had been")
          }
          backing.waitUntilAsked()
          backing.move(of: space)
          backing.letAnswersGo()
          try storer.join()
          space.exit()
        }
      }
    }
  }

  /// Two spaces that show an image through shared mappings, and the page of it that moves. Its bytes are 1.
  private final class MovingStage: Sendable {
    let image: Image
    let space: AddressSpace
    let other: AddressSpace
    let page: VirtualAddress
    /// Which page of the image.
    let number: Int

    init(_ machine: Machine, engine: PinEngine, isHuge: Bool = false) throws {
      let pages = isHuge ? Page.pagesPerHuge : 4
      let start: VirtualAddress = 0x4000_0000
      image = try Image(machine.memory, pages: pages) { _ in 1 }
      space = AddressSpace(machine.memory, engine: engine)
      other = AddressSpace(machine.memory, engine: engine)
      for space in [space, other] {
        try space.map(
          at: start, pages: pages, protection: .readWrite, sharing: .shared, backing: .mixed(image), hugePages: isHuge)
      }
      number = 2
      page = start + number * Page.size
    }

    func end() {
      space.exit()
      other.exit()
    }
  }

  /// A page that begins with two ones, and moves once. It keeps the answer to a fault back until the test lets it go.
  private final class PageWithTwoPlaces: Backing {
    private let places: DeviceRange
    private let moves = InvalidationSequence()
    /// Which place, whether a fault has asked, whether answers may go.
    private let state = Board(3)

    init(_ machine: Machine) throws {
      let places = try DeviceRange(machine.memory, pages: 2)
      for place in 0..<2 { places.bytes(ofPage: place).store(UInt16(0x0101)) }
      self.places = places
    }

    var pageCount: Int { 1 }
    var sequence: InvalidationSequence? { moves }

    func fault(page: Int, write: Bool) -> FaultAnswer {
      let answer = FaultAnswer.frameNumber(places.firstPFN + Int(state[0]), writable: false)
      state.announce(1, 1)
      while state[2] == 0 {}
      return answer
    }

    func waitUntilAsked() { while state[1] == 0 {} }

    func letAnswersGo() { state.announce(2, 1) }

    /// Moves the page, as the protocol of `InvalidationSequence` says, and uses the old place for something else.
    func move(of user: AddressSpace) {
      state.announce(0, 1)
      moves.advance()
      _ = user.unmap(pages: [0], of: self, sparingLocked: false)
      RCU.synchronize()
      let places = places
      places.bytes(ofPage: 0).store(UInt16(0xEEEE))
    }
  }
#endif
