import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Loads, stores and pins while the mapping under them is replaced again and again: the address is never unmapped.
  @Suite struct AccessAgainstReplace {
    @Test(arguments: Engines.all)
    func neverAHole(engine: PinEngine) throws {
      let pages = 64
      try race("access against replacement", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x5000_0000, pages: pages)
        try space.map(at: region.start, pages: pages, protection: .readWrite)
        torture.run([
          Worker("replace", threads: 2) { run in
            while run.next() { try space.map(at: region.start, pages: pages, protection: .readWrite) }
          },
          Worker("access") { run in
            while run.next() {
              let address = region.address(run.random.below(pages))
              try space.store(UInt64(run.turn), at: address)
              _ = try space.load(at: address, as: UInt64.self)
            }
          },
          Worker("pin") { run in
            while run.next() { try space.pin(at: region.address(run.random.below(pages)), .write).release() }
          },
          Worker("populate") { run in
            while run.next() { try space.advise(at: region.start, pages: pages, .populateWrite) }
          },
        ])
        space.exit()
      }
    }
  }
}
