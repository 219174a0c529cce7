import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// A 2 MiB frame is broken up only if no part of it is held: its counts would be the wrong frame's.
  @Suite struct HugePinAgainstBreakUp {
    @Test(arguments: Engines.all)
    func single(engine: PinEngine) throws {
      try race("pin against break-up", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([
          .coherentPins(space, torture), .counting(space, threads: 1, torture), .breakingUp(space, torture),
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func whatIsLeftOfAnUnmap(engine: PinEngine) throws {
      // The parts that a partial unmap left are freed by the break-up, and given to others at once.
      try race("pin against break-up after unmap", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = HugeRegion.pages
        torture.run([
          .pinning(space, PinRole(region: region), torture),
          .neighbour(machine, engine: engine, torture),
          Worker("unmap and break up") { run in
            while run.next() {
              try space.map(at: region.start, pages: 512, protection: .readWrite, hugePages: true)
              try space.stamp(region, life: run.turn)
              run.pauseRandomly()
              let gone = run.random.below(region.pages)
              try space.unmap(at: region.start, pages: 73 * gone + 1)
              run.breakUp(space)
              run.pauseRandomly()
              for page in gone + 1..<region.pages {
                try space.stamp(Stamp(owner: 1, page: page, life: run.turn), at: region.address(page))
              }
            }
          },
        ])
        space.exit()
      }
    }
  }
}
