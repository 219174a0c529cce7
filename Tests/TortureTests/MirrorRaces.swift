import Foundation
import TestSupport
import Testing
import UserPages

/// Threads that count up words of their own, one for each page and thread. Each access goes through the table or
/// through a mirror, as the dice fall. Program and mirror see one memory, no store is lost, and none comes back.
struct MirroredWords {
  let space: AddressSpace
  let mirror: Mirror
  let region: Region
  let threads: Int
  /// What has been stored, `region.pages` words a thread.
  let published: Board

  init(_ space: AddressSpace, _ region: Region, threads: Int = 2, published: Board? = nil) throws {
    self.space = space
    self.region = region
    self.threads = threads
    self.published = published ?? Board(threads * region.pages)
    let length = region.address(region.pages - 1) + Page.size - region.start
    mirror = try space.mirror(at: region.start, pages: length / Page.size, for: .write)
  }

  private func load(_ address: VirtualAddress, _ run: inout WorkerContext) throws -> UInt64 {
    switch run.random.below(4) {
    case 0: try space.load(at: address)
    case 1: try mirror.withPage(at: address, for: .read) { $0.load(fromByteOffset: address.pageOffset) }
    default: try mirror.load(at: address)
    }
  }

  private func store(_ word: UInt64, at address: VirtualAddress, _ run: inout WorkerContext) throws {
    if run.random.oneIn(3) { try space.store(word, at: address) } else { try mirror.store(word, at: address) }
  }

  private func countUp(_ run: inout WorkerContext, _ torture: Torture) throws {
    let page = run.random.below(region.pages)
    let other = run.random.below(threads)
    let mine = run.index * region.pages + page
    // ORDER: what was announced by then must be seen.
    let before = published[other * region.pages + page]
    let own = published[mine]
    let seen = try load(region.address(page) + 8 * other, &run)
    torture.expect(seen >= before, "page \(page) shows \(seen) of thread \(other) after \(before) was stored")
    let last = try load(region.address(page) + 8 * run.index, &run)
    torture.expect(last == own, "thread \(run.index) stored \(own) to page \(page) and finds \(last)")
    try store(own + 1, at: region.address(page) + 8 * run.index, &run)
    published.announce(mine, own + 1)
    if run.random.oneIn(8) {
      let again = try load(region.address(page) + 8 * run.index, &run)
      torture.expect(again == own + 1, "thread \(run.index) stored \(own + 1) to page \(page) and finds \(again) then")
    }
  }

  func counting(_ torture: Torture, goal: Int = 64) -> Worker {
    let stored = torture.tally("words counted up", goal: goal)
    return Worker("count", threads: threads) { run in
      while run.next() {
        try countUp(&run, torture)
        stored.count()
        run.pauseRandomly()
      }
    }
  }
}

extension TortureTests {
  /// Mirrored loads and stores against every operation that leaves a page's contents as they are.
  @Suite struct MirrorRaces {
    private func words(
      _ name: String, engine: PinEngine, frames: Int = 1024, swapPages: Int = 0,
      _ disturbers: (AddressSpace, Region, MirroredWords, Machine, Torture) throws -> [Worker]
    ) throws {
      try race("mirror against \(name)", engine: engine, frames: frames, swapPages: swapPages) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        let words = try MirroredWords(space, region)
        torture.run([words.counting(torture)] + (try disturbers(space, region, words, machine, torture)))
        space.exit()
      }
    }

    /// The parent's pages are write-protected and copied. No store reaches a child, and none is lost.
    @Test(arguments: Engines.all)
    func fork(engine: PinEngine) throws {
      try words("fork, copy-on-write", engine: engine) { space, region, words, _, torture in
        [
          Worker("fork") { run in
            while run.next() {
              let before = (0..<words.threads * region.pages).map { words.published[$0] }
              let child = try space.fork()
              let first = try child.load(at: region.start, count: region.pages * Page.size)
              for thread in 0..<words.threads {
                for page in 0..<region.pages {
                  let seen = MemoryStore.word(first, at: page * Page.size + 8 * thread)
                  torture.expect(seen >= before[thread * region.pages + page], "a child lacks a store before the fork")
                }
              }
              run.pauseRandomly()
              // The parent's pages become its own again, or the child's.
              let page = run.random.below(region.pages)
              try child.store(UInt64.max, at: region.address(page) + 512)
              let again = try child.load(at: region.start, count: region.pages * Page.size)
              var expected = first
              for byte in 0..<8 { expected[page * Page.size + 512 + byte] = 0xff }
              torture.expect(again == expected, "a store of the parent reached the child")
              child.exit()
            }
          }
        ]
      }
    }

    @Test(arguments: Engines.all)
    func pageOut(engine: PinEngine) throws {
      try words("swap-out", engine: engine, swapPages: 64) { space, region, _, machine, torture in
        [.pagingOut(space, region, threads: 2, torture), .neighbour(machine, engine: engine, torture)]
      }
    }

