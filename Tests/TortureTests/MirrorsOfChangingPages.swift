import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Mirrored accesses to pages that operations empty, drop or replace. In `MirrorRaces` pages keep their contents.
  @Suite struct MirrorsOfChangingPages {
    private static let region = Region(at: 0x7000_0000, pages: 4)

    private func space(_ machine: Machine, _ engine: PinEngine) throws -> AddressSpace {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: Self.region.start, pages: Self.region.pages, protection: .readWrite)
      return space
    }

    private static func mirror(of space: AddressSpace, _ region: Region = region) throws -> Mirror {
      try space.mirror(at: region.start, pages: region.pages, for: .write)
    }

    /// While the markers are there, which the board says by an odd number, each mirrored access is refused. What comes
    /// after them is zeroes, or what was stored since.
    @Test(arguments: Engines.all)
    func guards(engine: PinEngine) throws {
      try race("mirror against guard markers", engine: engine) { torture, machine in
        let space = try space(machine, engine)
        let mirror = try Self.mirror(of: space)
        let epoch = Board(1)
        let refused = torture.tally("refusals", goal: 16)
        let stored = torture.tally("mirrored stores", goal: 16)
        torture.run([
          Worker("guard") { run in
            while run.next() {
              try space.advise(at: Self.region.start, pages: Self.region.pages, .guardInstall)
              epoch[0] += 1
              run.pauseRandomly()
              epoch[0] += 1
              try space.advise(at: Self.region.start, pages: Self.region.pages, .guardRemove)
              run.pauseRandomly()
            }
          },
          Worker("mirrored access", threads: 2) { run in
            while run.next() {
              let address = Self.region.address(run.random.below(Self.region.pages)) + 8 * run.index
              let before = epoch[0]
              let word = UInt64(run.index + 1) << 32 | UInt64(run.turn)
              do throws(PageError) {
                let seen: UInt64 = try mirror.load(at: address)
                torture.expect(seen == 0 || seen >> 32 == UInt64(run.index + 1), "a mirror shows \(seen)")
                try mirror.store(word, at: address)
                torture.expect(before & 1 == 0 || epoch[0] != before, "a mirrored access went through a marker")
                stored.count()
              } catch {
                torture.expect(error == .badAddress, "a mirrored access failed with \(error.name)")
                refused.count()
              }
            }
          },
          .neighbour(machine, engine: engine, torture),
        ])
        space.exit()
      }
    }

    /// A thread's mirrored store that comes after its own advice is kept, whatever others drop meanwhile.
    @Test(arguments: Engines.all)
    func lazilyFreedPages(engine: PinEngine) throws {
      try race("mirror against lazily freed pages", engine: engine, swapPages: 64) { torture, machine in
        let space = try space(machine, engine)
        let mirror = try Self.mirror(of: space)
        let kept = torture.tally("stores after the advice", goal: 16)
        torture.run([
          // Each thread has two pages of its own.
          Worker("free and store", threads: 2) { run in
            while run.next() {
              let address = Self.region.address(2 * run.index + run.random.below(2))
              try mirror.store(UInt64(run.turn), at: address)
              try space.advise(at: address, pages: 1, .free)
              run.pauseRandomly()
              let seen: UInt64 = try mirror.load(at: address)
              torture.expect(seen == 0 || seen == UInt64(run.turn), "a freed page shows \(seen)")
              try mirror.store(UInt64(run.turn) + 1, at: address + 8)
              run.pauseRandomly()
              let after: UInt64 = try mirror.load(at: address + 8)
              torture.expect(after == UInt64(run.turn) + 1, "a mirrored store after the advice was lost: \(after)")
              kept.count()
            }
          },
          Worker("page out") { run in
            while run.next() {
              _ = try tolerating(.outOfMemory) { () throws(PageError) in
                try space.advise(at: Self.region.start, pages: Self.region.pages, .pageOut)
              }
              run.pauseRandomly()
            }
          },
          .neighbour(machine, engine: engine, torture),
        ])
        space.exit()
      }
    }

    /// Pages before the holes keep their words. Behind it, the mirror shows zeroes once the call has returned.
    @Test(arguments: Engines.all)
    func holes(engine: PinEngine) throws {
      try race("mirror against holes of a cache", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 8, limit: 6)
        let kept = Region(at: race.region.start, pages: 4)
        let behind = Region(at: race.region.address(4), pages: 4)
        let mirror = try Self.mirror(of: race.space, behind)
        let published = Board(2 * kept.pages)
        let holes = torture.tally("holes", goal: 8)
        torture.run([
          try MirroredWords(race.space, kept, published: published).counting(torture),
          race.evicting(torture, goal: 4), .syncing(race.cache),
          Worker("hole") { run in
            while run.next() {
              let page = run.random.below(behind.pages)
              let address = behind.address(page)
              try mirror.store(UInt64(run.turn + 1), at: address)
              run.pauseRandomly()
              let seen: UInt64 = try mirror.load(at: address)
              torture.expect(seen == UInt64(run.turn + 1), "a mirrored store was lost: \(seen)")
              try race.cache.punchHole(4 + page..<8)
              let after: UInt64 = try mirror.load(at: address)
              torture.expect(after == 0, "a hole shows \(after) to a mirror")
              holes.count()
            }
          },
        ])
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// A cache that forgets its pages, and other ones in their frames: each page is always the file's.
    @Test(arguments: Engines.all)
    func invalidation(engine: PinEngine) throws {
      try race("mirror against invalidation", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 8, limit: 6)
        @Sendable func word(_ page: Int) -> UInt64 { UInt64(page + 1) << 32 }
        for page in 0..<race.region.pages { try race.space.store(word(page), at: race.region.address(page)) }
        try race.cache.sync()
        let mirror = try Self.mirror(of: race.space, race.region)
        let loaded = torture.tally("mirrored loads", goal: 64)
        torture.run([
          Worker("invalidate", goal: 8) { run in
            while run.next() {
              try race.cache.invalidate()
              run.pauseRandomly()
            }
          },
          Worker("load", threads: 2) { run in
            while run.next() {
              let page = run.random.below(race.region.pages)
              let address = race.region.address(page)
              let seen: UInt64 = run.random.oneIn(3) ? try race.space.load(at: address) : try mirror.load(at: address)
              torture.expect(seen == word(page), "page \(page) shows \(seen)")
              loaded.count()
            }
          },
          race.evicting(torture, goal: 4),
        ])
        race.space.exit()
      }
    }

    /// 2 MiB that are emptied at once lose their table. The mirror shows zeroes then, and what is stored after.
    @Test(arguments: Engines.all)
    func tableReclaim(engine: PinEngine) throws {
      try race("mirror against table reclaim", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(at: HugeRegion.start, pages: Page.pagesPerHuge, protection: .readWrite)
        let mirror = try Self.mirror(of: space, Region(at: HugeRegion.start, pages: Page.pagesPerHuge))
        let emptied = torture.tally("2 MiB emptied", goal: 8)
        torture.run([
          Worker("empty") { run in
            while run.next() {
              let address = HugeRegion.start + run.random.below(Page.pagesPerHuge) * Page.size
              try mirror.store(UInt64(run.turn + 1), at: address)
              run.pauseRandomly()
              try space.advise(at: HugeRegion.start, pages: Page.pagesPerHuge, .dontNeed)
              let seen: UInt64 = try mirror.load(at: address)
              torture.expect(seen == 0, "a page that was given up shows \(seen)")
              emptied.count()
            }
          },
          // Words that the other thread does not look at.
          Worker("touch", threads: 2) { run in
            while run.next() {
              let address = HugeRegion.start + run.random.below(Page.pagesPerHuge) * Page.size + 8 * (run.index + 1)
              let seen: UInt64 = try mirror.load(at: address)
              torture.expect(seen == 0 || seen >> 32 == UInt64(run.index + 1), "a mirror shows \(seen)")
              try mirror.store(UInt64(run.index + 1) << 32 | UInt64(run.turn), at: address)
            }
          },
          .neighbour(machine, engine: engine, torture),
        ])
        space.exit()
      }
    }
  }
}
