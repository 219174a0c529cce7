import Testing
import UserPages

/// What mapping an image costs: page-table nodes where it was touched, and nothing for each page.
struct SparseImageTests {
  /// An image of 4 GiB of zeroes, which take no memory, mapped by 64 spaces.
  @Test(arguments: [true, false])
  func aLargeImageInManySpacesCostsNodesAlone(hugePages: Bool) throws {
    let bytes = 4 << 30
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let image = try Image(memory, pages: bytes / Page.size) { _ in 0 }
      let start = VirtualAddress(1 << 39)
      let spaces = (0..<64).map { _ in AddressSpace(memory) }
      let empty = memory.census()
      for space in spaces {
        try space.map(
          at: start, pages: image.pageCount, protection: .readWrite, backing: .mixed(image), hugePages: hugePages)
      }
      // Mapped: nothing is allocated at all.
      #expect(memory.census() == empty)

      // One page at each end of the image, below one upper node. Each has its own middle node, and its own lowest node
      // unless one entry maps 2 MiB.
      let lowest = hugePages ? 0 : 1
      let last = start + (bytes - Page.size)
      for space in spaces {
        #expect(try space.load(at: start, as: UInt64.self) == 0)
        #expect(try space.load(at: last, as: UInt64.self) == 0)
        #expect(space.entry(at: last).description == "special r")
      }
      #expect(memory.census().tableNodes == empty.tableNodes + 64 * (3 + 2 * lowest))

      // A page in each 2 MiB, in one space. Each has a lowest node, 4 KiB for 2 MiB, unless one entry maps 2 MiB. The
      // middle nodes in between come with them.
      for offset in stride(from: 0, to: bytes, by: Page.hugeSize) {
        #expect(try spaces[0].load(at: start + offset, as: UInt8.self) == 0)
      }
      let touched = memory.census()
      #expect(touched.tableNodes == empty.tableNodes + 64 * (3 + 2 * lowest) + (bytes / Page.hugeSize - 2) * lowest + 2)
      // No frame, no count of any kind for the image's million pages.
      #expect(touched.framesInUse == 0 && touched.mapcounts == 0 && touched.references == 0)

      try spaces[1].store(UInt8(1), at: last)
      memory.flushDeferredFrees()
      #expect(memory.census().framesInUse == 1)
      for space in spaces { space.exit() }
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }
}
