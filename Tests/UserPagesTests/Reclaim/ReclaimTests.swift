import Glibc
import TestSupport
import Testing
import UserPages

/// What reclaim takes back, in which order, and what it leaves alone.
@Suite struct ReclaimTests {
  static let anonymous: VirtualAddress = 0x10_0000
  static let file: VirtualAddress = 0x80_0000

  /// A machine with a space of touched anonymous pages and a mapped file with all pages in its cache.
  private func with(
    frames: Int = 64, swapPages: Int = 64, anonymous: Int = 8, file: Int = 8, engine: PinEngine = .reference,
    _ body: (Machine, AddressSpace, PageCache, MemoryStore) throws -> Void
  ) throws {
    let machine = try Machine(frames: frames, swapPages: swapPages)
    do {
      let store = MemoryStore(pages: file) { UInt8($0 + 1) }
      let cache = try PageCache(machine.memory, store, limit: max(file, 1), maximumPages: 1 << 10)
      let space = AddressSpace(machine.memory, engine: engine)
      if anonymous > 0 { try space.map(at: Self.anonymous, pages: anonymous, protection: .readWrite) }
      if file > 0 {
        try space.map(
          at: Self.file, pages: file, protection: .readWrite, sharing: .shared, backing: .file(cache))
      }
      for page in 0..<anonymous { try space.store(UInt64(100 + page), at: Self.anonymous + page * Page.size) }
      for page in 0..<file { _ = try space.load(at: Self.file + page * Page.size, count: 1) }
      try body(machine, space, cache, store)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  @Test(arguments: Engines.all)
  func cachesComeFirst(engine: PinEngine) throws {
    try with(engine: engine) { (machine, space, cache, _) throws in
      let memory = machine.memory
      #expect(memory.reclaim(pages: 3) == 3)
      #expect(cache.residentPages == 5)
      #expect(memory.census().swapSlots == 0, "anonymous memory went before a file's pages")
      #expect(memory.reclaim(pages: 7) == 7)
      #expect(cache.residentPages == 0)
      #expect(memory.census().swapSlots == 2)
      #expect(memory.reclaim(pages: 100) == 6)
      #expect(memory.reclaim(pages: 100) == 0)
      #expect(memory.freePages == memory.ramPages)
      for page in 0..<8 {
        #expect(try space.load(at: Self.anonymous + page * Page.size, as: UInt64.self) == UInt64(100 + page))
        #expect(try space.load(at: Self.file + page * Page.size, count: 1) == [UInt8(page + 1)])
      }
    }
  }

  @Test func noneNegativeAndTooMany() throws {
    try with { (machine, _, _, _) throws in
      #expect(machine.memory.reclaim(pages: 0) == 0)
      #expect(machine.memory.reclaim(pages: -1) == 0)
      #expect(machine.memory.reclaim(pages: .max) == 16)
    }
  }

  @Test func dirtyPagesAreWrittenFirst() throws {
    try with { (machine, space, cache, store) throws in
      for page in 0..<8 { try space.store(UInt64(7 + page), at: Self.file + page * Page.size) }
      #expect(cache.dirtyPages == 8)
      #expect(machine.memory.reclaim(pages: 8) == 8)
      for page in 0..<8 { #expect(MemoryStore.word(store.contents, at: page * Page.size) == UInt64(7 + page)) }
      #expect(machine.memory.census().swapSlots == 0)
    }
  }

  /// A store that fails keeps its page, and reclaim goes on to others.
  @Test func pagesThatCannotBeWrittenStay() throws {
    try with { (machine, space, cache, store) throws in
      try space.store(UInt64(7), at: Self.file)
      store.fail { call, _ in if case .write = call { .file(.write, errno: EIO) } else { nil } }
      #expect(machine.memory.reclaim(pages: 100) == 15)
      #expect(cache.dirtyPages == 1 && cache.isResident(page: 0))
      store.fail(nil)
      #expect(throws: PageError.file(.write, errno: EIO)) { try cache.sync() }
      #expect(machine.memory.reclaim(pages: 100) == 1)
      #expect(MemoryStore.word(store.contents, at: 0) == 7)
    }
  }

  @Test func swapIsFull() throws {
    try with(swapPages: 3, file: 0) { (machine, space, _, _) throws in
      #expect(machine.memory.reclaim(pages: 100) == 3)
      for page in 0..<8 {
        #expect(try space.load(at: Self.anonymous + page * Page.size, as: UInt64.self) == UInt64(100 + page))
      }
    }
  }

  /// Held by a reference, a slot or a get, the page stays what it is, and its entry too.
  @Test(arguments: Engines.all)
  func whatIsHeldStays(engine: PinEngine) throws {
    try with(engine: engine) { (machine, space, cache, _) throws in
      let places = [Self.anonymous, Self.anonymous + Page.size, Self.file, Self.file + Page.size]
      let first = try space.pin(at: places[0], .write)
      let second = try space.pin(at: places[1], .get)
      let third = try space.pin(at: places[2])
      let fourth = try space.pin(at: places[3], [.get, .write])
      #expect(machine.memory.reclaim(pages: 100) == 12)
      #expect(machine.memory.reclaim(pages: 100) == 0)
      for (place, pfn) in zip(places, [first.pfn, second.pfn, third.pfn, fourth.pfn]) {
        let again = try space.pin(at: place)
        #expect(again.pfn == pfn, "a held page came back in another frame")
        again.release()
      }
      first.release()
      second.release()
      third.release()
      fourth.release()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.reclaim(pages: 100) == 4)
    }
  }

  /// What a device stores through a get, after reclaim has looked at its page, is not lost when the page goes at last.
  @Test(arguments: Engines.all)
  func aDeviceThatStoresLater(engine: PinEngine) throws {
    try with(file: 0, engine: engine) { (machine, space, _, _) throws in
      let pin = try space.pin(at: Self.anonymous, [.get, .write])
      #expect(machine.memory.reclaim(pages: 100) == 7)
      pin.deviceBytes.store(UInt64(9))
      pin.release(dirty: true)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.reclaim(pages: 100) == 1)
      #expect(try space.load(at: Self.anonymous, as: UInt64.self) == 9)
    }
  }

  /// Pages that parent and child share go out once, and come back to both.
  @Test(arguments: Engines.all)
  func sharedPages(engine: PinEngine) throws {
    try with(file: 0, engine: engine) { (machine, space, _, _) throws in
      let child = try space.fork()
      try child.store(UInt64(1), at: Self.anonymous)
      #expect(machine.memory.reclaim(pages: 100) == 9)
      #expect(machine.memory.census().swapSlots == 9)
      #expect(machine.memory.census().framesInUse == 0)
      for page in 0..<8 {
        let place = Self.anonymous + page * Page.size
        #expect(try child.load(at: place, as: UInt64.self) == (page == 0 ? 1 : UInt64(100 + page)))
        try child.store(UInt64(200), at: place)
        #expect(try space.load(at: place, as: UInt64.self) == UInt64(100 + page))
      }
      child.exit()
    }
  }

  @Test func hugeFrames() throws {
    let machine = try Machine(frames: 1024 + 64, swapPages: 1024)
    do {
      let space = AddressSpace(machine.memory)
      try space.map(at: 0x4000_0000, pages: 512, protection: .readWrite, hugePages: true)
      for page in 0..<512 { try space.store(UInt64(page), at: 0x4000_0000 + page * Page.size) }
      let pin = try space.pin(at: 0x4000_5000, .write)
      #expect(machine.memory.reclaim(pages: 512) == 0, "parts of a pinned 2 MiB frame went")
      pin.release()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.reclaim(pages: 500) == 500)
      for page in 0..<512 {
        #expect(try space.load(at: 0x4000_0000 + page * Page.size, as: UInt64.self) == UInt64(page))
      }
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// A pin is a use of its page, as a load is. Of two pages without a second chance, the one that was pinned since
  /// stays.
  @Test(arguments: Engines.all, [PinOptions.get, [.write], [.longTerm]])
  func aPinCountsAsAnAccess(engine: PinEngine, options: PinOptions) throws {
    try with(anonymous: 0, file: 4, engine: engine) { (machine, space, cache, _) throws in
      // The first look takes all marks away, the second one takes the first page.
      #expect(machine.memory.reclaim(pages: 1) == 1)
      #expect(!cache.isResident(page: 0))
      if options == .longTerm {
        try space.pin(at: Self.file + Page.size, options).release()
      } else {
        let pin = try space.pin(at: Self.file + Page.size, options)
        pin.release()
      }
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.reclaim(pages: 2) == 2)
      #expect(cache.isResident(page: 1), "the page that a device used last was the first to go")
      #expect(!cache.isResident(page: 2) && !cache.isResident(page: 3))
    }
  }

  /// Idle pages of one cache go before used ones of another.
  @Test func allCachesAreAsked() throws {
    try with(anonymous: 0, file: 4) { (machine, space, cache, _) throws in
      let other = try PageCache(machine.memory, MemoryStore(pages: 4), limit: 4, maximumPages: 8)
      _ = try other.read(at: 0, count: 4 * Page.size)
      // Takes the marks of all pages away, and one page.
      #expect(machine.memory.reclaim(pages: 1) == 1)
      let used = cache.residentPages == 4 ? cache : other
      if used === cache {
        for page in 0..<4 { _ = try space.load(at: Self.file + page * Page.size, count: 1) }
      } else {
        _ = try other.read(at: 0, count: 4 * Page.size)
      }
      #expect(machine.memory.reclaim(pages: 3) == 3)
      #expect(used.residentPages == 4, "used pages went, idle ones stayed")
    }
  }
}
