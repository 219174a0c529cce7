import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Few frames and many threads that want them: a frame that is let go here is another page's a moment later.
  @Suite struct PinAgainstFrameReuse {
    @Test(arguments: Engines.all)
    func spacesThatShareFewFrames(engine: PinEngine) throws {
      try race("pin against frame reuse", engine: engine, frames: 24) { torture, machine in
        let spaces = (1...3).map { _ in AddressSpace(machine.memory, engine: engine) }
        let region = Region(at: 0x7000_0000, pages: 4)
        var workers: [Worker] = []
        for (index, space) in spaces.enumerated() {
          let owner = UInt8(index + 1)
          workers.append(churn(space, region, owner: owner))
          let role = PinRole(region: region, owner: owner, allowed: [.badAddress, .tryAgain, .outOfMemory])
          workers.append(.pinning(space, role, threads: 1, torture))
        }
        torture.run(workers)
        spaces.forEach { $0.exit() }
      }
    }

    /// Maps, stamps and throws away. To be out of memory now and then is no failure: it must recover.
    private func churn(_ space: AddressSpace, _ region: Region, owner: UInt8) -> Worker {
      Worker("churn \(owner)") { run in
        while run.next() {
          let whole = try tolerating(.outOfMemory) { () throws(PageError) in
            try space.map(at: region.start, pages: region.pages, protection: .readWrite)
            for page in 0..<region.pages {
              for offset in Stamp.offsets {
                let stamp = Stamp(owner: owner, page: page, life: run.turn)
                try space.store(stamp.word, at: region.address(page) + offset)
              }
            }
          }
          if whole { run.pauseRandomly() }
          _ = try tolerating(.outOfMemory) { () throws(PageError) in
            if run.turn % 2 == 0 {
              try space.unmap(at: region.start, pages: region.pages)
            } else {
              try space.advise(at: region.start, pages: region.pages, .dontNeed)
            }
          }
        }
      }
    }

    @Test(arguments: Engines.all)
    func exhaustionWhilePinned(engine: PinEngine) throws {
      // Pins hold every frame there is. The others get an error, and memory again as soon as the pins are gone.
      try race("exhaustion while pinned", engine: engine, frames: 16) { torture, machine in
        let hoarder = AddressSpace(machine.memory, engine: engine)
        let starving = AddressSpace(machine.memory, engine: engine)
        try hoarder.map(at: 0x10_0000, pages: 32, protection: .readWrite)
        try starving.map(at: 0x10_0000, pages: 4, protection: .readWrite)
        let refused = torture.tally("refusals")
        let served = torture.tally("stores that found a frame")
        torture.run([
          Worker("hoard") { run in
            while run.next() {
              let pins = try hoarder.pin(at: 0x10_0000, pages: 32, .write, orGiveUpOn: [.outOfMemory])
              try hoarder.advise(at: 0x10_0000, pages: 32, .dontNeed)
              for _ in 0..<4 { run.pauseRandomly() }
              if let pins { pins.release() }
              for _ in 0..<4 { run.pauseRandomly() }
            }
          },
          Worker("starve") { run in
            while run.next() {
              let page = Region(at: 0x10_0000, pages: 4).address(run.random.below(4))
              let stored = try tolerating(.outOfMemory) { () throws(PageError) in
                try starving.store(UInt64(run.turn), at: page)
              }
              (stored ? served : refused).count()
              try starving.advise(at: 0x10_0000, pages: 4, .dontNeed)
            }
          },
        ])
        hoarder.exit()
        starving.exit()
      }
    }
  }
}
