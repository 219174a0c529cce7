import Foundation
import Synchronization
import Testing

@testable import UserPages

/// Pages of an image that move into the page cache and back.
struct MigrationTests {
  private func withImage(
    engine: PinEngine = .reference, _ body: (PhysicalMemory, Image, AddressSpace) throws -> Void
  ) throws {
    let memory = try PhysicalMemory(ramPages: 256)
    do {
      let image = try Image(memory, pages: 8) { UInt8($0 + 1) }
      let space = AddressSpace(memory, engine: engine)
      try body(memory, image, space)
      space.exit()
    }
    // A thread that has just ended may hold its closure, and the space in it, a moment longer.
    for _ in 0..<1000 where !memory.census().isClean {
      memory.flushDeferredFrees()
      Thread.sleep(forTimeInterval: 0.001)
    }
    #expect(memory.census().isClean)
  }

  @Test func aMovedPageIsAFrameAndItsNeighbourIsNot() throws {
    try withImage { memory, image, space in
      try space.map(at: 0x10000, pages: 8, protection: .read, backing: .mixed(image))
      #expect(try space.load(at: 0x11000, count: 2) == [2, 2])
      #expect(space.entry(at: 0x11000).description == "special r")
      try image.migrateToCache(page: 1)
      #expect(space.entry(at: 0x11000).description == "none")
      #expect(try space.load(at: 0x11000, count: 2) == [2, 2])
      #expect(space.entry(at: 0x11000).description == "normal r")
      #expect(try space.load(at: 0x12000, count: 1) == [3])
      #expect(space.entry(at: 0x12000).description == "special r")
      try image.migrateToImage(page: 1)
      #expect(try space.load(at: 0x11000, count: 2) == [2, 2])
      #expect(space.entry(at: 0x11000).description == "special r")
    }
  }

  @Test func aPinnedPageDoesNotMove() throws {
    for engine in PinEngine.allCases {
      try withImage(engine: engine) { memory, image, space in
        try space.map(at: 0x10000, pages: 8, protection: .read, backing: .mixed(image))
        try image.migrateToCache(page: 0)
        _ = try space.load(at: 0x10000, count: 1)
        let pin = try space.pin(at: 0x10000)
        #expect(throws: PageError.busy) { try image.migrateToImage(page: 0) }
        #expect(pin.deviceBytes.load(as: UInt8.self) == 1)
        pin.release()
        try image.migrateToImage(page: 0)
        #expect(!image.isCached(page: 0))
      }
    }
  }

  @Test func aStoreThroughASharedMappingMovesThePageAndComesBackWithIt() throws {
    try withImage { memory, image, space in
      try space.map(at: 0x10000, pages: 8, protection: .readWrite, sharing: .shared, backing: .mixed(image))
      #expect(try space.load(at: 0x10000, count: 1) == [1])
      try space.store([9], at: 0x10000)
      #expect(space.entry(at: 0x10000).description == "normal rw dirty")
      #expect(try image.read(at: 0, count: 2) == [9, 1])
      try image.migrateToImage(page: 0)
      #expect(try space.load(at: 0x10000, count: 2) == [9, 1])
      #expect(space.entry(at: 0x10000).description == "special r")
      #expect(throws: PageError.readOnly) { try image.write([1], at: 0) }
    }
  }

  @Test func aPfnMappingHoldsThePageInPlace() throws {
    try withImage { memory, image, space in
      try space.map(at: 0x10000, pages: 8, protection: .read, backing: .pfn(image))
      #expect(try space.load(at: 0x10000, count: 1) == [1])
      #expect(throws: PageError.busy) { try image.migrateToCache(page: 0) }
      #expect(try space.load(at: 0x10000, count: 1) == [1])
    }
  }

  @Test func aPrivateCopyDoesNotMove() throws {
    for engine in PinEngine.allCases {
      try withImage(engine: engine) { memory, image, space in
        try space.map(at: 0x10000, pages: 8, protection: .readWrite, backing: .mixed(image))
        try space.store([9], at: 0x10000)
        let entry = space.entry(at: 0x10000).description
        try image.migrateToCache(page: 0)
        #expect(space.entry(at: 0x10000).description == entry)
        #expect(try space.load(at: 0x10000, count: 2) == [9, 1])
        try image.migrateToImage(page: 0)
        #expect(try space.load(at: 0x10000, count: 2) == [9, 1])
      }
    }
  }

