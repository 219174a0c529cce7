import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pages that move between two places: each is at one of them or at none, and is always itself.
  @Suite struct AgainstRemap {
    private static let here = Region(at: 0x7000_0000, pages: 4)
    private static let there = Region(at: 0x9000_0000, pages: 4)

    @Test(arguments: Engines.all)
    func pins(engine: PinEngine) throws {
      try race("pin against remap", engine: engine) { torture, machine in
        let space = try movingSpace(machine, engine: engine)
        torture.run([
          mover(space),
          .pinning(space, PinRole(region: Self.here), threads: 1, torture),
          .pinning(space, PinRole(region: Self.there, firstDevice: 1), threads: 1, torture),
          identity(space, torture),
          .neighbour(machine, engine: engine, torture),
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func accesses(engine: PinEngine) throws {
      // A store that succeeded must be found again, wherever the page is by then.
      try race("access against remap", engine: engine) { torture, machine in
        let space = try movingSpace(machine, engine: engine)
        let stored = torture.tally("stores that succeeded", goal: 16)
        torture.run([
          mover(space),
          Worker("count", threads: 2) { run in
            var published = [UInt64](repeating: 0, count: Self.here.pages)
            let place = 512 + 8 * run.index
            while run.next() {
              let page = run.random.below(Self.here.pages)
              let region = run.random.oneIn(2) ? Self.here : Self.there
              let address = region.address(page) + place
              if let seen = try space.attemptLoad(at: address) {
                torture.expect(seen == published[page], "stored \(published[page]) and found \(seen)")
              }
              if try space.attemptStore(UInt64(run.turn), at: address) {
                published[page] = UInt64(run.turn)
                stored.count()
              }
            }
          },
          identity(space, torture),
        ])
        space.exit()
      }
    }

    /// The old range stays mapped, without its pages. So every load finds a page, and what it finds is the stamp or
    /// zero.
    @Test(arguments: Engines.all)
    func pagesThatLeave(engine: PinEngine) throws {
      try race("access against a range that keeps its mapping", engine: engine) { torture, machine in
        let space = try movingSpace(machine, engine: engine)
        try space.map(at: Self.there.start, pages: Self.there.pages, protection: .readWrite)
        let seen = torture.tally("stamps that were seen", goal: 16)
        torture.run([
          mover(space, unmapsOldRange: false),
          Worker("look", threads: 2) { run in
            while run.next() {
              let page = run.random.below(Self.here.pages)
              let region = run.random.oneIn(2) ? Self.here : Self.there
              let word = try space.load(at: region.address(page), as: UInt64.self)
              let right = Stamp(owner: 1, page: page, life: 1).word
              torture.expect(word == right || word == 0, "page \(page) shows 0x\(String(word, radix: 16)) on its way")
              if word == right { seen.count() }
            }
          },
          .neighbour(machine, engine: engine, torture),
        ])
        space.exit()
      }
    }

    private func movingSpace(_ machine: Machine, engine: PinEngine) throws -> AddressSpace {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: Self.here.start, pages: Self.here.pages, protection: .readWrite)
      for page in 0..<Self.here.pages {
        try space.stamp(Stamp(owner: 1, page: page, life: 1), at: Self.here.address(page))
      }
      return space
    }

    private func mover(_ space: AddressSpace, unmapsOldRange: Bool = true) -> Worker {
      Worker("move") { run in
        var (from, to) = (Self.here, Self.there)
        while run.next() {
          try space.remap(
            at: from.start, pages: from.pages, to: to.start, newPages: to.pages, unmapsOldRange: unmapsOldRange)
          swap(&from, &to)
          run.pauseRandomly()
        }
      }
    }

    /// A page is stamped from the beginning: a reader of zero, or of another page's stamp, found the wrong page.
    private func identity(_ space: AddressSpace, _ torture: Torture) -> Worker {
      Worker("look") { run in
        while run.next() {
          let page = run.random.below(Self.here.pages)
          let region = run.random.oneIn(2) ? Self.here : Self.there
          guard let word = try space.attemptLoad(at: region.address(page)) else { continue }
          let right = Stamp(owner: 1, page: page, life: 1).word
          torture.expect(word == right, "page \(page) shows 0x\(String(word, radix: 16)) on its way")
        }
      }
    }
  }
}
