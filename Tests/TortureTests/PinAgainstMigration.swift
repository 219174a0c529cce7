import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pages of an image move. The holder of one has the page that the program sees, for as long as it is held.
  @Suite struct PinAgainstMigration {
    @Test(arguments: Engines.all)
    func coherence(engine: PinEngine) throws {
      try race("pin against migration", engine: engine) { torture, machine in
        let region = Region(at: 0x7000_0000, pages: 4)
        let image = try Image(machine.memory, pages: region.pages) { _ in 0 }
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(
          at: region.start, pages: region.pages, protection: .readWrite, sharing: .shared, backing: .mixed(image))
        let coherent = CoherentPins(space, region)
        torture.run([
          .migrating(image, torture),
          .neighbour(machine, engine: engine, torture),
          coherent.storing(),
          // A page that is in its place has no descriptor, and so no pins.
          coherent.pinning(
            [.write, [], .get, [.get, .write], [.write, .fastOnly], .fastOnly], orGiveUpOn: [.tryAgain, .badAddress],
            torture),
        ])
        space.exit()
      }
    }
  }
}
