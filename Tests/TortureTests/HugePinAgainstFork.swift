import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// What is pinned of 2 MiB stays the parent's while forks come and go. A pin for reading unshares first.
  @Suite struct HugePinAgainstFork {
    @Test(arguments: Engines.all)
    func pins(engine: PinEngine) throws {
      // A child of a pinned parent gets 2 MiB of copies, a grandchild may share them.
      try race("pin against fork of 2 MiB", engine: engine, frames: 2 * HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([
          .coherentPins(space, torture), .forking(space, torture), .collapsing(space, goal: 0, torture),
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func forReading(engine: PinEngine) throws {
      try race("unshare against fork of 2 MiB", engine: engine, frames: 2 * HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([
          .coherentPins(space, options: [[], .fastOnly, .longTerm], torture), .forking(space, torture),
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func ranges(engine: PinEngine) throws {
      try race("range pin against fork of 2 MiB", engine: engine, frames: 2 * HugeRegion.frames) { torture, machine in
        let space = try HugeRegion.space(machine, engine: engine)
        torture.run([.coherentRanges(space, torture), .forking(space, torture)])
        space.exit()
      }
    }
  }
}
