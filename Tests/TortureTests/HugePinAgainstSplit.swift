import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// A page that is pinned stays its program's, whether one entry maps its 2 MiB or 512 do, and while the one becomes
  /// the other.
  @Suite struct HugePinAgainstSplit {
    @Test(arguments: Engines.all)
    func entriesAreSplit(engine: PinEngine) throws {
      try race("pin against split", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([
          .coherentPins(space, torture), .coherentRanges(space, torture), .collapsing(space, goal: 0, torture),
          .splitting(space, torture),
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func mappingsGoInParts(engine: PinEngine) throws {
      // Each life begins with 2 MiB and ends piecemeal. What is pinned stays what it was until it is released.
      try race("pin against partial unmap", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = HugeRegion.pages
        let whole = torture.tally("lives that began with 2 MiB", goal: 2)
        torture.run([
          .pinning(space, PinRole(region: region), torture),
          .neighbour(machine, engine: engine, torture),
          Worker("unmap") { run in
            while run.next() {
              try space.map(at: region.start, pages: 512, protection: .readWrite, hugePages: true)
              try space.stamp(region, life: run.turn)
              if space.entry(at: region.start).kind == .huge { whole.count() }
              run.pauseRandomly()
              try end(space, region, &run)
            }
          },
        ])
        space.exit()
      }
    }

    private func end(_ space: AddressSpace, _ region: Region, _ run: inout WorkerContext) throws {
      switch run.random.below(4) {
      case 0:
        try space.unmap(at: region.start, pages: 512)
      case 1:
        for page in (0..<region.pages).shuffled(using: &run.random) {
          try space.unmap(at: region.address(page), pages: min(73, 512 - 73 * page))
        }
      case 2:
        for page in (0..<region.pages).shuffled(using: &run.random) {
          try space.advise(at: region.address(page), pages: 1, .dontNeed)
        }
      default:
        break  // The next life is mapped over it.
      }
    }
  }
}
