import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Loads and stores while another thread breaks copy-on-write under them: no store is lost in the old page, no load
  /// goes back to it.
  @Suite struct AccessAgainstCopyOnWrite {
    @Test(arguments: Engines.all)
    func afterFork(engine: PinEngine) throws {
      try race("access against copy-on-write", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 3)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        torture.run(
          countersIn(space, region, torture) + [
            Worker("fork") { run in
              while run.next() {
                let child = try space.fork()
                run.pauseRandomly()
                // Sometimes the child breaks the sharing, sometimes the parent, sometimes neither.
                if run.random.oneIn(2) { try child.store(UInt64.max, at: region.address(run.random.below(3))) }
                child.exit()
              }
            }
          ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func firstStore(engine: PinEngine) throws {
      // Rounds of a private mapping of a file or an image. All threads store to each page at once, and every store must
      // survive.
      try race("first stores to private pages", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 8)
        let file = try PageCacheFile(machine.memory, pages: region.pages, fill: 0x44)
        let image = try Image(machine.memory, pages: region.pages) { _ in 0x44 }
        let threads = 3
        let rendezvous = Rendezvous(torture, parties: threads)
        torture.run([
          Worker("store", threads: threads) { run in
            while run.next() {
              if run.index == 0 {
                let kind: MappingKind = [.file(file), .mixed(image), .pfn(image)][run.turn % 3]
                try space.map(at: region.start, pages: region.pages, protection: .readWrite, backing: kind)
              }
              guard rendezvous.meet() else { return }
              for page in (0..<region.pages).shuffled(using: &run.random) {
                let filler = try space.load(at: region.address(page) + 2048, as: UInt64.self)
                torture.expect(filler == 0x4444_4444_4444_4444, "the page shows 0x\(String(filler, radix: 16))")
                try space.store(UInt64(run.turn), at: region.address(page) + 8 * run.index)
              }
              guard rendezvous.meet() else { return }
              for page in 0..<region.pages {
                let words = try (0..<threads + 1).map {
                  try space.load(at: region.address(page) + 8 * $0, as: UInt64.self)
                }
                let right = Array(repeating: UInt64(run.turn), count: threads) + [0x4444_4444_4444_4444]
                torture.expect(words == right, "page \(page) shows \(words) after stores of \(run.turn)")
              }
              guard rendezvous.meet() else { return }
            }
          }
        ])
        #expect(try file.read(at: 0, count: file.byteCount).allSatisfy { $0 == 0x44 })
        #expect(try image.read(at: 0, count: region.pages * Page.size).allSatisfy { $0 == 0x44 })
        space.exit()
        file.drop()
      }
    }

    /// Threads that count up in words of their own and look at each other's: what was published must be seen.
    private func countersIn(_ space: AddressSpace, _ region: Region, _ torture: Torture) -> [Worker] {
      let threads = 2
      let published = Board(threads * region.pages)
      return [
        Worker("count", threads: threads) { run in
          while run.next() {
            let page = run.random.below(region.pages)
            let other = run.random.below(threads)
            let before = published[other * region.pages + page]
            let seen = try space.load(at: region.address(page) + 8 * other, as: UInt64.self)
            torture.expect(seen >= before, "page \(page) shows \(seen) of thread \(other) after \(before) was stored")
            try space.store(UInt64(run.turn), at: region.address(page) + 8 * run.index)
            published.announce(run.index * region.pages + page, UInt64(run.turn))
          }
        }
      ]
    }
  }
}
