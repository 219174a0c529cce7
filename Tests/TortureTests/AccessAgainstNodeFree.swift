import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Loads and stores that walk down while the nodes on their way are unlinked and freed.
  @Suite struct AccessAgainstNodeFree {
    @Test(arguments: Engines.all)
    func sparse(engine: PinEngine) throws {
      for (index, region) in FarApart.all.enumerated() {
        try race("access against node free \(index)", engine: engine) { torture, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          torture.run(
            seconds: TortureTime.perPair / 2,
            [
              .loading(space, region, torture),
              .storing(space, region, torture),
              .neighbour(machine, engine: engine, torture),
              Worker("map and unmap") { run in
                while run.next() {
                  for page in 0..<region.pages {
                    try space.map(at: region.address(page), pages: 1, protection: .readWrite)
                    try space.stamp(Stamp(owner: 1, page: page, life: 1), at: region.address(page))
                  }
                  run.pauseRandomly()
                  for page in (0..<region.pages).shuffled(using: &run.random) {
                    try space.unmap(at: region.address(page), pages: 1)
                  }
                }
              },
            ])
          space.exit()
        }
      }
    }

    @Test(arguments: Engines.all)
    func neighboursInOneNode(engine: PinEngine) throws {
      // One page of a node stays mapped while its neighbours come and go: the node must not go with them.
      try race("a node that stays", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x10_0000_0000, pages: 4, stride: 128 * Page.size)
        try space.map(at: region.address(0), pages: 1, protection: .readWrite)
        torture.run([
          Worker("count") { run in
            while run.next() {
              try space.store(UInt64(run.turn), at: region.address(0))
              let seen = try space.load(at: region.address(0), as: UInt64.self)
              torture.expect(seen == UInt64(run.turn), "stored \(run.turn), found \(seen)")
            }
          },
          Worker("come and go", threads: 2) { run in
            let address = region.address(1 + run.index)
            while run.next() {
              try space.map(at: address, pages: 1, protection: .readWrite)
              try space.store(UInt64(run.turn), at: address)
              let seen = try space.load(at: address, as: UInt64.self)
              torture.expect(seen == UInt64(run.turn), "stored \(run.turn), found \(seen)")
              try space.unmap(at: address, pages: 1)
            }
          },
        ])
        space.exit()
      }
    }
  }
}
