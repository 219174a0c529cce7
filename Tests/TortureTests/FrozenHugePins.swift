#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  /// The places on the fast path at which a pin can be overtaken.
  private let places: [YieldPoint] = [.pinBetweenEntryAndReference, .pinBetweenReferenceAndSecondLook]

  /// A space with 2 MiB. Their page 3 begins with 7.
  func spaceWith2MiB(_ machine: Machine, engine: PinEngine) throws -> AddressSpace {
    let space = AddressSpace(machine.memory, engine: engine)
    try space.map(at: HugeRegion.start, pages: 512, protection: .readWrite, hugePages: true)
    try space.store(UInt64(7), at: pageOf2MiB)
    return space
  }

  let pageOf2MiB = HugeRegion.start + 3 * Page.size

  extension TortureTests {
    /// Pins of 2 MiB that are frozen on the fast path while the entry is taken away, split, collapsed or inherited.
    @Suite struct FrozenHugePins {
      @Test(arguments: places, Engines.lookTwice)
      func unmap(place: YieldPoint, engine: PinEngine) throws {
        try play(frames: 1024) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          let fast = freezer.start("fast pin", freezeAt: place) {
            freezer.expect(.tryAgain) { () throws(PageError) in
              try space.pin(at: pageOf2MiB, [.write, .fastOnly]).release()
            }
          }
          #expect(fast.waitUntilFrozen())
          let range = freezer.start("range", freezeAt: place) {
            let pins = try space.pin(at: HugeRegion.start, pages: 512, [.write, .fastOnly])
            freezer.expect(pins.count == 0, "a range was pinned behind an entry that is gone")
          }
          #expect(range.waitUntilFrozen())
          let unmapper = freezer.start("unmap") { try space.unmap(at: HugeRegion.start, pages: 512) }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          fast.thaw()
          range.thaw()
          try fast.join()
          try range.join()
          try unmapper.join()
        }
      }

      @Test(arguments: places, Engines.lookTwice)
      func split(place: YieldPoint, engine: PinEngine) throws {
        try play(frames: 1024) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          let fast = freezer.start("fast pin", freezeAt: place) {
            freezer.expect(.tryAgain) { () throws(PageError) in
              try space.pin(at: pageOf2MiB, [.write, .fastOnly]).release()
            }
          }
          let slow = freezer.start("pin", freezeAt: place) {
            let pin = try space.pin(at: pageOf2MiB, .write)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 7, "the pin holds another page")
            pin.release()
          }
          #expect(fast.waitUntilFrozen() && slow.waitUntilFrozen())
          // Nothing is allowed less, so the operation waits for no section.
          try space.advise(at: HugeRegion.bystander, pages: 1, .dontFork)
          #expect(space.entry(at: pageOf2MiB).kind == .normal)
          fast.thaw()
          slow.thaw()
          try fast.join()
          try slow.join()
          #expect(space.frameInformation(at: pageOf2MiB)?.referenceCount == 512)
        }
      }

      @Test(arguments: places, Engines.lockless)
      func collapse(place: YieldPoint, engine: PinEngine) throws {
        if engine == .slot, place == .pinBetweenReferenceAndSecondLook { return }
        try holdThrough(place, engine: engine, passing: .collapseBetweenUnlinkAndLook) { space, freezer in
          freezer.expect(.tryAgain) { () throws(PageError) in
            try space.advise(at: HugeRegion.start, pages: 512, .collapse)
          }
        }
      }

      @Test(arguments: places, Engines.lockless)
      func breakUp(place: YieldPoint, engine: PinEngine) throws {
        if engine == .slot, place == .pinBetweenReferenceAndSecondLook { return }
        // A reference that is there already keeps the frame whole without further ado.
        let isSeen = place == .pinBetweenReferenceAndSecondLook
        try holdThrough(
          place, engine: engine, passing: isSeen ? nil : .breakUpBetweenTakeAndLook, mayHold: engine == .slot
        ) { space, freezer in
          let broken = space.breakUpHugeFrames(in: HugeRegion.start..<HugeRegion.start + Page.hugeSize)
          freezer.expect(engine == .reference || !broken, "a frame was broken up under a pin")
        }
      }

      /// A pin of a page in parts of 2 MiB is frozen. `work` must wait for it, or see it, and the pin must hold.
      private func holdThrough(
        _ place: YieldPoint, engine: PinEngine, passing point: YieldPoint?, mayHold: Bool = true,
        _ work: @escaping @Sendable (AddressSpace, Freezer) -> Void
      ) throws {
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          try space.advise(at: HugeRegion.bystander, pages: 1, .dontNeed)
          // Otherwise the operation would wait for a grace period before it begins.
          machine.memory.flushDeferredFrees()
          try space.store(UInt64(1), at: HugeRegion.bystander)
          let flags = Board(1)
          let reader = freezer.start("pin", freezeAt: place) {
            guard let pin = try space.pin(at: pageOf2MiB, [.write, .fastOnly], orGiveUpOn: mayHold ? [] : [.tryAgain])
            else { return }
            while flags[0] == 0 {}
            pin.deviceBytes.store(UInt64(8))
            freezer.expect(try space.load(at: pageOf2MiB, as: UInt64.self) == 8, "the program left the pinned page")
            try space.store(UInt64(9), at: pageOf2MiB)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 9, "the pinned page left the program")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let worker = freezer.start("work") {
            work(space, freezer)
            flags[0] = 1
          }
          if let point {
            #expect(worker.waitUntilPast(point))
            #expect(!worker.mayFinish(), "the operation did not wait for a pin that cannot be seen yet")
          } else {
            try worker.join()
          }
          reader.thaw()
          try worker.join()
          try reader.join()
        }
      }

      @Test(arguments: Engines.lockless)
      func fork(engine: PinEngine) throws {
        try play(frames: 2048) { freezer, machine in
          let space = try spaceWith2MiB(machine, engine: engine)
          let children = Children()
          let flags = Board(1)
          let reader = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            let pin = try space.pin(at: pageOf2MiB, .write)
            while flags[0] == 0 {}
            pin.deviceBytes.store(UInt64(8))
            freezer.expect(try space.load(at: pageOf2MiB, as: UInt64.self) == 8, "the pinned page left the parent")
            try space.store(UInt64(9), at: pageOf2MiB)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 9, "the parent left the pinned page")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let forker = freezer.start("fork") {
            children.add(try space.fork())
            flags[0] = 1
          }
          #expect(forker.waitUntilPast(.forkBetweenProtectAndCopy))
          #expect(!forker.mayFinish(), "fork did not wait for a pin that it cannot see yet")
          reader.thaw()
          try forker.join()
          try reader.join()
          children.forEach { child in
            let seen = try? child.load(at: pageOf2MiB, as: UInt64.self)
            #expect(seen == 7, "the child sees \(String(describing: seen))")
          }
          children.removeAll()
        }
      }
    }
  }
#endif
