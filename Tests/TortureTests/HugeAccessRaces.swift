import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Loads and stores while the entry below them changes its size, its frame and its owner: none is lost.
  @Suite struct HugeAccessRaces {
    @Test(arguments: Engines.all)
    func split(engine: PinEngine) throws {
      try race("access against split", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([
          .counting(space, torture), .collapsing(space, goal: 1, torture), .splitting(space, torture),
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func collapse(engine: PinEngine) throws {
      try race("access against collapse", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([.counting(space, torture), .collapsing(space, torture)])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func breakUp(engine: PinEngine) throws {
      try race("access against break-up", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([.counting(space, torture), .breakingUp(space, torture)])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func fork(engine: PinEngine) throws {
      try race("access against fork of 2 MiB", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([.counting(space, torture), .forking(space, torture), .collapsing(space, goal: 0, torture)])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func forkAlone(engine: PinEngine) throws {
      // A thread splits or collapses only if it must: the entry stays one as long as it can.
      try race("access against fork of 2 MiB, alone", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([.counting(space, threads: 1, torture), .forking(space, torture)])
        space.exit()
      }
    }
  }
}
