import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pages of an image move; the holder of one has the page that the program sees, for as long as it is held.
  @Suite struct PinAgainstMigration {
    @Test(arguments: Engines.all)
    func coherence(engine: PinEngine) throws {
      try race("pin against migration", engine: engine) { torture, machine in
        let region = Region(at: 0x7000_0000, pages: 4)
        let image = try Image(machine.memory, pages: region.pages) { _ in 0 }
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(
          at: region.start, pages: region.pages, protection: .readWrite, sharing: .shared, backing: .mixed(image))
        let published = Board(region.pages)
        torture.run([
          .migrating(image, torture),
          .neighbour(machine, engine: engine, torture),
          Worker("store") { run in
            while run.next() {
              let page = run.random.below(region.pages)
              try space.store(UInt64(run.turn), at: region.address(page))
              published.announce(page, UInt64(run.turn))
              run.pauseRandomly()
            }
          },
          holding(space, region, published, torture),
        ])
        space.exit()
      }
    }

    private func holding(_ space: AddressSpace, _ region: Region, _ published: Board, _ torture: Torture) -> Worker {
      let held = torture.tally("coherent pins", goal: 16)
      let options: [PinOptions] = [.write, [], .get, [.get, .write], [.write, .fastOnly], .fastOnly]
      return Worker("pin", threads: 2) { run in
        while run.next() {
          let page = run.random.below(region.pages)
          let options = options[run.random.below(options.count)]
          // A page that is in its place has no descriptor, and so no pins.
          let pin = try space.pin(at: region.address(page), options, orGiveUpOn: [.tryAgain, .badAddress])
          guard let pin else { continue }
          for _ in 0..<3 {
            let before = published[page]
            let seen = pin.deviceBytes.load(as: UInt64.self)
            torture.expect(
              seen >= before, "pin \(options.rawValue) of page \(page) shows \(seen) after \(before) was stored")
            run.pauseRandomly()
          }
          if options.contains(.write) {
            let place = Stamp.deviceOffset(run.index)
            pin.deviceBytes.store(UInt64(run.turn), toByteOffset: place)
            run.pauseRandomly()
            let seen = try space.load(at: region.address(page) + place, as: UInt64.self)
            torture.expect(seen == UInt64(run.turn), "the program sees \(seen), the device wrote \(run.turn)")
          }
          pin.release(dirty: options.contains(.write))
          held.count()
        }
      }
    }
  }
}
