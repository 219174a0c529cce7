import TestSupport
import Testing

@testable import UserPages

/// The collapse of a memory file with fewer pages than 2 MiB, or where an entry shows a frame that is the file's no
/// more.
@Suite struct HugeFileCollapseEdgeTests {
  private func withFile(
    pages: Int, maximumPages: Int? = nil, swapPages: Int = 0, engine: PinEngine = .reference,
    _ body: (Machine, AddressSpace, PageCacheFile) throws -> Void
  ) throws {
    let policy = ReclaimPolicy(swapsForAllocations: false)
    let machine = try Machine(frames: 4 * Page.pagesPerHuge, swapPages: swapPages, reclaim: policy)
    do {
      let file = try PageCacheFile(machine.memory, pages: pages, maximumPages: maximumPages)
      let space = AddressSpace(machine.memory, engine: engine)
      try share(space, file)
      for page in 0..<pages { try space.store(UInt64(page + 1), at: hugeBase.page(page)) }
      try body(machine, space, file)
      space.exit()
      file.drop()
    }
    #expect(machine.leaks() == [])
  }

  private func share(_ space: AddressSpace, _ file: PageCacheFile) throws {
    try space.map(
      at: hugeBase, pages: Page.pagesPerHuge, protection: .readWrite, sharing: .shared, backing: .file(file))
  }

  private func collapse(_ space: AddressSpace) throws(PageError) {
    try space.advise(at: hugeBase, pages: Page.pagesPerHuge, .collapse)
  }

  private func pageOut(_ machine: Machine, _ space: AddressSpace) throws {
    try space.advise(at: hugeBase, pages: Page.pagesPerHuge, .pageOut)
    _ = machine.memory.reclaim(pages: Page.pagesPerHuge)
  }

  /// A file that cannot become longer has an index that ends inside the 2 MiB.
  @Test(arguments: Engines.all, [0, 1024]) func anIndexThatEndsInside(engine: PinEngine, swapPages: Int) throws {
    try withFile(pages: 300, swapPages: swapPages, engine: engine) { machine, space, file in
      try collapse(space)
      #expect(try space.pfn(hugeBase.page(299)) == (try space.pfn(hugeBase)) + 299)
      try pageOut(machine, space)
      #expect(file.cachedPages == (swapPages > 0 ? 0 : 300))
      #expect(try space.firstUnnumbered(pages: 0..<300) == nil)
      try collapse(space)
      try file.punchHole(0..<1)
      #expect(try space.load(at: hugeBase, as: UInt64.self) == 0)
      #expect(try space.firstUnnumbered(pages: 1..<300) == nil)
      try collapse(space)
      try file.setByteCount(20 * Page.size)
      #expect(try space.firstUnnumbered(pages: 1..<20) == nil)
      #expect(throws: PageError.busError) { try space.load(at: hugeBase.page(20), as: UInt64.self) }
    }
  }

  /// Parts that lie beyond the end come back, without swap too, and not while a pin holds the frame.
  @Test(arguments: Engines.all) func theRestIsReclaimed(engine: PinEngine) throws {
    try withFile(pages: 100, maximumPages: 1024, engine: engine) { machine, space, file in
      machine.memory.flushDeferredFrees()
      let free = machine.memory.freePages
      try collapse(space)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == free - (Page.pagesPerHuge - 100))
      let pin = try space.pin(at: hugeBase.page(7), .write)
      #expect(machine.memory.reclaim(pages: 1) == 0)
      pin.release(dirty: true)
      #expect(machine.memory.reclaim(pages: 1) == Page.pagesPerHuge - 100)
      #expect(machine.memory.freePages == free)
      #expect(file.cachedPages == 100)
      #expect(try space.firstUnnumbered(pages: 0..<100) == nil)
    }
  }

  /// A frame that the file has dropped lives on in the space that shows it. Its stores are not lost, and a pin goes on
  /// showing the same page.
  @Test(arguments: Engines.all) func aDroppedFrameStaysMapped(engine: PinEngine) throws {
    try withFile(pages: Page.pagesPerHuge, engine: engine) { machine, space, file in
      let other = AddressSpace(machine.memory, engine: engine)
      try share(other, file)
      let pin = try space.pin(at: hugeBase.page(5), .write)
      file.drop()
      try other.store(UInt64(77), at: hugeBase.page(5))
      #expect(throws: PageError.invalidArgument) { try collapse(space) }
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 6)
      pin.deviceBytes.store(UInt64(99))
      try collapse(other)
      #expect(other.says(hugeBase).hasPrefix("huge"))
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 99)
      #expect(try other.load(at: hugeBase.page(5), as: UInt64.self) == 77)
      // The file is in one frame already, and the space shows another one.
      #expect(throws: PageError.invalidArgument) { try collapse(space) }
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 99)
      pin.release(dirty: true)
      other.exit()
    }
  }
}
