import TestSupport
import Testing

@testable import UserPages

/// Mirrors of anonymous memory that is taken back: what a mirror does counts like what the program does.
@Suite struct MirrorReclaimTests {
  /// Pages that are mirrored, each holding its number plus five.
  private func withPages(
    _ pages: Int, _ body: (Machine, AddressSpace, Mirror) throws -> Void
  ) throws {
    for engine in PinEngine.allCases {
      try withMirror(swapPages: 16, engine: engine) { machine, space, mirror in
        try space.map(at: mirrorBase, pages: pages, protection: .readWrite)
        for page in 0..<pages { try mirror.store(UInt64(5 + page), at: mirrorBase.page(page)) }
        #expect((0..<pages).allSatisfy { mirror.holds($0) })
        try body(machine, space, mirror)
      }
    }
  }

  /// A store marks the entry of a lazily freed page dirty, or it would be dropped with what was stored.
  @Test func aStoreKeepsALazilyFreedPage() throws {
    try withPages(2) { _, space, mirror in
      try space.advise(at: mirrorBase, pages: 2, .free)
      #expect(!mirror.holds(0) && !mirror.holds(1))
      try mirror.store(UInt64(9), at: mirrorBase.page(1))
      try space.advise(at: mirrorBase, pages: 2, .pageOut)
      #expect(try mirror.word(0) == 0, "a page without a store since")
      #expect(try mirror.word(1) == 9)
    }
  }

  /// The clock takes a page's mark of use, and the next use by a mirror must give it back.
  @Test func aUsedPageHasItsSecondChance() throws {
    try withPages(4) { machine, space, mirror in
      #expect(machine.memory.reclaim(pages: 1) == 1)
      let left = (0..<4).filter { space.says(mirrorBase.page($0)) != "swap" }
      let unused = try #require(left.last)
      for page in left.dropLast() { #expect(try mirror.word(page) == UInt64(5 + page)) }
      #expect(machine.memory.reclaim(pages: 1) == 1)
      #expect(space.says(mirrorBase.page(unused)) == "swap", "a page went that was used since the last look")
      for page in 0..<4 { #expect(try mirror.word(page) == UInt64(5 + page)) }
    }
  }
}
