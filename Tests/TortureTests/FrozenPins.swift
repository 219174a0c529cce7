#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  /// Runs a play in which threads are frozen at yield points. Afterwards the machine must be as it was.
  func play(
    frames: Int = 64, movable: Int = 0, swapPages: Int = 0, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (Freezer, Machine) throws -> Void
  ) throws {
    let machine = try Machine(frames: frames, movable: movable, swapPages: swapPages)
    let freezer = Freezer()
    defer { freezer.remove() }
    try body(freezer, machine)
    #expect(freezer.failures == [], sourceLocation: sourceLocation)
    #expect(machine.leaks() == [], sourceLocation: sourceLocation)
  }

  /// The places on the fast path at which a pin can be overtaken.
  private let places: [YieldPoint] = [.pinBetweenEntryAndReference, .pinBetweenReferenceAndSecondLook]

  extension TortureTests {
    /// Pins that are frozen on the fast path while a writer does its worst.
    @Suite struct FrozenPins {
      @Test(arguments: places, Engines.lookTwice)
      func unmap(place: YieldPoint, engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let fast = freezer.start("fast pin", freezeAt: place) {
            freezer.expect(.tryAgain) { () throws(PageError) in
              try space.pin(at: 0x5000, [.write, .fastOnly]).release()
            }
          }
          #expect(fast.waitUntilFrozen())
          let slow = freezer.start("pin", freezeAt: place) {
            freezer.expect(.badAddress) { () throws(PageError) in try space.pin(at: 0x5000, .write).release() }
          }
          #expect(slow.waitUntilFrozen())
          let unmapper = freezer.start("unmap") { try space.unmap(at: 0x5000, pages: 1) }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          fast.thaw()
          slow.thaw()
          try fast.join()
          try slow.join()
          try unmapper.join()
        }
      }

      @Test(arguments: places, Engines.lookTwice)
      func frameStaysWhileAWalkerMayReferToIt(place: YieldPoint, engine: PinEngine) throws {
        // Four frames: the page's own and three free ones. A caller that wants four must wait for the frozen reader.
        try play(frames: 4) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let other = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          try other.map(at: 0x5000, pages: 4, protection: .readWrite)
          try space.store(UInt64(7), at: 0x5000)
          let reader = freezer.start("pin", freezeAt: place) {
            freezer.expect(.tryAgain) { () throws(PageError) in
              try space.pin(at: 0x5000, [.write, .fastOnly]).release()
            }
          }
          #expect(reader.waitUntilFrozen())
          let unmapper = freezer.start("unmap") { try space.unmap(at: 0x5000, pages: 1) }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          let stored = Board(1)
          let taker = freezer.start("take all frames") {
            for page in 0..<4 {
              // The unmapped frame may not even be among the deferred frees yet.
              while try !tolerating(
                .outOfMemory,
                body: { () throws(PageError) in
                  try other.store(UInt64(page + 1), at: 0x5000 + page * Page.size)
                })
              {}
              stored[0] = UInt64(page + 1)
            }
          }
          #expect(!taker.mayFinish() && stored[0] < 4, "the frame was given away under a reader")
          reader.thaw()
          try reader.join()
          try unmapper.join()
          try taker.join()
          for page in 0..<4 {
            #expect(try other.load(at: 0x5000 + page * Page.size, as: UInt64.self) == UInt64(page + 1))
          }
        }
      }

      @Test(arguments: places, Engines.lookTwice)
      func replacement(place: YieldPoint, engine: PinEngine) throws {
        // The page is replaced by another: the pin must be of the new one, as the program is from now on.
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let reader = freezer.start("pin", freezeAt: place) {
            let pin = try space.pin(at: 0x5000, .write)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) != 7, "the pin is of the page that is gone")
            pin.deviceBytes.store(UInt64(9), toByteOffset: 8)
            freezer.expect(try space.load(at: 0x5008, as: UInt64.self) == 9, "the program sees something else")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let mapper = freezer.start("map over") {
            try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          }
          #expect(mapper.waitUntilPast(.unmapBetweenClearAndFree))
          reader.thaw()
          try reader.join()
          try mapper.join()
        }
      }

      @Test(arguments: places, Engines.lookTwice)
      func copyOnWrite(place: YieldPoint, engine: PinEngine) throws {
        // A get of a page that is shared with a child. The program stores, and so moves to a copy. The get must follow.
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let child = try space.fork()
          let reader = freezer.start("get", freezeAt: place) {
            let pin = try space.pin(at: 0x5000, .get)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 8, "the pin shows something else")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          try space.store(UInt64(8), at: 0x5000)
          reader.thaw()
          try reader.join()
          #expect(try child.load(at: 0x5000, as: UInt64.self) == 7)
        }
      }

      @Test(arguments: places, Engines.lookTwice)
      func fork(place: YieldPoint, engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let children = Children()
          let forked = Board(1)
          let reader = freezer.start("pin", freezeAt: place) {
            let pin = try space.pin(at: 0x5000, .write)
            pin.deviceBytes.store(UInt64(8))
            freezer.expect(try space.load(at: 0x5000, as: UInt64.self) == 8, "the parent lost its pinned page")
            // And so it stays when the program stores, now that the child exists.
            while forked[0] == 0 {}
            try space.store(UInt64(9), at: 0x5000)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 9, "the pin lost the parent")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let forker = freezer.start("fork") {
            children.add(try space.fork())
            forked[0] = 1
          }
          #expect(forker.waitUntilPast(.forkBetweenProtectAndCopy))
          reader.thaw()
          try forker.join()
          try reader.join()
          children.forEach { child in
            #expect(throws: Never.self) {
              let seen = try child.load(at: 0x5000, as: UInt64.self)
              #expect(seen == 7, "the child sees the device's store of \(seen)")
            }
          }
          children.removeAll()
        }
      }

      @Test(arguments: Engines.lockless)
      func fault(engine: PinEngine) throws {
        // The entry is locked until the frame is a whole page of the space.
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let faulter = freezer.start("store", freezeAt: .faultBetweenBeginAndStore) {
            try space.store(UInt64(7), at: 0x5000)
          }
          #expect(faulter.waitUntilFrozen())
          #expect(throws: PageError.tryAgain) { try space.pin(at: 0x5000, [.write, .fastOnly]).release() }
          faulter.thaw()
          try faulter.join()
          try space.pin(at: 0x5000, [.write, .fastOnly]).release()
        }
      }

      @Test(arguments: places, Engines.lookTwice)
      func protect(place: YieldPoint, engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let reader = freezer.start("pin", freezeAt: place) {
            freezer.expect(.badAddress) { () throws(PageError) in try space.pin(at: 0x5000, .write).release() }
          }
          #expect(reader.waitUntilFrozen())
          let protector = freezer.start("protect") { try space.protect(at: 0x5000, pages: 1, .read) }
          while space.entry(at: 0x5000).protection.contains(.write) {}
          reader.thaw()
          try reader.join()
          try protector.join()
        }
      }

      @Test(arguments: places, Engines.lookTwice)
      func nodesStayWhileAWalkerMayBeInThem(place: YieldPoint, engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let address: VirtualAddress = 0x20_0000_0000
          try space.map(at: address, pages: 1, protection: .readWrite)
          try space.store(UInt64(7), at: address)
          let nodes = machine.memory.census().tableNodes
          let reader = freezer.start("pin", freezeAt: place) {
            freezer.expect(.tryAgain) { () throws(PageError) in
              try space.pin(at: address, [.write, .fastOnly]).release()
            }
          }
          #expect(reader.waitUntilFrozen())
          let unmapper = freezer.start("unmap and flush") {
            try space.unmap(at: address, pages: 1)
            machine.memory.flushDeferredFrees()
          }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          _ = unmapper.mayFinish()
          #expect(machine.memory.census().tableNodes == nodes, "a node was freed under a reader")
          reader.thaw()
          try reader.join()
          try unmapper.join()
          #expect(machine.memory.census().tableNodes < nodes)
        }
      }
    }
  }
#endif
