import TestSupport
import Testing
import UserPages

extension Worker {
  /// Loads stamps through a mirror, over and over: zero, or the owner's for this page. Never what the frame held
  /// before, or holds next.
  fileprivate static func loading(_ mirror: Mirror, _ region: Region, _ torture: Torture) -> Worker {
    let loaded = torture.tally("words loaded", goal: 16)
    return Worker("load") { run in
      while run.next() {
        let page = run.random.below(region.pages)
        let offset = Stamp.offsets[run.random.below(Stamp.offsets.count)]
        let isWhole = run.random.oneIn(4)
        let done = try tolerating(.badAddress) { () throws(PageError) in
          let word: UInt64
          if isWhole {
            let bytes = try mirror.load(at: region.address(page), count: Page.size)
            word = MemoryStore.word(bytes, at: offset)
          } else {
            word = try mirror.load(at: region.address(page) + offset)
          }
          let stamp = Stamp(word: word)
          torture.expect(
            word == 0 || (stamp?.owner == 1 && stamp.map { Int($0.page) } == page),
            "a mirrored load of page \(page) gave 0x\(String(word, radix: 16))")
        }
        if done { loaded.count() }
      }
    }
  }

  fileprivate static func storing(_ mirror: Mirror, _ region: Region, _ torture: Torture) -> Worker {
    let stored = torture.tally("words stored", goal: 16)
    return Worker("store") { run in
      while run.next() {
        let page = run.random.below(region.pages)
        let offset = Stamp.offsets[run.random.below(Stamp.offsets.count)]
        let word = Stamp(owner: 1, page: page, life: run.turn & 0xFFFF).word
        let done = try tolerating(.badAddress) { () throws(PageError) in
          try mirror.store(word, at: region.address(page) + offset)
        }
        if done { stored.count() }
      }
    }
  }
}

extension TortureTests {
  /// Mirrored loads and stores against every operation that takes a page away: the frame is another program's
  /// afterwards.
  @Suite struct MirrorStampRaces {
    private static let region = Region(at: 0x7000_0000, pages: 8)

