import TestSupport
import Testing
import UserPages

/// Pages so far apart that each has table nodes of its own, at every level.
enum FarApart {
  /// One page in each gibibyte.
  static let perGibibyte = Region(at: 0x10_0000_0000, pages: 4, stride: 1 << 30)
  /// One page in each 2 MiB: the lowest nodes alone.
  static let perTwoMebibytes = Region(at: 0x10_0000_0000, pages: 4, stride: 2 << 20)
  /// One page in each 512 GiB: every level below the root.
  static let perRootEntry = Region(at: 0x80_0000_0000, pages: 4, stride: 1 << 39)
  /// All of them.
  static let all = [perTwoMebibytes, perGibibyte, perRootEntry]
}

extension TortureTests {
  /// A pin that walks down while the nodes it walks through are unlinked and freed.
  @Suite struct PinAgainstNodeFree {
    @Test(arguments: Engines.all)
    func sparse(engine: PinEngine) throws {
      for (index, region) in FarApart.all.enumerated() {
        try race("pin against node free \(index)", engine: engine) { torture, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          torture.run(
            seconds: TortureTime.perPair / 2,
            [
              .pinning(space, PinRole(region: region), torture),
              .neighbour(machine, engine: engine, torture),
              mapper(space, region),
            ])
          #expect(torture.failures == [])
          try lookForGrowth(space, region, machine)
          space.exit()
        }
      }
    }

    private func mapper(_ space: AddressSpace, _ region: Region) -> Worker {
      Worker("map and unmap") { run in
        while run.next() {
          for page in 0..<region.pages {
            try space.map(at: region.address(page), pages: 1, protection: .readWrite)
            try space.stamp(Stamp(owner: 1, page: page, life: run.turn), at: region.address(page))
          }
          run.pauseRandomly()
          for page in (0..<region.pages).shuffled(using: &run.random) {
            try space.unmap(at: region.address(page), pages: 1)
          }
        }
      }
    }

    /// Mapping and unmapping for ever must not keep nodes.
    private func lookForGrowth(_ space: AddressSpace, _ region: Region, _ machine: Machine) throws {
      func nodesAfterOneRound() throws -> Int {
        for page in 0..<region.pages {
          try space.map(at: region.address(page), pages: 1, protection: .readWrite)
          try space.store(UInt64(1), at: region.address(page))
          try space.unmap(at: region.address(page), pages: 1)
        }
        machine.memory.flushDeferredFrees()
        return machine.memory.census().tableNodes
      }
      let first = try nodesAfterOneRound()
      var last = first
      for _ in 0..<20 { last = try nodesAfterOneRound() }
      #expect(last == first)
    }
  }
}
