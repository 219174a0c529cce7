#if DEBUG
  import Synchronization
  import TestSupport
  import Testing

  @testable import UserPages

  /// An operation after which the page at `Stage.page` is not mapped there any more, or may not be loaded.
  enum Ending: CaseIterable {
    case unmap, protectNone, mapOver, dontNeed, remapAway, remapOver, remapShrink, remapShrinkAway, exit

    func run(on space: AddressSpace, _ stage: Stage) throws {
      let length = stage.pages * Page.size
      switch self {
      case .unmap: try space.unmap(at: stage.page, pages: stage.pages)
      case .protectNone: try space.protect(at: stage.page, pages: stage.pages, .none)
      case .mapOver: try space.map(at: stage.page, pages: stage.pages, protection: .read)
      case .dontNeed: try space.advise(at: stage.page, pages: stage.pages, .dontNeed)
      case .remapAway:
        try space.remap(at: stage.page, pages: stage.pages, to: stage.elsewhere, newPages: stage.pages)
      case .remapOver:
        try space.map(at: stage.elsewhere, pages: stage.pages, protection: .read)
        try space.remap(at: stage.elsewhere, pages: stage.pages, to: stage.page, newPages: stage.pages)
      case .remapShrink:
        let start = stage.page + -length
        try space.remap(at: start, pages: 2 * stage.pages, to: start, newPages: stage.pages)
      case .remapShrinkAway:
        let start = stage.page + -length
        try space.remap(at: start, pages: 2 * stage.pages, to: stage.elsewhere, newPages: stage.pages)
      case .exit: space.exit()
      }
    }
  }

  /// What the page shows, and how its owner changes it afterwards.
  enum Contents: CaseIterable {
    case sharedFile, privateFile, copiedPrivateFile, number, pinnedAnonymous, hugeSharedFile, hugeNumber
  }

  /// A space with two units of pages mapped alike, of which the second is looked at; the first byte of it is 1.
  final class Stage: Sendable {
    let space: AddressSpace
    /// Pages of a unit: 1 or 512.
    let pages: Int
    /// Where the second unit begins.
    let page: VirtualAddress
    /// Where nothing is mapped.
    let elsewhere: VirtualAddress
    /// Stores 9 to the first byte that was shown, by way of its owner.
    let overwrite: @Sendable () throws -> Void
    private let contents: Contents
    private let file: PageCacheFile
    private let pin: Locked<[PinHolder]>

    private final class PinHolder: Sendable {
      let pin: PinnedPage
      init(_ pin: consuming PinnedPage) { self.pin = pin }
    }

    init(_ contents: Contents, _ machine: Machine, engine: PinEngine) throws {
      self.contents = contents
      let isHuge = contents == .hugeSharedFile || contents == .hugeNumber
      pages = isHuge ? Page.pagesPerHuge : 1
      let length = pages * Page.size
      let start: VirtualAddress = isHuge ? 0x4000_0000 : 0x4000
      page = start + length
      elsewhere = start + 64 * length
      let offset = length
      space = AddressSpace(machine.memory, engine: engine)
      let file = try PageCacheFile(machine.memory, pages: 2 * pages, fill: 1)
      self.file = file
      var pins: [PinHolder] = []
      switch contents {
      case .sharedFile, .hugeSharedFile:
        try space.map(at: start, pages: 2 * pages, protection: .read, sharing: .shared, backing: .file(file), hugePages: isHuge)
        overwrite = { try file.write([9], at: offset) }
      case .privateFile:
        try space.map(at: start, pages: 2, protection: .read, backing: .file(file))
        overwrite = { try file.write([9], at: offset) }
      case .copiedPrivateFile:
        try space.map(at: start, pages: 2, protection: .readWrite, backing: .file(file))
        overwrite = { try file.write([9], at: offset) }
      case .number, .hugeNumber:
        let device = try DeviceRange(machine.memory, pages: 2 * pages)
        device.bytes(ofPage: pages).store(UInt8(1))
        try space.map(
          at: start, pages: 2 * pages, protection: .read, sharing: .shared, backing: .pfnDevice(device), hugePages: isHuge)
        let page = pages
        overwrite = { device.bytes(ofPage: page).store(UInt8(9)) }
      case .pinnedAnonymous:
        try space.map(at: start, pages: 2, protection: .readWrite)
        try space.store(UInt8(1), at: page)
        let pin = PinHolder(try space.pin(at: page, .write))
        try space.protect(at: page, pages: 1, .read)
        let bytes = pin.pin.deviceBytes
        overwrite = { bytes.store(UInt8(9)) }
        pins.append(pin)
      }
      pin = Locked(pins)
      #expect(try space.load(at: page, as: UInt8.self) == 1)
      #expect(space.entry(at: page).protection == .read)
    }

    /// A thread that has read the page's entry and not its bytes yet; it must find what was there at that time.
    func startLoad(_ freezer: Freezer) throws -> StagedThread {
      let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) { [space, page] in
        let seen = try space.load(at: page, as: UInt8.self)
        freezer.expect(seen == 1, "a load found \(seen), which was stored after the operation had returned")
      }
      #expect(loader.waitUntilFrozen())
      // The entry that the load has read gives way to a copy's.
      if contents == .copiedPrivateFile { try space.store(UInt8(2), at: page + 1) }
      return loader
    }

    func end() {
      space.exit()
      pin.withLock { $0 = [] }
      file.drop()
    }
  }

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
        if ending == .dontNeed, contents == .number || contents == .hugeNumber { return }
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
        (.protectNone, .unmap), (.remapAway, .mapOver), (.unmap, .unmap),
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
        try play { freezer, machine in
          let stage = try Stage(.sharedFile, machine, engine: .reference)
          let loader = try stage.startLoad(freezer)
          // It has emptied the entry, and has not looked whether loads of it count.
          let first = freezer.start("dontneed", freezeAt: .unmapBetweenClearAndFree) {
            try Ending.dontNeed.run(on: stage.space, stage)
          }
          #expect(first.waitUntilFrozen())
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

      @Test(arguments: Engines.all)
      func anEntryThatAFaultEmptiedIsWaitedFor(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let device = try DeviceRange(machine.memory, pages: 1)
          device.bytes(ofPage: 0).store(UInt8(1))
          try space.map(
            at: 0x5000, pages: 1, protection: .readWrite, sharing: .shared, backing: .mixed(ReadOnlyNumber(device)))
          try space.insertSpecial(device.firstPFN, at: 0x5000)
          let loader = freezer.start("load", freezeAt: .accessBetweenEntryAndBytes) {
            let seen = try space.load(at: 0x5000, as: UInt8.self)
            freezer.expect(seen == 1, "a load found \(seen), which was stored after unmap had returned")
          }
          #expect(loader.waitUntilFrozen())
          // The fault takes the entry out of the way and asks for a frame that takes stores; there is none.
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
      makeEntry(for: address, using: &spare).store(PTE(mapping: pfn).asSpecial)
    }
  }
#endif