    /// A pin's device and the program share the page: each finds what the other has stored, by the mirror too.
    @Test(arguments: Engines.all)
    func pins(engine: PinEngine) throws {
      try words("pins", engine: engine) { space, region, words, _, torture in
        let options: [PinOptions] = [.write, [.write, .longTerm], [.get, .write], [.write, .fastOnly]]
        let held = torture.tally("pins", goal: 16)
        return [
          Worker("pin", threads: 2) { run in
            let place = Stamp.deviceOffset(run.index)
            while run.next() {
              let address = region.address(run.random.below(region.pages))
              let option = options[run.random.below(options.count)]
              guard let pin = try space.pin(at: address, option, orGiveUpOn: [.tryAgain]) else { continue }
              pin.deviceBytes.store(UInt64(run.turn), toByteOffset: place)
              let seen: UInt64 = try words.mirror.load(at: address + place)
              torture.expect(seen == UInt64(run.turn), "the mirror shows \(seen), the device stored \(run.turn)")
              try words.mirror.store(UInt64(run.turn) + 1, at: address + place)
              let found = pin.deviceBytes.load(fromByteOffset: place, as: UInt64.self)
              torture.expect(found == UInt64(run.turn) + 1, "the device finds \(found), not what the mirror stored")
              run.pauseRandomly()
              pin.release(dirty: true)
              held.count()
            }
          }
        ]
      }
    }

    @Test(arguments: Engines.all)
    func reclaim(engine: PinEngine) throws {
      try words("reclaim", engine: engine, frames: 256, swapPages: 64) { _, _, _, machine, torture in
        [.reclaiming(machine, torture), .neighbour(machine, engine: engine, torture)]
      }
    }

    /// Long-term pins take the pages out of movable frames.
    @Test(arguments: Engines.all)
    func moves(engine: PinEngine) throws {
      try race("mirror against moves", engine: engine, frames: 256, movable: 200, swapPages: 64) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        let pinned = torture.tally("long-term pins", goal: 8)
        torture.run([
          try MirroredWords(space, region).counting(torture),
          // What comes back is movable again.
          .pagingOut(space, region, threads: 1, torture),
          Worker("pin for long") { run in
            while run.next() {
              let address = region.address(run.random.below(region.pages))
              let allowed: [PageError] = [.tryAgain, .outOfMemory]
              guard let pin = try space.pin(at: address, .longTerm, orGiveUpOn: allowed) else { continue }
              run.pauseRandomly()
              pin.release()
              pinned.count()
            }
          },
        ])
        space.exit()
      }
    }

    /// Protection that never forbids what the counting threads do, and comes and goes on entries beside.
    @Test(arguments: Engines.all)
    func otherPages(engine: PinEngine) throws {
      try words("changes of other pages", engine: engine) { space, region, _, _, torture in
        let beside = region.start + 64 * Page.size
        return [
          Worker("change") { run in
            while run.next() {
              try space.map(at: beside, pages: 8, protection: .readWrite)
              for page in 0..<8 { try space.store(UInt64(page), at: beside + page * Page.size) }
              try space.protect(at: beside, pages: 4, .read)
              try space.advise(at: beside + 4 * Page.size, pages: 4, .dontNeed)
              try space.unmap(at: beside, pages: 8)
              run.pauseRandomly()
            }
          }
        ]
      }
    }

    @Test(arguments: Engines.all)
    func migration(engine: PinEngine) throws {
      try race("mirror against migration", engine: engine) { torture, machine in
        let region = Region(at: 0x7000_0000, pages: 4)
        let image = try Image(machine.memory, pages: region.pages) { _ in 0 }
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(
          at: region.start, pages: region.pages, protection: .readWrite, sharing: .shared, backing: .mixed(image))
        torture.run([.migrating(image, torture), try MirroredWords(space, region).counting(torture)])
        space.exit()
      }
    }

    @Test(arguments: Engines.all, [PageCache.Stability.none, .adapts])
    func writeBack(engine: PinEngine, stability: PageCache.Stability) throws {
      try race("mirror against write-back, eviction, stability \(stability)", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 12, limit: 5, stability: stability)
        let published = Board(2 * race.region.pages)
        torture.run([
          try MirroredWords(race.space, race.region, published: published).counting(torture),
          race.evicting(torture, goal: 8), race.syncing(published, threads: 2, torture),
        ])
        try race.compare(torture)
        race.space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func collapseAndSplit(engine: PinEngine) throws {
      try race("mirror against collapse, split", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = try mirroredHugePages(machine, engine)
        torture.run([
          try MirroredWords(space, HugeRegion.pages).counting(torture), .collapsing(space, torture),
          .splitting(space, torture),
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func breakUp(engine: PinEngine) throws {
      try race("mirror against break-up", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = try mirroredHugePages(machine, engine)
        torture.run([try MirroredWords(space, HugeRegion.pages).counting(torture), .breakingUp(space, torture)])
        space.exit()
      }
    }

    private func mirroredHugePages(_ machine: Machine, _ engine: PinEngine) throws -> AddressSpace {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: HugeRegion.start, pages: Page.pagesPerHuge, protection: .readWrite, hugePages: true)
      // Memory that was never stored to cannot be collapsed (`EINVAL`).
      try space.store(UInt64(0), at: HugeRegion.start)
      return space
    }
  }
}
