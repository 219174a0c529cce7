import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// A collapse copies pages, so it takes none that is held. One that is held is never left behind.
  @Suite struct HugePinAgainstCollapse {
    @Test(arguments: Engines.all)
    func single(engine: PinEngine) throws {
      try race("pin against collapse", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([.coherentPins(space, torture), .collapsing(space, torture)])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func ranges(engine: PinEngine) throws {
      try race("range pin against collapse", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([
          .coherentRanges(space, torture), .counting(space, threads: 1, torture), .collapsing(space, torture),
        ])
        space.exit()
      }
    }
  }
}
