import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Memory that is locked and unlocked while it is paged out and reclaimed.
  @Suite struct LockRaces {
    private static let region = Region(at: 0x7000_0000, pages: 4)

    /// A page that is locked has a frame, from the end of `lock` to the beginning of `unlock`.
    @Test(arguments: Engines.all)
    func pageOutAndReclaim(engine: PinEngine) throws {
      try race("lock against page-out and reclaim", engine: engine, swapPages: 64) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(at: Self.region.start, pages: Self.region.pages, protection: .readWrite)
        try space.stamp(Self.region, life: 1)
        // What reclaim may always take.
        let cold = Region(at: 0x2000_0000, pages: 16)
        try space.map(at: cold.start, pages: cold.pages, protection: .readWrite)
        for page in 0..<cold.pages { try space.store(UInt64(page), at: cold.address(page)) }
        let out = torture.tally("page-outs", goal: 4)
        torture.run([
          Worker("lock") { run in
            while run.next() {
              try space.lock(at: Self.region.start, pages: Self.region.pages)
              for _ in 0..<4 {
                run.pauseRandomly()
                let page = run.random.below(Self.region.pages)
                torture.expect(
                  space.frameInformation(at: Self.region.address(page)) != nil, "locked page \(page) has no frame")
              }
              try space.unlock(at: Self.region.start, pages: Self.region.pages)
              run.pauseRandomly()
            }
          },
          Worker("page out", threads: 2) { run in
            while run.next() {
              // Refused while the pages are locked.
              let isOut = try tolerating(.invalidArgument, .outOfMemory) { () throws(PageError) in
                try space.advise(at: Self.region.start, pages: Self.region.pages, .pageOut)
              }
              if isOut { out.count() }
              run.pauseRandomly()
            }
          },
          .reclaiming(machine, torture), .checking(space, cold, pause: 500, torture),
          Worker("look") { run in
            while run.next() {
              let page = run.random.below(Self.region.pages)
              let word = try space.load(at: Self.region.address(page), as: UInt64.self)
              torture.expect(word == Stamp(owner: 1, page: page, life: 1).word, "page \(page) lost its stamp")
            }
          },
        ])
        space.exit()
      }
    }
  }
}

#if DEBUG
  extension TortureTests {
    @Suite struct FrozenLocks {
      /// A page is on its way out when it is locked. The lock waits for the batch, and brings the page back.
      @Test(arguments: Engines.all)
      func aPageThatIsGoingOut(engine: PinEngine) throws {
        try play(swapPages: 16) { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let out = freezer.start("page out", freezeAt: .pageOutBetweenGraceAndLook) {
            try space.advise(at: 0x5000, pages: 1, .pageOut)
          }
          #expect(out.waitUntilFrozen())
          let locking = freezer.start("lock") { try space.lock(at: 0x5000, pages: 1) }
          #expect(!locking.mayFinish(), "a page was locked while it went out")
          out.thaw()
          try out.join()
          try locking.join()
          #expect(space.frameInformation(at: 0x5000) != nil)
          #expect(throws: PageError.invalidArgument) { try space.advise(at: 0x5000, pages: 1, .pageOut) }
          #expect(try space.load(at: 0x5000, as: UInt64.self) == 7)
          space.exit()
        }
      }
    }
  }
#endif
