import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Forks share pages that are out, or on their way: each side keeps what it had, and its stores to itself.
  @Suite struct ForkAgainstSwapOut {
    @Test(arguments: Engines.all)
    func isolation(engine: PinEngine) throws {
      try race("fork against swap-out", engine: engine, swapPages: 256) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        let published = Board(region.pages)
        torture.run([
          .pagingOut(space, region, torture),
          .neighbour(machine, engine: engine, torture),
          Worker("store") { run in
            while run.next() {
              let page = run.random.below(region.pages)
              try space.store(UInt64(run.turn), at: region.address(page))
              published.announce(page, UInt64(run.turn))
              let seen = try space.load(at: region.address(page), as: UInt64.self)
              torture.expect(seen == UInt64(run.turn), "the parent stored \(run.turn) and finds \(seen)")
              // The child stores to the second word. The parent must never meet that.
              let second = try space.load(at: region.address(page) + 8, as: UInt64.self)
              torture.expect(second == 0, "the child's store reached the parent")
            }
          },
          forking(space, region, published, torture),
        ])
        space.exit()
      }
    }

    private func forking(_ space: AddressSpace, _ region: Region, _ published: Board, _ torture: Torture) -> Worker {
      Worker("fork", threads: 2) { run in
        while run.next() {
          let before = (0..<region.pages).map { published[$0] }
          var family = [try space.fork()]
          if run.random.oneIn(3) { family.append(try family[0].fork()) }
          let child = family[family.count - 1]
          var first: [UInt64?] = Array(repeating: nil, count: region.pages)
          for _ in 0..<3 * region.pages {
            let page = run.random.below(region.pages)
            let member = family[run.random.below(family.count)]
            switch run.random.below(3) {
            case 0: try member.advise(at: region.start, pages: region.pages, .pageOut)
            case 1:
              let seen = try child.load(at: region.address(page), as: UInt64.self)
              torture.expect(seen >= before[page], "the child shows \(seen) after \(before[page]) was stored")
              torture.expect(
                seen == first[page] ?? seen, "the child's page went from \(first[page] ?? 0) to \(seen)")
              first[page] = seen
            default: try child.store(UInt64.max, at: region.address(page) + 8)
            }
          }
          for member in family.shuffled(using: &run.random) { member.exit() }
        }
      }
    }

    /// Devices write through pins while everything else goes on.
    @Test(arguments: Engines.all)
    func pinnedPagesStay(engine: PinEngine) throws {
      try race("pin against fork and swap-out", engine: engine, swapPages: 256) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 3)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        let held = torture.tally("coherent pins", goal: 8)
        torture.run([
          .pagingOut(space, region, torture),
          Worker("fork") { run in
            while run.next() {
              let child = try space.fork()
              run.pauseRandomly()
              if run.random.oneIn(2) { try child.advise(at: region.start, pages: region.pages, .pageOut) }
              if run.random.oneIn(2) { _ = try child.load(at: region.start, count: region.pages * Page.size) }
              child.exit()
            }
          },
          Worker("pin", threads: 2) { run in
            while run.next() {
              let page = run.random.below(region.pages)
              let place = Stamp.deviceOffset(run.index)
              let pin = try space.pin(at: region.address(page), run.random.oneIn(2) ? .write : [.write, .longTerm])
              pin.deviceBytes.store(UInt64(run.turn), toByteOffset: place)
              run.pauseRandomly()
              let seen = try space.load(at: region.address(page) + place, as: UInt64.self)
              torture.expect(seen == UInt64(run.turn), "the program sees \(seen), the device wrote \(run.turn)")
              try space.store(UInt64(run.turn), at: region.address(page) + place + 8)
              let back = pin.deviceBytes.load(fromByteOffset: place + 8, as: UInt64.self)
              torture.expect(back == UInt64(run.turn), "the device sees \(back), the program stored \(run.turn)")
              pin.release(dirty: true)
              held.count()
            }
          },
        ])
        space.exit()
      }
    }
  }
}
