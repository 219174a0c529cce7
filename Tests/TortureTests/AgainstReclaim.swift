import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Reclaim of caches and of anonymous memory, against everything that uses their pages.
  @Suite struct AgainstReclaim {
    /// Holder and program see one page for as long as it is held. No store is lost.
    @Test(arguments: Engines.all)
    func pinsAndStores(engine: PinEngine) throws {
      try race("pins and stores against reclaim", engine: engine, swapPages: 64) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 8, limit: 8)
        let region = Region(at: 0x1000_0000, pages: 6)
        try race.space.map(at: region.start, pages: region.pages, protection: .readWrite)
        for page in 0..<region.pages { try race.space.store(UInt64(0), at: region.address(page)) }
        // All other pages are in use at every moment: of those reclaim frees one now and then, or none.
        let cold = Region(at: 0x2000_0000, pages: 16)
        try race.space.map(at: cold.start, pages: cold.pages, protection: .readWrite)
        for page in 0..<cold.pages { try race.space.store(UInt64(page), at: cold.address(page)) }
        let published = Board(2 * race.region.pages)
        torture.run([
          .reclaiming(machine, torture), .checking(race.space, cold, pause: 500, torture),
          race.counting(published, threads: 2, torture),
          race.syncing(published, threads: 2, torture), .countingAnonymous(race.space, region, torture),
          holding(race.space, region, torture),
        ])
        machine.memory.flushDeferredFrees()
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// What the device stores is what the program loads, and the other way round.
    private func holding(_ space: AddressSpace, _ region: Region, _ torture: Torture) -> Worker {
      let held = torture.tally("coherent pins", goal: 16)
      let options: [PinOptions] = [.write, [.write, .longTerm], [.get, .write], [.write, .fastOnly]]
      return Worker("pin", threads: 2) { run in
        while run.next() {
          let page = run.random.below(region.pages)
          let options = options[run.random.below(options.count)]
          guard let pin = try space.pin(at: region.address(page), options, orGiveUpOn: [.tryAgain]) else { continue }
          let place = Stamp.deviceOffset(run.index)
          pin.deviceBytes.store(UInt64(run.turn), toByteOffset: place)
          run.pauseRandomly()
          let seen = try space.load(at: region.address(page) + place, as: UInt64.self)
          torture.expect(seen == UInt64(run.turn), "the program sees \(seen), the device stored \(run.turn)")
          pin.release(dirty: true)
          held.count()
        }
      }
    }

    /// Children share pages with their parent while reclaim takes them from both.
    @Test(arguments: Engines.all)
    func forks(engine: PinEngine) throws {
      try race("fork against reclaim", engine: engine, swapPages: 128) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x1000_0000, pages: 6)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        for page in 0..<region.pages { try space.store(UInt64(page), at: region.address(page)) }
        let children = torture.tally("children", goal: 16)
        torture.run([
          .reclaiming(machine, torture),
          Worker("fork", threads: 2) { run in
            while run.next() {
              let child = try space.fork()
              let grandchild = try child.fork()
              for space in [child, grandchild] {
                for page in 0..<region.pages {
                  let seen = try space.load(at: region.address(page), as: UInt64.self)
                  torture.expect(seen == UInt64(page), "page \(page) shows \(seen) in a child")
                  if run.random.oneIn(2) { try space.store(UInt64(1000 + run.turn), at: region.address(page)) }
                }
                run.pauseRandomly()
              }
              if run.random.oneIn(2) { child.exit() }
              children.count()
            }
          },
          .checking(space, region, torture),
        ])
        space.exit()
      }
    }

    /// Mappings come and go, move and are protected while reclaim walks over them.
    @Test(arguments: Engines.all)
    func unmaps(engine: PinEngine) throws {
      try race("unmap against reclaim", engine: engine, swapPages: 128) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let rounds = torture.tally("rounds", goal: 32)
        torture.run([
          .reclaiming(machine, torture),
          Worker("map", threads: 2) { run in
            while run.next() {
              // Each thread has 2 MiB of its own, so nodes come and go too.
              let region = Region(at: VirtualAddress(0x1000_0000) + run.index * 4 * Page.hugeSize, pages: 4)
              try space.map(at: region.start, pages: 4, protection: .readWrite)
              for page in 0..<4 { try space.store(UInt64(run.turn + page), at: region.address(page)) }
              run.pauseRandomly()
              let moved = Region(at: region.start + 2 * Page.hugeSize, pages: 4)
              try space.remap(at: region.start, pages: 4, to: moved.start, newPages: 4)
              try space.protect(at: moved.start, pages: 2, .read)
              for page in 0..<4 {
                let seen = try space.load(at: moved.address(page), as: UInt64.self)
                torture.expect(seen == UInt64(run.turn + page), "page \(page) shows \(seen) after \(run.turn + page)")
              }
              if run.random.oneIn(2) { try space.advise(at: moved.start, pages: 4, .dontNeed) }
              try space.unmap(at: moved.start, pages: 4)
              rounds.count()
            }
          },
        ])
        space.exit()
      }
    }

    /// A file is cut, punched and grows under reclaim.
    @Test(arguments: Engines.lockless)
    func truncations(engine: PinEngine) throws {
      try race("truncation against reclaim", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 12, limit: 12)
        let (cache, space, region) = (race.cache, race.space, race.region)
        // All pages of that one are in use at every moment: of those reclaim frees one now and then, or none.
        let cold = try CacheRace(machine, engine: engine, pages: 8, limit: 8)
        for page in 0..<8 { try cold.space.store(UInt64(page), at: cold.region.address(page)) }
        torture.run([
          .reclaiming(machine, torture), .checking(cold.space, cold.region, pause: 500, torture),
          Worker("truncate") { run in
            while run.next() {
              for page in 6..<12 { try cache.write([1, 2, 3], at: page * Page.size) }
              if run.random.oneIn(2) { try cache.punchHole(6..<12) } else { try cache.setByteCount(6 * Page.size - 8) }
              try cache.setByteCount(12 * Page.size)
              for page in 6..<12 {
                let seen = try space.load(at: region.address(page), as: UInt64.self)
                torture.expect(seen == 0, "page \(page) shows \(seen), which was cut off")
              }
            }
          },
          Worker("store") { run in
            while run.next() {
              let page = run.random.below(5)
              try space.store(UInt64(run.turn), at: region.address(page))
              let seen = try space.load(at: region.address(page), as: UInt64.self)
              torture.expect(seen == UInt64(run.turn), "a store below the cut is lost")
            }
          },
        ])
        try race.compare(torture)
        race.space.exit()
        cold.space.exit()
      }
    }

    /// 2 MiB frames are broken up, and go page by page.
    @Test(arguments: Engines.all)
    func hugeFrames(engine: PinEngine) throws {
      try race("2 MiB against reclaim", engine: engine, frames: 2048, swapPages: 1024) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x4000_0000, pages: 4, stride: 97 * Page.size)
        try space.map(at: region.start, pages: 512, protection: .readWrite, hugePages: true)
        torture.run([
          .reclaiming(machine, torture), .countingAnonymous(space, region, torture),
          Worker("collapse") { run in
            while run.next() {
              _ = try tolerating(.tryAgain, .outOfMemory, .invalidArgument) { () throws(PageError) in
                try space.advise(at: region.start, pages: 512, .collapse)
              }
              usleep(500)
            }
          },
        ])
        space.exit()
      }
    }

    /// More than RAM, by many threads, each with all that may wait: faults, writes, syncs, forks, and the background
    /// thread. No deadlock, no error, no lost word. A sanitizer takes a quarter of a minute for each case.
    @Test(arguments: Engines.all, Sanitizer.isPresent ? [true] : [true, false])
    func tinyMemory(engine: PinEngine, inBackground: Bool) throws {
      let policy = ReclaimPolicy(
        watermarks: inBackground ? Watermarks(min: 2, low: 8, high: 16) : nil, usesBackgroundThread: inBackground)
      try race("tiny memory, \(inBackground)", engine: engine, frames: 48, swapPages: 512, reclaim: policy) {
        torture, machine in
        let race = try CacheRace(
          machine, engine: engine, pages: 40, limit: 40, stability: inBackground ? .adapts : .none)
        let other = try CacheRace(machine, engine: engine, pages: 24, limit: 24)
        let published = Board(2 * race.region.pages)
        let publishedThere = Board(2 * other.region.pages)
        let region = Region(at: 0x1000_0000, pages: 40)
        try race.space.map(at: region.start, pages: region.pages, protection: .readWrite)
        let children = torture.tally("children", goal: 2)
        torture.run([
          race.counting(published, threads: 2, torture), race.syncing(published, threads: 2, torture),
          other.counting(publishedThere, threads: 2, torture), other.syncing(publishedThere, threads: 2, torture),
          .countingAnonymous(race.space, region, torture),
          Worker("write") { run in
            while run.next() {
              let page = run.random.below(other.region.pages)
              let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: run.turn), count: 16)
              try other.cache.write(bytes, at: page * Page.size + 512)
              let read = try other.cache.read(at: page * Page.size + 512, count: 16)
              torture.expect(read == bytes, "page \(page) reads \(read)")
            }
          },
          Worker("fork") { run in
            while run.next() {
              let child = try race.space.fork()
              for page in 0..<region.pages { _ = try child.load(at: region.address(page), as: UInt64.self) }
              child.exit()
              children.count()
            }
          },
        ])
        machine.memory.flushDeferredFrees()
        try race.compare(torture)
        try other.compare(torture)
        race.space.exit()
        other.space.exit()
      }
    }
  }
}

