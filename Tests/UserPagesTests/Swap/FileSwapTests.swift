import Foundation
import TestSupport
import Testing

@testable import UserPages

/// Pages of memory files, shared anonymous memory among them, that go to the swap file and come back.
@Suite struct FileSwapTests {
  @Test(arguments: Engines.all)
  func contentsSurvive(engine: PinEngine) throws {
    try Swapped.withFile(engine: engine) { machine, space, file in
      try Swapped.pageOut(space)
      for page in 0..<4 { #expect(space.entry(at: Swapped.address(page)).description == "none") }
      #expect(machine.memory.freePages == 64, "the swap file has the pages, and all frames are free")
      #expect(machine.memory.census().swapSlots == 4)
      #expect(file.cachedPages == 0)
      let faults = space.counters.faults
      for page in 0..<4 { #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == Swapped.word(page)) }
      #expect(space.counters.faults == faults + 4)
      #expect(machine.memory.census().swapSlots == 0)
      #expect(space.frameInformation(at: Swapped.start)?.isDirty == true, "the frame has the only copy")
      #expect(file.cachedPages == 4)
    }
  }

  /// A shared mapping without a file, which its spaces share after a fork.
  @Test(arguments: Engines.all)
  func sharedAnonymousMemory(engine: PinEngine) throws {
    let machine = try Machine(frames: 64, swapPages: 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: Swapped.start, pages: 2, protection: .readWrite, sharing: .shared)
      try space.store(Swapped.word(0), at: Swapped.start)
      let child = try space.fork()
      #expect(try child.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      try Swapped.pageOut(space, pages: 2)
      #expect(machine.memory.freePages == 63, "advice spares what two entries map")
      #expect(machine.memory.reclaim(pages: 1) == 1, "reclaim does not")
      #expect(machine.memory.freePages == 64)
      try child.store(UInt64(8), at: Swapped.start)
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == 8)
      #expect(space.frameInformation(at: Swapped.start) == child.frameInformation(at: Swapped.start))
      #expect(machine.memory.freePages == 63, "one frame for both")
      // The last mapping ends while the page is out.
      #expect(machine.memory.reclaim(pages: 1) == 1)
      child.exit()
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// Back before the swap file has it: the same frame.
  @Test func aPageIsTakenOutOfTheCache() throws {
    try Swapped.withFile { machine, space, file in
      let pfn = try space.pin(at: Swapped.start, .write).pfnAtRelease()
      let (begun, writer) = Swapped.holdWrites(machine)
      try space.advise(at: Swapped.start, pages: 1, .pageOut)
      #expect(space.entry(at: Swapped.start).description == "none")
      _ = begun.wait()
      try file.write([9], at: 8)
      #expect(try space.pin(at: Swapped.start, .write).pfnAtRelease() == pfn)
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      // The slot is the writer's still.
      #expect(machine.memory.census().swapSlots == 1)
      writer.open()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().swapSlots == 0)
      #expect(try space.load(at: Swapped.start + 8, as: UInt64.self) == 9)
    }
  }

  /// `read` and `write` bring pages back, too.
  @Test func readAndWrite() throws {
    try Swapped.withFile { machine, space, file in
      try Swapped.pageOut(space)
      #expect(MemoryStore.word(try file.read(at: Page.size, count: 8), at: 0) == Swapped.word(1))
      try file.write([0xee], at: 2 * Page.size + 100)
      #expect(try space.load(at: Swapped.address(2), as: UInt64.self) == Swapped.word(2))
      #expect(try space.load(at: Swapped.address(2) + 100, count: 1) == [0xee])
      #expect(machine.memory.census().swapSlots == 2)
    }
  }

  /// What a pin or a get has stays in memory. Program and holder see one page.
  @Test(arguments: Engines.all, [false, true])
  func aHeldPage(engine: PinEngine, isGet: Bool) throws {
    try Swapped.withFile(engine: engine) { machine, space, file in
      let pin = try space.pin(at: Swapped.address(1), isGet ? [.get, .write] : .write)
      try Swapped.pageOut(space)
      #expect(machine.memory.freePages == 63)
      #expect(machine.memory.reclaim(pages: 1) == 0)
      #expect(file.cachedPages == 1)
      pin.deviceBytes.store(UInt64(5))
      #expect(try space.load(at: Swapped.address(1), as: UInt64.self) == 5)
      try space.store(UInt64(6), at: Swapped.address(1))
      #expect(pin.deviceBytes.load(as: UInt64.self) == 6)
      pin.release(dirty: true)
      try Swapped.pageOut(space)
      #expect(machine.memory.freePages == 64)
      #expect(try space.load(at: Swapped.address(1), as: UInt64.self) == 6)
    }
  }

  /// A page that a locked mapping shows stays, whichever mapping asks, and reclaim spares it.
  @Test func aLockedPage() throws {
    try Swapped.withFile { machine, space, file in
      let other = AddressSpace(machine.memory)
      try other.map(at: Swapped.start, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
      try other.lock(at: Swapped.start, pages: 1)
      #expect(machine.memory.reclaim(pages: 4) == 3)
      #expect(other.entry(at: Swapped.start).kind == .normal)
      #expect(file.cachedPages == 1)
      try other.unlock(at: Swapped.start, pages: 1)
      #expect(machine.memory.reclaim(pages: 4) == 1)
      other.exit()
    }
  }

  /// A private mapping shows the file's pages until it stores, and its copies are anonymous pages.
  @Test func aPrivateMapping() throws {
    try Swapped.withFile { machine, space, file in
      space.exit()
      let other = AddressSpace(machine.memory)
      try other.map(at: Swapped.start, pages: 4, protection: .readWrite, backing: .file(file))
      #expect(try other.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      try other.store(UInt64(3), at: Swapped.address(1))
      try Swapped.pageOut(other)
      #expect(other.entry(at: Swapped.start).description == "none")
      #expect(other.entry(at: Swapped.address(1)).description == "swap")
      // The pages that it does not map are in the cache.
      #expect(file.cachedPages == 3)
      try other.store(UInt64(4), at: Swapped.start + 8)
      #expect(try other.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      #expect(try other.load(at: Swapped.address(1), as: UInt64.self) == 3)
      #expect(MemoryStore.word(try file.read(at: 8, count: 8), at: 0) == 0)
      other.exit()
    }
  }

  // MARK: Cuts, holes, the end

  /// A cut through a page that is out clears its rest, and takes those behind it.
  @Test func aCut() throws {
    try Swapped.withFile { machine, space, file in
      try space.store([UInt8](repeating: 7, count: Page.size), at: Swapped.address(1))
      try Swapped.pageOut(space)
      try file.setByteCount(Page.size + 100)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().swapSlots == 1)
      try file.setByteCount(4 * Page.size)
      let bytes = try file.read(at: Page.size, count: Page.size)
      #expect(bytes == [UInt8](repeating: 7, count: 100) + [UInt8](repeating: 0, count: Page.size - 100))
      #expect(try space.load(at: Swapped.address(3), as: UInt64.self) == 0)
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
    }
  }

  @Test func aHole() throws {
    try Swapped.withFile { machine, space, file in
      try Swapped.pageOut(space)
      try file.punchHole(1..<3)
      #expect(machine.memory.census().swapSlots == 2)
      for page in 0..<4 {
        let expected = page == 0 || page == 3 ? Swapped.word(page) : 0
        #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == expected)
      }
    }
  }

  /// A page that the swap file gives back wrong is a bus error, and an error of `read`. A hole mends it.
  @Test func aDamagedPage() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("swap-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("swap").path
    let memory = try PhysicalMemory(ramPages: 4, swapFile: .file(at: path, pages: 4))
    let file = try PageCacheFile(memory, pages: 1)
    let space = AddressSpace(memory)
    try space.map(at: Swapped.start, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
    try space.store(Swapped.word(0), at: Swapped.start)
    try Swapped.pageOut(space, pages: 1)
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    defer { try? handle.close() }
    try handle.seek(toOffset: 100)
    try handle.write(contentsOf: [1])
    #expect(throws: PageError.busErrorOfFile(.read, errno: EIO)) {
      try space.load(at: Swapped.start, as: UInt64.self)
    }
    #expect(throws: PageError.file(.read, errno: EIO)) { _ = try file.read(at: 0, count: 1) }
    #expect(throws: PageError.badAddress) { try space.pin(at: Swapped.start, .write).release() }
    // A cut could not clear the rest of the page.
    #expect(throws: PageError.file(.read, errno: EIO)) { try file.setByteCount(10) }
    #expect(file.byteCount == Page.size)
    #expect(memory.census().swapSlots == 1)
    try file.punchHole(0..<1)
    #expect(try space.load(at: Swapped.start, as: UInt64.self) == 0)
    space.exit()
  }
}
