import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Operations in different stripes, beside those that reach over several.
  @Suite struct StripeRaces {
    private static let stripe = 1 << 30
    /// A mapping that begins before the third stripe and ends behind its end.
    private static let wide = VirtualAddress(2 << 30) + -4 * Page.size..<VirtualAddress(3 << 30) + 4 * Page.size

    /// Maps a page and unmaps it again and again. What was stored there before is gone, and what is stored stays.
    private static func mapAndUnmap(
      _ page: VirtualAddress, of space: AddressSpace, _ run: inout WorkerContext
    ) throws {
      while run.next() {
        try space.map(at: page, pages: 4, protection: .readWrite)
        for index in 0..<4 {
          let before = try space.load(at: page + index * Page.size, as: UInt64.self)
          run.torture.expect(before == 0, "a new mapping shows \(before)")
          try space.store(UInt64(run.turn), at: page + index * Page.size)
        }
        run.pauseRandomly()
        for index in 0..<4 {
          let after = try space.load(at: page + index * Page.size, as: UInt64.self)
          run.torture.expect(after == UInt64(run.turn), "a page shows \(after) in turn \(run.turn)")
        }
        try space.unmap(at: page, pages: 4)
        run.torture.expect(space.mapping(at: page) == nil, "an unmapped page has a mapping")
      }
    }

    /// Threads in stripes of their own, two in one stripe, and forks of all.
    @Test(arguments: Engines.all)
    func apart(engine: PinEngine) throws {
      try race("operations in stripes", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let shared = VirtualAddress(9 << 30)
        torture.run([
          Worker("a stripe each", threads: 3) { run in
            try Self.mapAndUnmap(VirtualAddress(UInt64(1 + run.index) << 30), of: space, &run)
          },
          Worker("one stripe", threads: 2) { run in
            while run.next() {
              try space.map(at: shared, pages: 2, protection: .readWrite)
              _ = try tolerating(.segmentationViolation) { () throws(PageError) in
                try space.store(UInt64(1), at: shared + Page.size)
              }
              try space.unmap(at: shared + Page.size, pages: 1)
            }
          },
          Worker("fork") { run in
            while run.next() {
              do throws(PageError) { try space.fork().exit() } catch {
                torture.expect(error == .outOfMemory, "\(error)")
              }
              run.pauseRandomly()
            }
          },
        ])
        space.exit()
      }
    }

    /// Mappings of one leaf that come, go, split and join, beside look-ups of those that stay.
    @Test(arguments: Engines.all)
    func lookUpsInOneLeaf(engine: PinEngine) throws {
      try race("look-ups in a leaf that is edited", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let start = VirtualAddress(5 << 30)
        let whole = start + 16 * Page.size..<start + 32 * Page.size
        try space.map(whole, protection: .readWrite)
        torture.run([
          Worker("map below") { run in
            while run.next() {
              let page = start + 2 * run.random.below(7) * Page.size
              try space.map(at: page, pages: 1, protection: .read)
              try space.unmap(at: page, pages: 1 + run.random.below(2))
            }
          },
          Worker("protect") { run in
            while run.next() {
              let page = whole.lowerBound + run.random.below(14) * Page.size
              try space.protect(at: page, pages: 1 + run.random.below(2), run.random.oneIn(2) ? .read : .readWrite)
            }
          },
          Worker("look", threads: 2) { run in
            while run.next() {
              let page = whole.lowerBound + run.random.below(16) * Page.size
              let found = space.mapping(at: page + run.random.below(Page.size))
              torture.expect(found?.range.contains(page) == true, "\(page) was not found")
              let hole = start + -2 * Page.size
              torture.expect(space.mapping(at: hole) == nil, "a hole was found")
            }
          },
        ])
        space.exit()
      }
    }

    /// A wide mapping that two threads cut at its ends and make whole again, with pages in its middle that stay.
    @Test(arguments: Engines.all)
    func cutAtBothEnds(engine: PinEngine) throws {
      try race("a wide mapping that is cut at both ends", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(Self.wide, protection: .readWrite)
        let middle = VirtualAddress(2 << 30) + Self.stripe / 2
        torture.run([
          Worker("cut", threads: 2) { run in
            let page = run.index == 0 ? Self.wide.lowerBound : Self.wide.upperBound + -4 * Page.size
            try space.unmap(at: page, pages: 4)
            try Self.mapAndUnmap(page, of: space, &run)
            try space.map(at: page, pages: 4, protection: .readWrite)
          },
          Worker("use the middle") { run in
            while run.next() {
              try space.store(UInt64(run.turn), at: middle)
              let value = try space.load(at: middle, as: UInt64.self)
              torture.expect(value == UInt64(run.turn), "the middle shows \(value) in turn \(run.turn)")
            }
          },
          Worker("look") { run in
            while run.next() {
              // Beside the ends: what is left of the mapping holds it, whether the mapping is whole or cut.
              for page in [VirtualAddress(2 << 30), VirtualAddress(3 << 30) + -Page.size, middle] {
                torture.expect(space.mapping(at: page) != nil, "\(page) was not found")
              }
            }
          },
          Worker("protect and fork") { run in
            while run.next() {
              try space.protect(at: middle + Page.size, pages: 1, run.random.oneIn(2) ? .read : .readWrite)
              do throws(PageError) {
                let child = try space.fork()
                torture.expect(child.mapping(at: middle) != nil, "a child lacks the middle")
                child.exit()
              } catch {
                torture.expect(error == .outOfMemory, "\(error)")
              }
            }
          },
        ])
        space.exit()
      }
    }
  }
}
