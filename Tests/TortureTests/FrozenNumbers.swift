#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  /// A backing that shows one frame by number, whatever the frame is used for.
  private final class Number: Backing {
    let pageCount = 1
    let pfn: PFN
    init(_ pfn: PFN) { self.pfn = pfn }
    func fault(page: Int, write: Bool) -> FaultAnswer { .frameNumber(pfn, writable: true) }
  }

  /// A way to map a frame by its number.
  enum MappingByNumber: CaseIterable {
    case insertPage, insertMixed, readFault, copyingFault

    /// Maps `pfn` at 0x9000.
    func map(_ pfn: PFN, in space: AddressSpace) throws(PageError) {
      try space.map(at: 0x9000, pages: 1, protection: .readWrite, backing: .mixed(Number(pfn)))
      switch self {
      case .insertPage: try space.insertPage(pfn, at: 0x9000)
      case .insertMixed: try space.insertMixed(pfn, at: 0x9000)
      case .readFault: _ = try space.load(at: 0x9000, as: UInt8.self)
      case .copyingFault: try space.store(UInt8(1), at: 0x9000)
      }
    }

    /// How it fails if the frame is free, or a program's private memory.
    var refusal: PageError {
      switch self {
      case .insertPage, .insertMixed: .invalidArgument
      case .readFault, .copyingFault: .busError
      }
    }
  }

  extension TortureTests {
    /// Mappings by number of frames that become another program's memory at that moment.
    @Suite struct FrozenNumbers {
      @Test(arguments: [MappingByNumber.insertPage, .insertMixed, .readFault], [false, true])
      func aFrameCannotBeNamedBeforeItIsInstalled(way: MappingByNumber, isHuge: Bool) throws {
        // A fault has all the memory there is and has not installed it. It will discard the memory, because its mapping
        // goes away.
        try play(frames: isHuge ? Page.pagesPerHuge : 1) { freezer, machine in
          let space = AddressSpace(machine.memory)
          let other = AddressSpace(machine.memory)
          let address: VirtualAddress = 0x4000_0000
          try space.map(at: address, pages: Page.pagesPerHuge, protection: .readWrite, hugePages: isHuge)
          let pfn = machine.memory.allocator.first + (isHuge ? 5 : 0)
          let namer = freezer.start("map by number", freezeAt: .numberBetweenLookAndReference) {
            freezer.expect(way.refusal) { () throws(PageError) in try way.map(pfn, in: other) }
          }
          #expect(namer.waitUntilFrozen())
          let faulter = freezer.start("store", freezeAt: .faultBeforeInstall) {
            freezer.expect(.segmentationViolation) { () throws(PageError) in try space.store(UInt8(1), at: address) }
          }
          #expect(faulter.waitUntilFrozen())
          namer.thaw(until: .numberBetweenReferenceAndSecondLook)
          let wasRetained = namer.waitUntilFrozen()
          #expect(!wasRetained, "a frame that no entry maps was retained by its number")
          // Discarding it under the other thread would end the test run.
          if wasRetained { namer.thaw() }
          try space.unmap(at: address, pages: Page.pagesPerHuge)
          faulter.thaw()
          try faulter.join()
          try namer.join()
          #expect(other.entry(at: 0x9000).kind == .none)
        }
      }

      @Test(arguments: [false, true])
      func aDevicesDescriptorsOutliveALook(isCensus: Bool) throws {
        try play { freezer, machine in
          let device = Locked<DeviceRange?>(try DeviceRange(machine.memory, pages: 1))
          let pfn = device.withLock { $0!.firstPFN }
          let looker = freezer.start("look", freezeAt: .informationBetweenNumberAndDescriptor) {
            if isCensus { _ = machine.memory.census() } else { _ = machine.memory.frameInformation(of: pfn) }
          }
          #expect(looker.waitUntilFrozen())
          let ender = freezer.start("end") {
            let last = device.withLock { device -> DeviceRange? in
              defer { device = nil }
              return device
            }
            _ = consume last
          }
          #expect(!ender.mayFinish(), "the descriptors went under a look")
          looker.thaw()
          try looker.join()
          try ender.join()
          #expect(machine.memory.frameInformation(of: pfn) == nil)
        }
      }

      @Test(arguments: [MappingByNumber.insertPage, .insertMixed, .readFault])
      func aFrameThatASwapInReadsIntoCannotBeNamed(way: MappingByNumber) throws {
        try play(frames: 1, swapPages: 1) { freezer, machine in
          let space = AddressSpace(machine.memory)
          let other = AddressSpace(machine.memory)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          try space.store(UInt64(7), at: 0x5000)
          try space.advise(at: 0x5000, pages: 1, .pageOut)
          machine.memory.flushDeferredFrees()
          // The machine's only frame.
          let pfn = machine.memory.allocator.first
          let namer = freezer.start("map by number", freezeAt: .numberBetweenLookAndReference) {
            freezer.expect(way.refusal) { () throws(PageError) in try way.map(pfn, in: other) }
          }
          // It looks while the frame is free, and does not come further where the descriptor says what the frame was.
          let hasLooked = namer.waitUntilFrozen()
          let reader = freezer.start("load", freezeAt: .swapInBetweenReadAndMap) {
            freezer.expect(try space.load(at: 0x5000, as: UInt64.self) == 7, "another page")
          }
          #expect(reader.waitUntilFrozen())
          if hasLooked {
            namer.thaw(until: .numberBetweenReferenceAndSecondLook)
            #expect(!namer.waitUntilFrozen(), "a frame that no entry maps was retained by its number")
            namer.thaw()
          }
          reader.thaw()
          try reader.join()
          try namer.join()
          #expect(hasLooked)
          #expect(other.entry(at: 0x9000).kind == .none)
          space.exit()
        }
      }

      /// A page-out that has not looked at references yet does not refuse another, and the page stays.
      @Test(arguments: [MappingByNumber.insertPage, .insertMixed, .readFault])
      func aPageOutCountsANumber(way: MappingByNumber) throws {
        try play(swapPages: 16) { freezer, machine in
          let file = try PageCacheFile(machine.memory, pages: 1, fill: 7)
          let owner = AddressSpace(machine.memory)
          let other = AddressSpace(machine.memory)
          try owner.map(at: 0x5000, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
          let pin = try owner.pin(at: 0x5000)
          let pfn = pin.pfn
          pin.release()
          let out = freezer.start("page out", freezeAt: .pageOutBetweenGraceAndLook) {
            try owner.advise(at: 0x5000, pages: 1, .pageOut)
          }
          #expect(out.waitUntilFrozen())
          try way.map(pfn, in: other)
          out.thaw()
          try out.join()
          machine.memory.flushDeferredFrees()
          #expect(file.cachedPages == 1, "a page went out that a mapping shows by number")
          try owner.store(UInt8(8), at: 0x5000)
          #expect(try other.load(at: 0x9000, as: UInt8.self) == 8, "one page has two frames")
        }
      }

      @Test(arguments: MappingByNumber.allCases)
      func aFrameThatBecamePrivateMemoryIsRefused(way: MappingByNumber) throws {
        // The frame is a file's when it is looked at, and has become another program's when it is retained.
        try play(frames: 2) { freezer, machine in
          let file = try PageCacheFile(machine.memory, pages: 1, fill: 7)
          let owner = AddressSpace(machine.memory)
          let other = AddressSpace(machine.memory)
          try owner.map(at: 0x5000, pages: 1, protection: .readWrite)
          try owner.map(at: 0x6000, pages: 1, protection: .read, sharing: .shared, backing: .file(file))
          // The pin is the last to hold the frame, and frees it at once.
          let pin = try owner.pin(at: 0x6000)
          try owner.unmap(at: 0x6000, pages: 1)
          file.drop()
          machine.memory.flushDeferredFrees()
          let pfn = pin.pfn
          let namer = freezer.start("map by number", freezeAt: .numberBetweenLookAndReference) {
            freezer.expect(way.refusal) { () throws(PageError) in try way.map(pfn, in: other) }
          }
          #expect(namer.waitUntilFrozen())
          pin.release()
          try owner.store(UInt8(8), at: 0x5000)
          try #require(RCU.read { owner.table.ptep(for: 0x5000, $0)?.load().pfn } == pfn)
          namer.thaw()
          try namer.join()
          #expect(other.entry(at: 0x9000).kind == .none)
          #expect(try owner.load(at: 0x5000, as: UInt8.self) == 8)
        }
      }
    }
  }
#endif
