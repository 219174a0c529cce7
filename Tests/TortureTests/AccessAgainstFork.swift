import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// After a fork neither side sees a store that the other makes later, whatever was in flight.
  @Suite struct AccessAgainstFork {
    @Test(arguments: Engines.all)
    func isolation(engine: PinEngine) throws {
      try race("store against fork", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        let published = Board(region.pages)
        torture.run([
          Worker("store") { run in
            while run.next() {
              let page = run.random.below(region.pages)
              try space.store(UInt64(run.turn), at: region.address(page))
              published.announce(page, UInt64(run.turn))
              // The child stores to the second word. The parent must never meet that.
              let second = try space.load(at: region.address(page) + 8, as: UInt64.self)
              torture.expect(second == 0, "the child's store reached the parent")
            }
          },
          forker(space, region, published, torture, depth: 1),
          forker(space, region, published, torture, depth: 3),
        ])
        space.exit()
      }
    }

    /// Forks, also children of children, and watches the youngest.
    private func forker(
      _ space: AddressSpace, _ region: Region, _ published: Board, _ torture: Torture, depth: Int
    ) -> Worker {
      Worker("fork \(depth)") { run in
        while run.next() {
          let before = (0..<region.pages).map { published[$0] }
          var family = [try space.fork()]
          while family.count < depth { family.append(try family[family.count - 1].fork()) }
          let child = family[family.count - 1]
          let first = try (0..<region.pages).map { try child.load(at: region.address($0), as: UInt64.self) }
          for page in 0..<region.pages where first[page] < before[page] {
            torture.fail("the child of a fork shows \(first[page]) after \(before[page]) was stored")
          }
          run.pauseRandomly()
          for page in (0..<region.pages).shuffled(using: &run.random) {
            let again = try child.load(at: region.address(page), as: UInt64.self)
            torture.expect(
              again == first[page], "the parent's store of \(again) reached the child, which had seen \(first[page])")
            try child.store(UInt64.max, at: region.address(page) + 8)
          }
          for member in family.shuffled(using: &run.random) { member.exit() }
        }
      }
    }

    @Test(arguments: Engines.all)
    func bulkStores(engine: PinEngine) throws {
      // A store of many bytes in flight while its page is write protected for fork: nothing of it may land after the
      // fork.
      try race("bulk store against fork", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 3)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        torture.run([
          Worker("store") { run in
            while run.next() {
              let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: run.turn), count: 2 * Page.size)
              try space.store(bytes, at: region.start + 8 * run.random.below(512))
            }
          },
          Worker("fork") { run in
            while run.next() {
              let child = try space.fork()
              let first = try child.load(at: region.start, count: region.pages * Page.size)
              run.pauseRandomly()
              let again = try child.load(at: region.start, count: region.pages * Page.size)
              torture.expect(first == again, "a store landed in the child after the fork")
              child.exit()
            }
          },
        ])
        space.exit()
      }
    }
  }
}