  /// The fault is refused once and ends: a page that is mapped by number cannot move, however often it is asked to.
  @Test func aStoreToAPageThatCannotMoveIsABusError() throws {
    try withImage { memory, image, space in
      try space.map(at: 0x10000, pages: 1, protection: .read, backing: .pfn(image))
      _ = try space.load(at: 0x10000, count: 1)
      let other = AddressSpace(memory)
      defer { other.exit() }
      try other.map(at: 0x10000, pages: 8, protection: .readWrite, sharing: .shared, backing: .mixed(image))
      #expect(throws: PageError.busError) { try other.store([1], at: 0x10000) }
      try other.store([1], at: 0x11000)
    }
  }

  @Test func thePolicyMovesWhatIsHotAndBackWhatIsCold() throws {
    try withImage { memory, image, space in
      try space.map(at: 0x10000, pages: 8, protection: .read, backing: .mixed(image))
      let policy = MigrationPolicy(hotAfter: 2, coldAfter: 2)
      var moved = (toCache: 0, toImage: 0)
      for _ in 0..<3 {
        _ = try space.load(at: 0x13000, count: 1)
        let pass = image.runPolicy(policy)
        moved.toCache += pass.toCache
      }
      #expect(moved.toCache == 1)
      #expect(image.isCached(page: 3))
      for _ in 0..<4 { moved.toImage += image.runPolicy(policy).toImage }
      #expect(moved.toImage == 1)
      #expect(!image.isCached(page: 3))
      #expect(try space.load(at: 0x13000, count: 1) == [4])
    }
  }

  @Test func flushesAreCountedByFrameAndByNumber() throws {
    try withImage { memory, image, space in
      #expect(image.dataCacheCounts == DataCacheCounts(frames: 0, frameNumbers: 0))
      try space.map(at: 0x10000, pages: 8, protection: .readWrite, backing: .mixed(image))
      try space.store([7], at: 0x10000)
      #expect(image.dataCacheCounts == DataCacheCounts(frames: 1, frameNumbers: 0))
    }
  }

  /// Moves pages to and fro under loads, stores, pins, forks and copy-on-write: no access sees a wrong byte.
  @Test(arguments: PinEngine.allCases)
  func movesUnderFire(engine: PinEngine) throws {
    try withImage(engine: engine) { memory, image, space in
      try space.map(at: 0x10000, pages: 8, protection: .read, backing: .mixed(image))
      try space.map(at: 0x20000, pages: 8, protection: .readWrite, sharing: .shared, backing: .mixed(image))
      let stop = Atomic<Bool>(false)
      let wrong = Atomic<Int>(0)
      let done = DispatchGroup()
      let run = { (body: @escaping @Sendable (Int) throws -> Void) in
        done.enter()
        Thread.detachNewThread {
          var turn = 0
          while !stop.load(ordering: .relaxed) {
            do { try body(turn) } catch { wrong.wrappingAdd(1, ordering: .relaxed) }
            turn += 1
          }
          done.leave()
        }
      }
      // Pages 4...7 are never stored to: their bytes are known.
      run { turn in
        let page = 4 + turn % 4
        let value = try space.load(at: VirtualAddress(0x10000) + page * Page.size, as: UInt8.self)
        if value != UInt8(page + 1) { wrong.wrappingAdd(1, ordering: .relaxed) }
      }
      run { turn in
        let page = 4 + turn % 4
        do {
          let pin = try space.pin(at: VirtualAddress(0x10000) + page * Page.size)
          if pin.deviceBytes.load(as: UInt8.self) != UInt8(page + 1) { wrong.wrappingAdd(1, ordering: .relaxed) }
          pin.release()
        } catch PageError.badAddress {}
      }
      // A counter in page 0 that must never go backwards or lose an increment.
      run { turn in
        let old = try space.load(at: 0x20000, as: UInt64.self)
        try space.store(old &+ 1, at: 0x20000)
        if try space.load(at: 0x10000, as: UInt64.self) != old &+ 1 { wrong.wrappingAdd(1, ordering: .relaxed) }
      }
      run { turn in
        let child = try space.fork()
        let page = 4 + turn % 4
        try child.map(at: 0x40000, pages: 8, protection: .readWrite, backing: .mixed(image))
        try child.store([0xee], at: VirtualAddress(0x40000) + page * Page.size)
        if try child.load(at: VirtualAddress(0x10000) + page * Page.size, as: UInt8.self) != UInt8(page + 1) {
          wrong.wrappingAdd(1, ordering: .relaxed)
        }
        child.exit()
      }
      let end = Date().addingTimeInterval(1.5)
      var turn = 0
      while Date() < end {
        let page = turn % 8
        turn += 1
        try image.migrateToCache(page: page)
        do { try image.migrateToImage(page: page) } catch PageError.busy {}
      }
      stop.store(true, ordering: .relaxed)
      done.wait()
      #expect(wrong.load(ordering: .relaxed) == 0)
    }
  }
}
