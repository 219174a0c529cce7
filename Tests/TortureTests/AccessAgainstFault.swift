import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Loads and stores that fault one page in at once: one frame wins, and no store is lost with a loser.
  @Suite struct AccessAgainstFault {
    @Test(arguments: Engines.all)
    func anonymous(engine: PinEngine) throws {
      try race("access against fault", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 8)
        let threads = 3
        let rendezvous = Rendezvous(torture, parties: threads)
        torture.run([
          Worker("fault", threads: threads) { run in
            while run.next() {
              if run.index == 0 {
                try space.map(at: region.start, pages: region.pages, protection: .readWrite)
              }
              guard rendezvous.meet() else { return }
              for page in (0..<region.pages).shuffled(using: &run.random) {
                // Reading first makes it a zero page that the store must replace. Others' stores may be there already.
                if run.random.oneIn(2) { _ = try space.load(at: region.address(page), as: UInt64.self) }
                try space.store(UInt64(run.turn), at: region.address(page) + 8 * run.index)
                let own = try space.load(at: region.address(page) + 8 * run.index, as: UInt64.self)
                torture.expect(own == UInt64(run.turn), "a store of \(run.turn) reads back as \(own)")
              }
              guard rendezvous.meet() else { return }
              for page in 0..<region.pages {
                for thread in 0..<threads {
                  let found = try space.load(at: region.address(page) + 8 * thread, as: UInt64.self)
                  torture.expect(found == UInt64(run.turn), "page \(page): a store of turn \(run.turn) is lost")
                }
              }
              guard rendezvous.meet() else { return }
            }
          }
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func oneFileInTwoSpaces(engine: PinEngine) throws {
      // Two spaces fault the pages of one file. They must share its frames from the first store on.
      try race("fault of one file from two spaces", engine: engine) { torture, machine in
        let spaces = [AddressSpace(machine.memory, engine: engine), AddressSpace(machine.memory, engine: engine)]
        let region = Region(at: 0x7000_0000, pages: 4)
        let rendezvous = Rendezvous(torture, parties: spaces.count)
        let current = CurrentFile()
        torture.run([
          Worker("fault", threads: spaces.count) { run in
            let space = spaces[run.index]
            while run.next() {
              if run.index == 0 { try current.replace(with: PageCacheFile(machine.memory, pages: region.pages)) }
              guard rendezvous.meet(), let file = current.file else { return }
              try space.map(
                at: region.start, pages: region.pages, protection: .readWrite, sharing: .shared, backing: .file(file))
              for page in (0..<region.pages).shuffled(using: &run.random) {
                try space.store(UInt64(run.turn), at: region.address(page) + 8 * run.index)
              }
              guard rendezvous.meet() else { return }
              for page in 0..<region.pages {
                for other in spaces.indices {
                  let found = try space.load(at: region.address(page) + 8 * other, as: UInt64.self)
                  torture.expect(found == UInt64(run.turn), "page \(page): space \(other)'s store is lost")
                }
              }
              guard rendezvous.meet() else { return }
            }
          }
        ])
        spaces.forEach { $0.exit() }
        current.replace(with: nil)
      }
    }
  }
}
