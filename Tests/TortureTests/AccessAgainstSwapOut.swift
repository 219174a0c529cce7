import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pages go out under loads and stores: no store is lost, no load sees an older page.
  @Suite struct AccessAgainstSwapOut {
    @Test(arguments: Engines.all)
    func counters(engine: PinEngine) throws {
      try race("access against swap-out", engine: engine, swapPages: 64) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        torture.run([
          .pagingOut(space, region, threads: 2, torture),
          .neighbour(machine, engine: engine, torture),
          CountedWords(space, region).counting(torture),
        ])
        space.exit()
      }
    }

    /// Whole pages, so that a page that is copied to the file too early shows.
    @Test(arguments: Engines.all)
    func bulkStores(engine: PinEngine) throws {
      try race("bulk store against swap-out", engine: engine, swapPages: 64) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 3)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        torture.run([
          .pagingOut(space, region, torture),
          Worker("store") { run in
            while run.next() {
              let byte = UInt8(truncatingIfNeeded: run.turn)
              try space.store([UInt8](repeating: byte, count: 2 * Page.size), at: region.start + 8 * (run.turn % 512))
              let seen = try space.load(at: region.start + 8 * (run.turn % 512), count: 2 * Page.size)
              torture.expect(seen.allSatisfy { $0 == byte }, "a part of a store is lost")
            }
          },
        ])
        space.exit()
      }
    }

    /// Rounds: everything is out, and all threads come for each page at once.
    @Test(arguments: Engines.all)
    func manyFaults(engine: PinEngine) throws {
      try race("faults on swapped pages", engine: engine, swapPages: 64) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 8)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        let threads = 3
        let rendezvous = Rendezvous(torture, parties: threads)
        torture.run([
          Worker("fault", threads: threads) { run in
            while run.next() {
              if run.index == 0 {
                for page in 0..<region.pages { try space.store(UInt64(run.turn), at: region.address(page)) }
                try space.advise(at: region.start, pages: region.pages, .pageOut)
                // Sometimes from the file, sometimes while it is being written.
                if run.random.oneIn(2) { machine.memory.flushDeferredFrees() }
              }
              guard rendezvous.meet() else { return }
              for page in 0..<region.pages {
                let at = region.address(page)
                if run.index != 0 { try space.store(UInt64(run.turn), at: at + 8 * run.index) }
                let seen = try space.load(at: at, as: UInt64.self)
                torture.expect(seen == UInt64(run.turn), "page \(page) shows \(seen), not \(run.turn)")
              }
              guard rendezvous.meet() else { return }
              for page in 0..<region.pages {
                for thread in 1..<threads {
                  let seen = try space.load(at: region.address(page) + 8 * thread, as: UInt64.self)
                  torture.expect(seen == UInt64(run.turn), "thread \(thread)'s store to page \(page) is lost")
                }
              }
              guard rendezvous.meet() else { return }
            }
          }
        ])
        space.exit()
      }
    }

    /// More pages than frames: a thread that finds none pages some out and goes on.
    @Test(arguments: Engines.all)
    func moreThanFits(engine: PinEngine) throws {
      try race("more pages than frames", engine: engine, frames: 24, swapPages: 256) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 48)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        torture.run([
          CountedWords(space, region).counting(torture) { run in
            let start = run.random.below(region.pages - 16)
            try space.advise(at: region.address(start), pages: 16, .pageOut)
          }
        ])
        space.exit()
      }
    }
  }
}