extension Worker {
  /// Takes a few pages back, over and over. Pages that all threads use come back before they are out, so few go.
  static func reclaiming(_ machine: Machine, _ torture: Torture) -> Worker {
    let freed = torture.tally("pages reclaimed", goal: 4)
    return Worker("reclaim") { run in
      while run.next() {
        freed.count(machine.memory.reclaim(pages: 1 + run.random.below(12)))
        run.pauseRandomly()
      }
    }
  }

  /// Counts up in a word of each page of private memory, which no other thread stores to.
  static func countingAnonymous(_ space: AddressSpace, _ region: Region, _ torture: Torture) -> Worker {
    let stored = torture.tally("stores to private memory", goal: 64)
    return Worker("count privately") { run in
      var last = [UInt64](repeating: 0, count: region.pages)
      while run.next() {
        let page = run.random.below(region.pages)
        let seen = try space.load(at: region.address(page), as: UInt64.self)
        torture.expect(seen == last[page], "page \(page) shows \(seen) after \(last[page])")
        last[page] += 1
        try space.store(last[page], at: region.address(page))
        stored.count()
      }
    }
  }

  /// Looks whether each page shows its number, with `pause` microseconds between two looks.
  static func checking(_ space: AddressSpace, _ region: Region, pause: UInt32 = 0, _ torture: Torture) -> Worker {
    Worker("check") { run in
      while run.next() {
        let page = run.random.below(region.pages)
        let seen = try space.load(at: region.address(page), as: UInt64.self)
        torture.expect(seen == UInt64(page), "page \(page) shows \(seen)")
        if pause > 0 { usleep(pause) }
      }
    }
  }
}
