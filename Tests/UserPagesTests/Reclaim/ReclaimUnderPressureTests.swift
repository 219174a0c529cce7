import Foundation
import TestSupport
import Testing
import UserPages

/// Data larger than RAM: allocations that find nothing free take pages back, and fail only if there are none.
@Suite struct ReclaimUnderPressureTests {
  private let anonymous: VirtualAddress = 0x10_0000
  private let file: VirtualAddress = 0x80_0000

  /// Anonymous memory and a file, four times as much as there is RAM, written and read back.
  @Test(arguments: Engines.all)
  func moreThanFits(engine: PinEngine) throws {
    let machine = try Machine(frames: 32, swapPages: 128)
    do {
      let store = MemoryStore(pages: 64)
      let cache = try PageCache(machine.memory, store, limit: 64, maximumPages: 64)
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: anonymous, pages: 64, protection: .readWrite)
      try space.map(at: file, pages: 64, protection: .readWrite, sharing: .shared, backing: .file(cache))
      for round in 0..<3 {
        for page in 0..<64 {
          try space.store(UInt64(1000 * round + page), at: anonymous + page * Page.size)
          try space.store(UInt64(2000 * round + page), at: file + page * Page.size)
        }
        for page in (0..<64).reversed() {
          #expect(try space.load(at: anonymous + page * Page.size, as: UInt64.self) == UInt64(1000 * round + page))
          #expect(try space.load(at: file + page * Page.size, as: UInt64.self) == UInt64(2000 * round + page))
        }
      }
      try cache.sync()
      for page in 0..<64 { #expect(MemoryStore.word(store.durable, at: page * Page.size) == UInt64(4000 + page)) }
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// ENOMEM when all is pinned, by references and by slots, and not before. It works again when one pin ends.
  @Test(arguments: Engines.all)
  func allIsPinned(engine: PinEngine) throws {
    let machine = try Machine(frames: 16, swapPages: 64)
    do {
      let cache = try PageCache(machine.memory, MemoryStore(pages: 64), limit: 64, maximumPages: 64)
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: anonymous, pages: 64, protection: .readWrite)
      try space.map(at: file, pages: 64, protection: .readWrite, sharing: .shared, backing: .file(cache))
      for page in 0..<64 { try space.store(UInt64(page), at: anonymous + page * Page.size) }
      let pins = try space.pin(at: anonymous, pages: 10, .write)
      #expect(pins.count == 10)
      let filePins = try space.pin(at: file, pages: 5)
      #expect(filePins.count == 5)
      // The last frame serves everything else.
      for page in 10..<64 {
        #expect(try space.load(at: anonymous + page * Page.size, as: UInt64.self) == UInt64(page))
        _ = try space.load(at: file + page * Page.size, count: 1)
      }
      let last = try space.pin(at: anonymous + 10 * Page.size, .write)
      #expect(throws: PageError.outOfMemory) { try space.load(at: anonymous + 11 * Page.size, as: UInt64.self) }
      #expect(throws: PageError.outOfMemory) { _ = try space.load(at: file + 11 * Page.size, count: 1) }
      #expect(throws: PageError.outOfMemory) { _ = try machine.memory.allocate() }
      last.release()
      #expect(try space.load(at: anonymous + 11 * Page.size, as: UInt64.self) == 11)
      _ = try space.load(at: file + 11 * Page.size, count: 1)
      for page in 0..<10 {
        #expect(pins.deviceBytes(at: page).load(as: UInt64.self) == UInt64(page))
        #expect(try space.load(at: anonymous + page * Page.size, as: UInt64.self) == UInt64(page))
      }
      pins.release()
      filePins.release()
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// A fork copies pinned pages under its locks, where it cannot reclaim: it leaves them, reclaims, and tries again.
  @Test(arguments: Engines.all)
  func forks(engine: PinEngine) throws {
    let machine = try Machine(frames: 16, swapPages: 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: anonymous, pages: 32, protection: .readWrite)
      for page in 0..<32 { try space.store(UInt64(page), at: anonymous + page * Page.size) }
      let pins = try space.pin(at: anonymous, pages: 6, .write)
      let child = try space.fork()
      for page in 0..<32 {
        #expect(try child.load(at: anonymous + page * Page.size, as: UInt64.self) == UInt64(page))
      }
      child.exit()
      pins.release()
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// A fault of engine `locked` holds the mmap lock. Reclaim needs the same one, and a writer may wait between.
  @Test func aLockedFaultLeavesItsLock() throws {
    let machine = try Machine(frames: 8, swapPages: 64)
    do {
      let space = AddressSpace(machine.memory, engine: .locked)
      let place = anonymous
      let writer = Locked<Thread?>(nil)
      let hook: @Sendable ([Int]) throws(PageError) -> Void = { _ throws(PageError) in
        let isFirst = writer.withLock { writer in
          if writer != nil { return false }
          writer = Thread { try? space.protect(at: place, pages: 1, .readWrite) }
          writer?.start()
          return true
        }
        // The writer waits for the lock by now, if the fault holds it.
        if isFirst { usleep(100_000) }
        throw .file(.write, errno: EIO)
      }
      let cache = try PageCache(
        machine.memory, MemoryStore(pages: 8), limit: 8, maximumPages: 8, hooks: PageCache.Hooks(willWriteBack: hook))
      try cache.write([1], at: 0)
      try space.map(at: anonymous, pages: 16, protection: .readWrite)
      for page in 0..<16 { try space.store(UInt64(page), at: anonymous + page * Page.size) }
      #expect(writer.withLock { $0 != nil })
      for page in 0..<16 { #expect(try space.load(at: anonymous + page * Page.size, as: UInt64.self) == UInt64(page)) }
      while writer.withLock({ $0?.isFinished }) == false { usleep(1000) }
      writer.withLock { $0 = nil }
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// Anonymous memory goes out for an allocation only if the policy says so. On request it does in any case.
  @Test func noSwappingForAllocations() throws {
    let machine = try Machine(frames: 8, swapPages: 64, reclaim: ReclaimPolicy(swapsForAllocations: false))
    do {
      let space = AddressSpace(machine.memory)
      try space.map(at: anonymous, pages: 16, protection: .readWrite)
      for page in 0..<8 { try space.store(UInt64(page), at: anonymous + page * Page.size) }
      #expect(throws: PageError.outOfMemory) { try space.store(UInt64(8), at: anonymous + 8 * Page.size) }
      #expect(machine.memory.reclaim(pages: 1) == 1)
      try space.store(UInt64(8), at: anonymous + 8 * Page.size)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  // MARK: The reserve

  /// The last frames are for a thread that reclaims: for a hook of the write-back that it runs.
  @Test func theReserve() throws {
    let policy = ReclaimPolicy(watermarks: Watermarks(min: 4, low: 4, high: 4), usesBackgroundThread: false)
    let machine = try Machine(frames: 16, reclaim: policy)
    do {
      let memory = machine.memory
      let allocations = Locked<[String]>([])
      let hook: @Sendable ([Int]) throws(PageError) -> Void = { _ throws(PageError) in
        // In a hook no reclaim runs, whatever it asks for.
        let freed = memory.reclaim(pages: 1)
        do throws(PageError) {
          try memory.allocate().put()
          allocations.withLock { $0.append("a frame, \(freed) freed") }
        } catch {
          allocations.withLock { $0.append("\(error), \(freed) freed") }
          throw error
        }
      }
      let cache = try PageCache(
        memory, MemoryStore(pages: 16), limit: 16, maximumPages: 16, hooks: PageCache.Hooks(willWriteBack: hook))
      let space = AddressSpace(memory)
      try space.map(at: file, pages: 16, protection: .readWrite, sharing: .shared, backing: .file(cache))
      try space.map(at: anonymous, pages: 16, protection: .readWrite)
      // One dirty page of the file. The rest of the memory is the program's, which no swap file takes.
      try space.store(UInt64(1), at: file)
      for page in 0..<11 { try space.store(UInt64(page), at: anonymous + page * Page.size) }
      #expect(memory.freePages == 4)
      // Not for a sync.
      #expect(throws: PageError.outOfMemory) { try cache.sync() }
      #expect(allocations.withLock { $0 } == ["\(PageError.outOfMemory), 0 freed"])
      // An allocation that needs a frame reclaims. Its hook gets one of the reserve.
      try space.store(UInt64(11), at: anonymous + 11 * Page.size)
      #expect(allocations.withLock { $0.last } == "a frame, 0 freed")
      #expect(memory.freePages == 4)
      #expect(throws: PageError.outOfMemory) { try space.store(UInt64(12), at: anonymous + 12 * Page.size) }
      #expect(try space.load(at: anonymous + 3 * Page.size, as: UInt64.self) == 3)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// Under a lock that reclaim needs an allocation takes nothing back, though another cache has pages: that cache's
  /// evictor may wait for this thread's lock.
  @Test(arguments: [false, true])
  func noReclaimUnderALock(inRead: Bool) throws {
    let machine = try Machine(frames: 8)
    do {
      let memory = machine.memory
      let results = Locked<[PageError?]>([])
      let store = MemoryStore(pages: 16)
      let cache = try PageCache(memory, store, limit: 16, maximumPages: 16)
      let other = try PageCache(memory, MemoryStore(pages: 16), limit: 16, maximumPages: 16)
      try cache.write([1], at: 0)
      _ = try other.read(at: 0, count: 7 * Page.size)
      #expect(memory.freePages == 0)
      store.onCall { _ in
        do throws(PageError) {
          try memory.allocate().put()
          results.withLock { $0.append(nil) }
        } catch {
          results.withLock { $0.append(error) }
        }
      }
      // A read has its frame before it calls the store, so one page of the other cache goes.
      if inRead { _ = try cache.read(at: Page.size, count: 1) } else { try cache.sync() }
      store.onCall(nil)
      #expect(results.withLock { $0.allSatisfy { $0 == .outOfMemory } && !$0.isEmpty }, "\(results.withLock { $0 })")
      // Under no lock it is a matter of course.
      try memory.allocate().put()
    }
    #expect(machine.leaks() == [])
  }

  @Test(arguments: [
    Watermarks(min: -1, low: 2, high: 3), Watermarks(min: 2, low: 1, high: 3), Watermarks(min: 1, low: 3, high: 2),
    Watermarks(min: 1, low: 2, high: 16),
  ])
  func wrongWatermarks(_ watermarks: Watermarks) {
    #expect(throws: PageError.invalidArgument) {
      _ = try Machine(frames: 16, reclaim: ReclaimPolicy(watermarks: watermarks))
    }
  }

  // MARK: The background thread

  private static let low = Watermarks(min: 2, low: 32, high: 64)

  /// Below the low watermark the thread begins, and works until the high one.
  @Test func theBackgroundThread() throws {
    let machine = try Machine(frames: 256, swapPages: 256, reclaim: ReclaimPolicy(watermarks: Self.low))
    do {
      let cache = try PageCache(machine.memory, MemoryStore(pages: 512), limit: 512, maximumPages: 512)
      let space = AddressSpace(machine.memory)
      try space.map(at: file, pages: 512, protection: .readWrite, sharing: .shared, backing: .file(cache))
      for page in 0..<400 { _ = try space.load(at: file + page * Page.size, count: 1) }
      #expect(eventually { machine.memory.freePages >= 32 }, "\(machine.memory.freePages) are free")
      #expect(cache.residentPages <= 224)
      // Anonymous memory as well.
      try space.map(at: anonymous, pages: 256, protection: .readWrite)
      for page in 0..<250 { try space.store(UInt64(page), at: anonymous + page * Page.size) }
      #expect(eventually { machine.memory.freePages >= 32 }, "\(machine.memory.freePages) are free")
      #expect(machine.memory.census().swapSlots > 0)
      for page in 0..<250 {
        #expect(try space.load(at: anonymous + page * Page.size, as: UInt64.self) == UInt64(page))
      }
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  @Test func noBackgroundThread() throws {
    let policy = ReclaimPolicy(watermarks: Self.low, usesBackgroundThread: false)
    let machine = try Machine(frames: 256, swapPages: 256, reclaim: policy)
    do {
      let space = AddressSpace(machine.memory)
      try space.map(at: anonymous, pages: 256, protection: .readWrite)
      for page in 0..<250 { try space.store(UInt64(page), at: anonymous + page * Page.size) }
      usleep(50_000)
      #expect(machine.memory.freePages == 6)
      #expect(machine.memory.census().swapSlots == 0)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// Machines that end while their thread is at work, or has just been woken: the thread ends with them.
  @Test func theThreadEndsWithTheMachine() throws {
    for round in 0..<40 {
      let memory = try PhysicalMemory(
        ramPages: 128, swapFile: .temporary(pages: 128), reclaim: ReclaimPolicy(watermarks: Self.low))
      let space = AddressSpace(memory)
      try space.map(at: anonymous, pages: 128, protection: .readWrite)
      for page in 0..<100 + round % 20 { try space.store(UInt64(page), at: anonymous + page * Page.size) }
      // The thread is there when it has named itself, which may be after this thread has gone on.
      if round == 0 { #expect(eventually { threadCount() > 0 }, "no thread was ever there") }
      if round % 2 == 0 { space.exit() }
    }
    // The one of a test beside this may be there.
    #expect(eventually { threadCount() <= 1 }, "\(threadCount()) threads are left")
  }

  /// Threads of this process that reclaim in the background, those of tests that run beside this one among them.
  private func threadCount() -> Int {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return tasks.count { task in
      (try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)) == "gup-reclaim\n"
    }
  }

  private func eventually(_ condition: () -> Bool) -> Bool {
    for _ in 0..<3000 {
      if condition() { return true }
      usleep(10_000)
    }
    return false
  }
}
