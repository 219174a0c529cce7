import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Operations on mappings of a page cache's file, and ends of spaces, against write-back, eviction and truncation.
  @Suite struct CacheMappingRaces {
    /// Views that come, move, change and go: what was stored through one is in the file, and in the next one.
    @Test(arguments: Engines.all)
    func views(engine: PinEngine) throws {
      try race("views against write-back", engine: engine) { torture, machine in
        // Pages of views that have gone must make room for others.
        let race = try CacheRace(machine, engine: engine, pages: 8, limit: 5)
        let published = Board(3 * race.region.pages)
        let views = torture.tally("views", goal: 8)
        torture.run([
          race.counting(published, threads: 2, torture), race.evicting(torture, goal: 0),
          race.syncing(published, threads: 3, torture),
          Worker("view") { run in
            while run.next() {
              var view = try View(of: race, inAChild: run.random.oneIn(3))
              for _ in 0..<6 {
                try view.change(&run)
                let page = run.random.below(race.region.pages)
                let mine = 2 * race.region.pages + page
                let own = published[mine]
                let last = try view.space.load(at: view.address(page) + 16, as: UInt64.self)
                torture.expect(last == own, "views stored \(own) to page \(page), a later one finds \(last)")
                try view.space.store(own + 1, at: view.address(page) + 16)
                published.announce(mine, own + 1)
              }
              try view.end()
              views.count()
            }
          },
        ])
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// The file's tail is cut off and filled again, and gets holes, under views, forks and private copies.
    @Test(arguments: Engines.all)
    func cuts(engine: PinEngine) throws {
      try race("mappings against truncation", engine: engine, swapPages: 64) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 12, limit: 12)
        let (cache, region, kept) = (race.cache, race.region, 6)
        // Which round has begun to fill the tail, and which has cut it off.
        let rounds = Board(2)
        let cuts = torture.tally("cuts", goal: 8)
        let checks = CutChecks(region: region, kept: kept, rounds: rounds, torture: torture)
        torture.run([
          Worker("truncate") { run in
            while run.next() {
              rounds.announce(0, UInt64(run.turn + 1))
              let fill = [UInt8](repeating: UInt8(1 + run.turn % 250), count: Page.size)
              for page in kept..<region.pages { try cache.write(fill, at: page * Page.size) }
              run.pauseRandomly()
              if run.random.oneIn(3) {
                try cache.punchHole(kept..<region.pages)
              } else {
                try cache.setByteCount(kept * Page.size - run.random.below(2) * 100)
                try cache.setByteCount(region.pages * Page.size)
              }
              rounds.announce(1, UInt64(run.turn + 1))
              cuts.count()
              usleep(200)
            }
          },
          Worker("view") { run in
            while run.next() {
              var view = try View(of: race, inAChild: run.random.oneIn(3))
              for _ in 0..<6 {
                try view.change(&run)
                checks.look(at: kept + run.random.below(region.pages - kept), of: view)
                let page = run.random.below(kept - 1)
                try view.space.store(UInt64(run.turn), at: view.address(page) + 16)
                let last = try view.space.load(at: view.address(page) + 16, as: UInt64.self)
                torture.expect(last == UInt64(run.turn), "a store below the cut is lost")
              }
              try view.end()
            }
          },
          // Its copies below the cut stay. Those behind it go with the tail, or stay over a hole.
          Worker("copy") { run in
            let start: VirtualAddress = 0xC000_0000
            try race.space.map(
              at: start, pages: region.pages, protection: .readWrite, sharing: .private, backing: .mixed(cache))
            var own = [UInt64](repeating: 0, count: kept - 1)
            while run.next() {
              let page = run.random.below(kept - 1)
              if own[page] > 0 {
                let last = try race.space.load(at: start + page * Page.size, as: UInt64.self)
                torture.expect(last == own[page], "a private copy of page \(page) shows \(last), not \(own[page])")
              }
              own[page] = 1 << 63 | UInt64(run.turn)
              try race.space.store(own[page], at: start + page * Page.size)
              if run.random.oneIn(4) { try race.space.advise(at: start, pages: region.pages, .pageOut) }
              let tail = start + (kept + run.random.below(region.pages - kept)) * Page.size
              do throws(PageError) {
                let mark = 1 << 62 | UInt64(run.turn)
                try race.space.store(mark, at: tail)
                let seen = try race.space.load(at: tail, as: UInt64.self)
                torture.expect(seen == mark || CutChecks.isFill(seen), "a private copy of the tail shows \(seen)")
              } catch {
                torture.expect(error == .busError, "\(error)")
              }
            }
          },
          race.evicting(torture, goal: 0),
          .syncing(cache),
        ])
        try race.compare(torture)
        race.space.exit()
      }
    }
  }
}

/// A second mapping of a race's file, of the same space or of a child that ends with it.
private struct View {
  let space: AddressSpace
  let isChild: Bool
  let pages: Int
  private var start: VirtualAddress = 0x9000_0000
  private var elsewhere: VirtualAddress = 0xB000_0000

  init(of race: CacheRace, inAChild: Bool) throws {
    isChild = inAChild
    pages = race.region.pages
    space = inAChild ? try race.space.fork() : race.space
    try space.map(at: start, pages: pages, protection: .readWrite, sharing: .shared, backing: .mixed(race.cache))
  }

  func address(_ page: Int) -> VirtualAddress { start + page * Page.size }

  /// Moves the view, or changes its protection and back, or drops its entries.
  mutating func change(_ run: inout WorkerContext) throws {
    switch run.random.below(4) {
    case 0:
      try space.remap(at: start, pages: pages, to: elsewhere, newPages: pages)
      swap(&start, &elsewhere)
    case 1:
      try space.protect(at: start, pages: pages, .read)
      run.pauseRandomly()
      try space.protect(at: start, pages: pages, .readWrite)
    case 2:
      try space.advise(at: start, pages: pages, .dontNeed)
    default:
      run.pauseRandomly()
    }
  }

  func end() throws { if isChild { space.exit() } else { try space.unmap(at: start, pages: pages) } }
}

/// What may be seen behind a cut.
private struct CutChecks: Sendable {
  let region: Region
  let kept: Int
  let rounds: Board
  let torture: Torture

  /// A word of the tail: zeroes, or one byte over and over.
  static func isFill(_ word: UInt64) -> Bool { word == (word & 0xff) * 0x0101_0101_0101_0101 }

  func look(at page: Int, of view: View) {
    let isCut = rounds[1]
    let isQuiet = isCut > 0 && rounds[0] == isCut
    do throws(PageError) {
      let seen = try view.space.load(at: view.address(page), as: UInt64.self)
      torture.expect(Self.isFill(seen), "page \(page) shows \(seen)")
      // The next round had not begun to fill the tail when the word was read.
      guard isQuiet, rounds[0] == isCut else { return }
      torture.expect(seen == 0, "page \(page) shows \(seen), which was cut off before")
    } catch {
      torture.expect(error == .busError, "\(error)")
    }
  }
}
