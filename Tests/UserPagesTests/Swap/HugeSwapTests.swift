import TestSupport
import Testing

@testable import UserPages

/// The swap file and 2 MiB: pages go out one by one, and are in memory when they become 2 MiB.
@Suite struct HugeSwapTests {
  @Test(arguments: Engines.all) func pagesOf2MiBGoOut(engine: PinEngine) throws {
    try Swapped.withPages(1, frames: 1024, swapPages: 600, engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      #expect(space.says(hugeBase) == "huge rw dirty")
      try space.advise(at: hugeBase.page(3), pages: 4, .pageOut)
      machine.memory.flushDeferredFrees()
      for page in 3..<7 { #expect(space.entry(at: hugeBase.page(page)).kind == .swap) }
      #expect(space.says(hugeBase.page(2)) == "normal rw dirty" && space.says(hugeBase.page(7)) == "normal rw dirty")
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
    }
  }

  @Test(arguments: Engines.all) func pagesThatAreOutAreCollapsedToo(engine: PinEngine) throws {
    try Swapped.withPages(1, frames: 2048, swapPages: 64, engine: engine) { machine, space in
      try space.map(at: hugeBase, pages: 512, protection: .readWrite)
      for page in 0..<512 { try space.store(UInt64(page + 1), at: hugeBase.page(page)) }
      try space.advise(at: hugeBase.page(3), pages: 4, .pageOut)
      machine.memory.flushDeferredFrees()
      #expect(space.entry(at: hugeBase.page(3)).kind == .swap)
      try space.advise(at: hugeBase, pages: 512, .collapse)
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
    }
  }
}
