import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pages of an image move to and fro under loads and stores: no store is lost, no load sees an older page.
  @Suite struct AccessAgainstMigration {
    @Test(arguments: Engines.all)
    func counters(engine: PinEngine) throws {
      try race("access against migration", engine: engine) { torture, machine in
        let region = Region(at: 0x7000_0000, pages: 4)
        let image = try Image(machine.memory, pages: region.pages) { _ in 0 }
        let view = Region(at: 0x7800_0000, pages: region.pages)
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(
          at: region.start, pages: region.pages, protection: .readWrite, sharing: .shared, backing: .mixed(image))
        try space.map(at: view.start, pages: view.pages, protection: .read, backing: .mixed(image))
        torture.run([.migrating(image, torture), CountedWords(space, region, view: view).counting(torture)])
        space.exit()
      }
    }

    /// Forks inherit entries that show either place, and see what the parent stores through each.
    @Test(arguments: Engines.all)
    func children(engine: PinEngine) throws {
      try race("a child against migration", engine: engine) { torture, machine in
        let region = Region(at: 0x7000_0000, pages: 3)
        let image = try Image(machine.memory, pages: region.pages) { _ in 0 }
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(
          at: region.start, pages: region.pages, protection: .readWrite, sharing: .shared, backing: .mixed(image))
        torture.run([
          .migrating(image, torture),
          Worker("fork") { run in
            while run.next() {
              let child = try space.fork()
              let address = region.address(run.random.below(region.pages))
              _ = try child.load(at: address, as: UInt64.self)
              run.pauseRandomly()
              try space.store(UInt64(run.turn), at: address)
              let seen = try child.load(at: address, as: UInt64.self)
              torture.expect(seen == UInt64(run.turn), "the child sees \(seen) after \(run.turn) was stored")
              child.exit()
            }
          },
        ])
        space.exit()
      }
    }

    /// Private mappings copy a page from wherever it is at that moment.
    @Test(arguments: Engines.all)
    func copies(engine: PinEngine) throws {
      try race("copy-on-write against migration", engine: engine) { torture, machine in
        let region = Region(at: 0x7000_0000, pages: 4)
        let image = try Image(machine.memory, pages: region.pages) { UInt8(0x40 + $0) }
        let space = AddressSpace(machine.memory, engine: engine)
        torture.run([
          .migrating(image, torture),
          .neighbour(machine, engine: engine, torture),
          Worker("copy") { run in
            while run.next() {
              try space.map(at: region.start, pages: region.pages, protection: .readWrite, backing: .mixed(image))
              for page in 0..<region.pages {
                let address = region.address(page)
                if run.random.oneIn(2) { _ = try space.load(at: address, as: UInt64.self) }
                try space.store(UInt64(run.turn), at: address)
                let bytes = try space.load(at: address, count: Page.size)
                torture.expect(
                  bytes[8...].allSatisfy { $0 == UInt8(0x40 + page) }, "a copy of page \(page) holds another's bytes")
                let word = try space.load(at: address, as: UInt64.self)
                torture.expect(word == UInt64(run.turn), "page \(page) shows \(word), not \(run.turn)")
              }
            }
          },
        ])
        space.exit()
        let isAsItWas = try (0..<region.pages).allSatisfy { page in
          try image.read(at: page * Page.size, count: Page.size).allSatisfy { $0 == UInt8(0x40 + page) }
        }
        #expect(isAsItWas, "a private store reached the image")
      }
    }
  }
}

extension Worker {
  /// Moves pages of an image into the page cache and back, over and over. A page that is held stays.
  static func migrating(_ image: Image, _ torture: Torture) -> Worker {
    let moved = torture.tally("pages moved back", goal: 16)
    return Worker("migrate") { run in
      while run.next() {
        let page = run.random.below(image.pageCount)
        try image.migrateToCache(page: page)
        run.pauseRandomly()
        if try tolerating(.busy, body: { () throws(PageError) in try image.migrateToImage(page: page) }) {
          moved.count()
        }
      }
    }
  }
}
