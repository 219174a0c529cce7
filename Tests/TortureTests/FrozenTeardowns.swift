#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  /// Shows a frame number that loads may use and stores may not.
  private final class ReadOnlyNumber: Backing {
    let device: DeviceRange
    init(_ device: DeviceRange) { self.device = device }
    var pageCount: Int { 1 }
    var firstFrame: PFN? { device.firstFrame }
    func fault(page: Int, write: Bool) -> FaultAnswer {
      write ? .busError : .frameNumber(device.firstPFN, writable: false)
    }
  }

  extension TortureTests {
    /// Loads that are frozen between the entry and the bytes while an operation takes the entry away.
    @Suite struct FrozenTeardowns {
      @Test(arguments: Ending.allCases, Contents.allCases)
      func anOperationOutlivesNoLoad(ending: Ending, contents: Contents) throws {
        // The contents of a mapping by number are not this space's to throw away.
        if ending == .dontNeed || ending == .guardInstall, contents == .number || contents == .hugeNumber { return }
        for engine in contents == .sharedFile || contents == .pinnedAnonymous ? Engines.all : [.slot] {
          try play(frames: 2048) { freezer, machine in
            let stage = try Stage(contents, machine, engine: engine)
            let loader = try stage.startLoad(freezer)
            let changer = freezer.start("\(ending)") {
              try ending.run(on: stage.space, stage)
              try stage.overwrite()
            }
            #expect(!changer.mayFinish(), "\(ending) returned while a load was in flight, engine \(engine)")
            loader.thaw()
            try loader.join()
            try changer.join()
            stage.end()
          }
        }
      }

      @Test(arguments: [
        (Ending.dontNeed, Ending.unmap), (.dontNeed, .dontNeed), (.dontNeed, .exit), (.protectNone, .protectNone),
        (.protectNone, .unmap), (.remapAway, .mapOver), (.unmap, .unmap), (.guardInstall, .guardInstall),
        (.dontNeed, .guardInstall),
      ])
      func anOperationThatFindsItsWorkDoneWaitsAsWell(first: Ending, second: Ending) throws {
        for contents in [Contents.sharedFile, .pinnedAnonymous] {
          try play { freezer, machine in
            let stage = try Stage(contents, machine, engine: .reference)
            let loader = try stage.startLoad(freezer)
            let changer = freezer.start("\(first)") { try first.run(on: stage.space, stage) }
            while stage.space.entry(at: stage.page).protection != .none {}
            let follower = freezer.start("\(second)") {
              try second.run(on: stage.space, stage)
              try stage.overwrite()
            }
            #expect(!follower.mayFinish(), "\(second) returned while \(first) waited for a load")
            loader.thaw()
            for thread in [loader, changer, follower] { try thread.join() }
            stage.end()
          }
        }
      }

      @Test func anOperationWaitsForWhatAnotherIsAboutToNote() throws {
        try playASecondDontNeed(of: .sharedFile) { _ in }
      }

      /// The second operation meets no empty entry: a first touch has filled it with the zero page, which needs no
      /// wait.
      @Test func anEntryThatWasFilledAgainHidesNoLoad() throws {
        try playASecondDontNeed(of: .pinnedAnonymous) { stage throws in
          #expect(try stage.space.load(at: stage.page, as: UInt8.self) == 0)
        }
      }

      /// Two operations empty an entry that a load has read. The first has not looked yet whether loads of it count.
      ///
      /// - Parameter between: runs once the first has emptied the entry, before the second begins.
      private func playASecondDontNeed(of contents: Contents, between: (Stage) throws -> Void) throws {
        try play { freezer, machine in
          let stage = try Stage(contents, machine, engine: .reference)
          let loader = try stage.startLoad(freezer)
          let first = freezer.start("dontneed", freezeAt: .unmapBetweenClearAndFree) {
            try Ending.dontNeed.run(on: stage.space, stage)
          }
          #expect(first.waitUntilFrozen())
          try between(stage)
          let second = freezer.start("dontneed again") {
            try Ending.dontNeed.run(on: stage.space, stage)
            try stage.overwrite()
          }
          #expect(!second.mayFinish(), "dontneed returned while a load was in flight")
          first.thaw()
          loader.thaw()
          for thread in [loader, first, second] { try thread.join() }
          stage.end()
        }
      }

      @Test(
        .enabled(
          if: PTE.empty.asSpecial != .empty,
          "without a special bit a mixed mapping refcounts each frame that has a descriptor"),
        arguments: Engines.all)
      func anEntryThatAFaultEmptiedIsWaitedFor(engine: PinEngine) throws {
        try play { freezer, machine in
          let (space, device, loader) = try startLoadByNumber(freezer, machine, engine: engine)
          // The fault takes the entry out of the way and asks for a frame that takes stores. There is none.
          #expect(throws: PageError.busError) { try space.store(UInt8(3), at: 0x5000) }
          #expect(space.entry(at: 0x5000).kind == .none)
          let unmapper = freezer.start("unmap") {
            try space.unmap(at: 0x5000, pages: 1)
            device.bytes(ofPage: 0).store(UInt8(9))
          }
          #expect(!unmapper.mayFinish(), "unmap returned while a load was in flight")
          loader.thaw()
          try loader.join()
          try unmapper.join()
        }
      }

      @Test(
        .enabled(
          if: PTE.empty.asSpecial != .empty,
          "without a special bit a mixed mapping refcounts each frame that has a descriptor"),
        arguments: Engines.lockless, [Ending.unmap, .remapAway])
      func anEntryThatAFaultIsAboutToNoteIsWaitedFor(engine: PinEngine, ending: Ending) throws {
        try play { freezer, machine in
          let (space, device, loader) = try startLoadByNumber(freezer, machine, engine: engine)
          let emptier = freezer.start("store", freezeAt: .emptiedBetweenEntriesAndNote) {
            // A bus error, or none is mapped there any more.
            #expect(throws: PageError.self) { try space.store(UInt8(3), at: 0x5000) }
          }
          #expect(emptier.waitUntilFrozen())
          #expect(space.entry(at: 0x5000).kind == .none)
          let changer = freezer.start("\(ending)") {
            if ending == .unmap {
              try space.unmap(at: 0x5000, pages: 1)
            } else {
              try space.remap(at: 0x5000, pages: 1, to: 0x9000, newPages: 1)
            }
            device.bytes(ofPage: 0).store(UInt8(9))
          }
          #expect(!changer.mayFinish(), "\(ending) returned while a load was in flight")
          emptier.thaw()
          loader.thaw()
          for thread in [emptier, loader, changer] { try thread.join() }
          space.exit()
        }
      }

      /// A load that has read an entry at 0x5000. A number is there that takes no stores, and its memory holds 1.
      private func startLoadByNumber(
        _ freezer: Freezer, _ machine: Machine, engine: PinEngine
      ) throws -> (AddressSpace, DeviceRange, StagedThread) {
        let space = AddressSpace(machine.memory, engine: engine)
        let device = try DeviceRange(machine.memory, pages: 1)
        device.bytes(ofPage: 0).store(UInt8(1))
        try space.map(
          at: 0x5000, pages: 1, protection: .readWrite, sharing: .shared, backing: .mixed(ReadOnlyNumber(device)))
        try space.insertSpecial(device.firstPFN, at: 0x5000)
        let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) {
          let seen = try space.load(at: 0x5000, as: UInt8.self)
          freezer.expect(seen == 1, "a load found \(seen), which was stored after the operation had returned")
        }
        #expect(loader.waitUntilFrozen())
        return (space, device, loader)
      }

      @Test(arguments: Engines.all, [Ending.protectNone, .remapAway])
      func aPageThatLivesOnIsWaitedFor(engine: PinEngine, ending: Ending) throws {
        // Private memory that no other thread holds: what is stored after the operation goes into the same frame.
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          try space.store(UInt8(1), at: 0x5000)
          let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) {
            let seen = try space.load(at: 0x5000, as: UInt8.self)
            freezer.expect(seen == 1, "a load found \(seen), which was stored after the operation had returned")
          }
          #expect(loader.waitUntilFrozen())
          let changer = freezer.start("\(ending)") {
            if ending == .remapAway {
              try space.remap(at: 0x5000, pages: 1, to: 0x9000, newPages: 1)
              try space.store(UInt8(9), at: 0x9000)
            } else {
              try space.protect(at: 0x5000, pages: 1, .none)
              let pin = try space.pin(at: 0x5000, [.write, .force])
              pin.deviceBytes.store(UInt8(9))
              pin.release(dirty: true)
            }
          }
          #expect(!changer.mayFinish(), "\(ending) returned while a load was in flight")
          loader.thaw()
          try loader.join()
          try changer.join()
          space.exit()
        }
      }

      @Test(arguments: Engines.all, [Ending.unmap, .dontNeed, .mapOver])
      func privateMemoryThatNoOtherThreadSeesIsNotWaitedFor(engine: PinEngine, ending: Ending) throws {
        try play { freezer, machine in
          let stage = try PrivateStage(machine, engine: engine)
          let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) {
            let seen = try stage.space.load(at: stage.page, as: UInt8.self)
            freezer.expect(seen == 1, "a load found \(seen)")
          }
          #expect(loader.waitUntilFrozen())
          let changer = freezer.start("\(ending)") {
            switch ending {
            case .unmap: try stage.space.unmap(at: stage.page, pages: 1)
            case .dontNeed: try stage.space.advise(at: stage.page, pages: 1, .dontNeed)
            default: try stage.space.map(at: stage.page, pages: 1, protection: .readWrite)
            }
          }
          // It would wait for ever: the load is frozen until the operation has returned.
          let returned = (0..<400).contains { _ in changer.mayFinish() }
          #expect(returned, "\(ending) waits for a load that can see nothing new")
          loader.thaw()
          try loader.join()
          try changer.join()
          stage.space.exit()
        }
      }

      private struct PrivateStage {
        let space: AddressSpace
        let page: VirtualAddress = 0x5000

        init(_ machine: Machine, engine: PinEngine) throws {
          space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: page, pages: 1, protection: .readWrite)
          try space.store(UInt8(1), at: page)
        }
      }

      @Test func aMigrationWaitsForLoadsOfThePage() throws {
        try play { freezer, machine in
          let image = try Image(machine.memory, pages: 1) { _ in 1 }
          let space = AddressSpace(machine.memory)
          try space.map(at: 0x5000, pages: 1, protection: .read, backing: .mixed(image))
          #expect(try space.load(at: 0x5000, as: UInt8.self) == 1)
          let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) {
            _ = try space.load(at: 0x5000, as: UInt8.self)
          }
          #expect(loader.waitUntilFrozen())
          let mover = freezer.start("migrate") { try image.migrateToCache(page: 0) }
          while space.entry(at: 0x5000).kind != .none {}
          // Its entry is empty, and the migration has not waited yet.
          let unmapper = freezer.start("unmap") { try space.unmap(at: 0x5000, pages: 1) }
          #expect(!mover.mayFinish() && !unmapper.mayFinish(), "a load was in flight")
          loader.thaw()
          for thread in [loader, mover, unmapper] { try thread.join() }
        }
      }
    }
  }

  extension AddressSpace {
    /// Installs a frame number as a backing without descriptors would have it.
    fileprivate func insertSpecial(_ pfn: PFN, at address: VirtualAddress) throws {
      var spare = SpareNodes(memory)
      mmapLock.writing { makeEntry(for: address, using: &spare, $0).store(PTE(mapping: pfn).asSpecial) }
    }
  }
#endif