    private func stamps(
      _ name: String, engine: PinEngine,
      _ change: @escaping @Sendable (AddressSpace, Region, inout WorkerContext) throws -> Void
    ) throws {
      try race("mirror against \(name)", engine: engine, frames: 96) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Self.region
        let mirror = try space.mirror(at: region.start, pages: region.pages, for: .write)
        torture.run([
          .loading(mirror, region, torture), .storing(mirror, region, torture),
          .neighbour(machine, engine: engine, torture),
          .mapping(space, region) { run in try change(space, region, &run) },
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func unmap(engine: PinEngine) throws {
      try stamps("unmap", engine: engine) { space, region, run in try unmapPiecemeal(space, region, &run) }
    }

    @Test(arguments: Engines.all)
    func replacement(engine: PinEngine) throws {
      try stamps("replacement", engine: engine) { _, _, _ in }
    }

    @Test(arguments: Engines.all)
    func exit(engine: PinEngine) throws {
      try stamps("exit", engine: engine) { space, _, _ in space.exit() }
    }

    @Test(arguments: Engines.all)
    func dontNeed(engine: PinEngine) throws {
      try stamps("dontNeed", engine: engine) { space, region, run in
        try space.advise(at: region.address(run.random.below(4)), pages: 4, .dontNeed)
      }
    }

    @Test(arguments: Engines.all)
    func protect(engine: PinEngine) throws {
      try stamps("protect", engine: engine) { space, region, run in
        try space.protect(at: region.start, pages: region.pages, run.random.oneIn(2) ? .read : .none)
        // No mirrored store lands any more.
        let before = try space.frameContents(region)
        run.pauseRandomly()
        let after = try space.frameContents(region)
        run.torture.expect(before == after, "a mirrored store landed after protect had returned")
      }
    }

    @Test(arguments: Engines.all)
    func remap(engine: PinEngine) throws {
      try stamps("remap", engine: engine) { space, region, run in
        let elsewhere = region.start + 64 * Page.size
        try space.remap(at: region.start, pages: region.pages, to: elsewhere, newPages: region.pages)
        let before = try space.load(at: elsewhere, count: region.pages * Page.size)
        run.pauseRandomly()
        let after = try space.load(at: elsewhere, count: region.pages * Page.size)
        run.torture.expect(before == after, "a mirrored store landed after remap had returned")
        if run.random.oneIn(2) {
          try space.remap(at: elsewhere, pages: region.pages, to: region.start, newPages: region.pages)
        } else {
          try space.unmap(at: elsewhere, pages: region.pages)
        }
      }
    }

    /// When unmap has returned, no mirrored store may still land: a shared file shows whatever lands.
    @Test(arguments: Engines.all)
    func unmapOfAFile(engine: PinEngine) throws {
      try race("mirror against unmap of a file", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Self.region
        let file = try PageCacheFile(machine.memory, pages: region.pages)
        let mirror = try space.mirror(at: region.start, pages: region.pages, for: .write)
        torture.run([
          .loading(mirror, region, torture), .storing(mirror, region, torture),
          .unmapping(file, space, region, torture),
        ])
        space.exit()
        file.drop()
      }
    }

    /// The file ends and grows again: what was cut off never comes back, and a page beyond the end is `badAddress`.
    @Test(arguments: Engines.all)
    func truncation(engine: PinEngine) throws {
      try race("mirror against truncation", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 8, limit: 6)
        let (cache, region) = (race.cache, race.region)
        let mirror = try race.space.mirror(at: region.start, pages: region.pages, for: .write)
        torture.run([
          .loading(mirror, region, torture), .storing(mirror, region, torture),
          Worker("truncate") { run in
            while run.next() {
              if run.random.oneIn(3) {
                try cache.punchHole(4..<8)
              } else {
                try cache.setByteCount(4 * Page.size)
                torture.expect(
                  (4..<8).allSatisfy { (try? mirror.load(at: region.address($0), as: UInt8.self)) == nil },
                  "a mirror shows a page beyond the end")
                try cache.setByteCount(8 * Page.size)
              }
              run.pauseRandomly()
            }
          },
        ])
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// Mirrors come and go, and spaces end, while others use them.
    @Test(arguments: Engines.all)
    func lifetimes(engine: PinEngine) throws {
      try race("mirrors that come and go", engine: engine, frames: 96) { torture, machine in
        let region = Self.region
        torture.run([
          .neighbour(machine, engine: engine, torture),
          Worker("live", threads: 2) { run in
            while run.next() {
              let mirror: Mirror
              let exits = run.random.oneIn(2)
              do {
                let space = AddressSpace(machine.memory, engine: engine)
                try space.map(at: region.start, pages: region.pages, protection: .readWrite)
                mirror = try space.mirror(at: region.start, pages: region.pages, for: .write)
                for page in 0..<region.pages { try mirror.store(UInt64(page), at: region.address(page)) }
                let second = try space.mirror(at: region.start, pages: 1)
                torture.expect(try second.load(at: region.start, as: UInt64.self) == 0, "another page")
                if exits { space.exit() }
              }
              run.pauseRandomly()
              let isStored = try tolerating(.badAddress) { () throws(PageError) in
                try mirror.store(UInt64(1), at: region.start)
              }
              torture.expect(isStored != exits, exits ? "a mirror reaches what went" : "a mirror lost its space")
            }
          },
        ])
      }
    }
  }
}

extension AddressSpace {
  /// What the frames of a region hold, past any protection.
  fileprivate func frameContents(_ region: Region) throws -> [[UInt8]] {
    try (0..<region.pages).map { page in
      let pin = try pin(at: region.address(page), [.get, .force])
      return pin.bytes.copy(count: Page.size)
    }
  }
}
