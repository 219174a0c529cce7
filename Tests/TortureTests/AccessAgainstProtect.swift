import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// When `protect` has returned, no later store succeeds and no store in flight lands.
  @Suite struct AccessAgainstProtect {
    @Test(arguments: Engines.all, [Protection.read, .none])
    func stores(engine: PinEngine, writeProtected: Protection) throws {
      try race("store against protect \(writeProtected.rawValue)", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        let file = try PageCacheFile(machine.memory, pages: region.pages)
        // The file shows what is in the pages even where the mapping may not be read.
        try space.map(
          at: region.start, pages: region.pages, protection: .readWrite, sharing: .shared, backing: .file(file))
        let window = ProtectionWindow()
        let looks = torture.tally("windows looked into", goal: 4)
        torture.run([
          .protecting(space, region, to: writeProtected, window) { run in
            let before = try file.read(at: 0, count: region.pages * Page.size)
            for _ in 0..<4 { run.pauseRandomly() }
            let after = try file.read(at: 0, count: region.pages * Page.size)
            torture.expect(before == after, "a store landed after protect had returned")
            looks.count()
          },
          attempts(space, region, window, torture),
          attempts(space, region, window, torture),
        ])
        space.exit()
        file.drop()
      }
    }

    private func attempts(
      _ space: AddressSpace, _ region: Region, _ window: ProtectionWindow, _ torture: Torture
    ) -> Worker {
      let refused = torture.tally("stores refused in a window", goal: 2)
      let granted = torture.tally("stores granted", goal: 2)
      return Worker("store") { run in
        while run.next() {
          let address = region.address(run.random.below(region.pages)) + 8 * run.random.below(512)
          let before = window.current
          let stored = try space.attemptStore(run.random.next(), at: address)
          let inside = before != 0 && window.current == before
          if stored {
            torture.expect(!inside, "a store began and succeeded in window \(before)")
            granted.count()
          } else if inside {
            refused.count()
          }
        }
      }
    }

    @Test(arguments: Engines.all)
    func loads(engine: PinEngine) throws {
      try race("load against protect", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        try space.stamp(region, life: 1)
        let window = ProtectionWindow()
        let refused = torture.tally("loads refused in a window", goal: 2)
        let granted = torture.tally("loads granted", goal: 2)
        torture.run([
          .protecting(space, region, to: .none, window),
          Worker("load", threads: 2) { run in
            while run.next() {
              let page = run.random.below(region.pages)
              let before = window.current
              let word = try space.attemptLoad(at: region.address(page))
              let inside = before != 0 && window.current == before
              if let word {
                torture.expect(!inside, "a load began and succeeded in window \(before)")
                let right = Stamp(owner: 1, page: page, life: 1).word
                torture.expect(word == right, "page \(page) lost its stamp: 0x\(String(word, radix: 16))")
                granted.count()
              } else if inside {
                refused.count()
              }
            }
          },
        ])
        space.exit()
      }
    }
  }
}
