#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  /// An operation after which the page at `Stage.page` is not mapped there any more, or may not be loaded.
  enum Ending: CaseIterable {
    case unmap, protectNone, mapOver, dontNeed, guardInstall, remapAway, remapOver, remapShrink, remapShrinkAway, exit

    func run(on space: AddressSpace, _ stage: Stage) throws {
      let length = stage.pages * Page.size
      switch self {
      case .unmap: try space.unmap(at: stage.page, pages: stage.pages)
      case .protectNone: try space.protect(at: stage.page, pages: stage.pages, .none)
      case .mapOver: try space.map(at: stage.page, pages: stage.pages, protection: .read)
      case .dontNeed: try space.advise(at: stage.page, pages: stage.pages, .dontNeed)
      case .guardInstall: try space.advise(at: stage.page, pages: stage.pages, .guardInstall)
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

  /// A space with two units of pages mapped alike, of which the second is looked at. The first byte of it is 1.
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
        try space.map(
          at: start, pages: 2 * pages, protection: .read, sharing: .shared, backing: .file(file), hugePages: isHuge)
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
          at: start, pages: 2 * pages, protection: .read, sharing: .shared, backing: .pfn(device, isIO: true),
          hugePages: isHuge)
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

    /// A thread that has read the page's entry and not its bytes yet. It must find what was there at that time.
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
#endif
