#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Fast pins of the zero page that are frozen while another mapping takes the address.
    ///
    /// A mapping by number that shows the same number makes the same entry, and no pin may have it.
    @Suite struct FrozenZeroPins {
      /// The pin has found the private mapping. One by number takes its place, and its entry is the same word.
      @Test(arguments: Engines.lockless)
      func aMappingThatWasReplacedHasNoSay(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .read)
          #expect(try space.load(at: 0x5000, as: UInt8.self) == 0)
          // A neighbour keeps the table node, so that the pins look at the new mapping's entry.
          try space.map(at: 0x8000, pages: 1, protection: .read)
          #expect(try space.load(at: 0x8000, as: UInt8.self) == 0)
          let (single, range) = (Board(1), Board(1))
          let pinner = freezer.start("pin", freezeAt: .zeroPinBetweenMappingAndSecondLook) {
            freezer.expect(.tryAgain) { () throws(PageError) in try space.pin(at: 0x5000, .fastOnly).release() }
            single[0] = 1
          }
          let ranger = freezer.start("range pin", freezeAt: .zeroPinBetweenMappingAndSecondLook) {
            let pins = try space.pin(at: 0x5000, pages: 1, .fastOnly)
            freezer.expect(pins.count == 0, "the range has a page of a mapping by number")
            pins.release()
            range[0] = 1
          }
          #expect(pinner.waitUntilFrozen() && ranger.waitUntilFrozen())
          try space.unmap(at: 0x5000, pages: 1)
          let numbers = ZeroNumbers(machine.memory)
          try space.map(
            at: 0x5000, pages: 1, protection: .read, sharing: .shared, backing: .pfn(numbers, isIO: false))
          #expect(try space.load(at: 0x5000, as: UInt8.self) == 0)
          pinner.thaw()
          ranger.thaw()
          try pinner.join()
          try ranger.join()
          #expect(single[0] == 1 && range[0] == 1)
          #expect(throws: PageError.badAddress) { try space.pin(at: 0x5000).release() }
          space.exit()
        }
      }

      /// The pin has read the entry of a mapping by number. A file's takes its place, and its page is not there yet.
      @Test(arguments: Engines.lockless)
      func anEntryOfAnEarlierMappingIsNotHeld(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let file = try PageCacheFile(machine.memory, pages: 1, fill: 3)
          let numbers = ZeroNumbers(machine.memory)
          try space.map(
            at: 0x5000, pages: 1, protection: .read, sharing: .shared, backing: .pfn(numbers, isIO: false))
          #expect(try space.load(at: 0x5000, as: UInt8.self) == 0)
          let pinner = freezer.start("pin", freezeAt: .zeroPinBetweenEntryAndMapping) {
            let pin = try space.pin(at: 0x5000)
            freezer.expect(pin.deviceBytes.load(as: UInt8.self) == 3, "the pin shows a page that was never pinnable")
            pin.release()
          }
          #expect(pinner.waitUntilFrozen())
          let mapper = freezer.start("map over") {
            try space.map(at: 0x5000, pages: 1, protection: .read, backing: .file(file))
          }
          // The mapping is there, and its caller waits for the pin's section.
          while !space.entry(at: 0x5000).description.hasPrefix("none") {}
          #expect(!mapper.mayFinish())
          pinner.thaw()
          try pinner.join()
          try mapper.join()
          space.exit()
          file.drop()
        }
      }

      /// The pin has found the mapping, and a store gives the program a page of its own: the pin gets that page.
      @Test(arguments: Engines.lockless)
      func aStoreMeanwhile(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          #expect(try space.load(at: 0x5000, as: UInt8.self) == 0)
          let pinner = freezer.start("pin", freezeAt: .zeroPinBetweenMappingAndSecondLook) {
            let pin = try space.pin(at: 0x5000)
            freezer.expect(pin.deviceBytes.load(as: UInt8.self) == 7, "the pin is of the page that is gone")
            pin.release()
          }
          #expect(pinner.waitUntilFrozen())
          try space.store(UInt8(7), at: 0x5000)
          pinner.thaw()
          try pinner.join()
          space.exit()
        }
      }
    }
  }

  /// A device: its every page is the number of the zero page.
  private final class ZeroNumbers: Backing {
    private let memory: PhysicalMemory
    init(_ memory: PhysicalMemory) { self.memory = memory }
    var pageCount: Int { 1 }
    func fault(page: Int, write: Bool) -> FaultAnswer { .frameNumber(memory.zeroPage, writable: false) }
  }
#endif
