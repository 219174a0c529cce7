import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pins that must fault their pages in, while the pages are thrown away as fast as they come.
  @Suite struct SlowPathPins {
    @Test(arguments: Engines.all)
    func againstDontNeed(engine: PinEngine) throws {
      try race("slow pins against dontneed", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        torture.run([
          .pinning(space, PinRole(region: region), torture),
          .neighbour(machine, engine: engine, torture),
          Worker("throw away") { run in
            while run.next() {
              try space.advise(at: region.start, pages: region.pages, .dontNeed)
              run.pauseRandomly()
              for page in 0..<region.pages where run.random.oneIn(2) {
                try space.stamp(Stamp(owner: 1, page: page, life: run.turn), at: region.address(page))
              }
            }
          },
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func everyPinIsCountedOnce(engine: PinEngine) throws {
      try race("counters of fast and slow pins", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        let pinned = torture.tally("pins", goal: 32)
        torture.run([
          Worker("pin", threads: 2) { run in
            while run.next() {
              let page = run.random.below(region.pages)
              if run.random.oneIn(2) {
                let pin = try space.pin(at: region.address(page), .write)
                pinned.count()
                pin.release()
              } else {
                let pins = try space.pin(at: region.address(page), pages: region.pages - page, .write)
                pinned.count(pins.count)
                pins.release()
              }
            }
          },
          Worker("throw away") { run in
            while run.next() {
              try space.advise(at: region.address(run.random.below(region.pages)), pages: 1, .dontNeed)
              run.pauseRandomly()
            }
          },
        ])
        let counters = space.counters
        #expect(counters.fast + counters.slow == pinned.total)
        #expect(counters.slow > 0)
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func pinsWithoutFault(engine: PinEngine) throws {
      // `noFault` takes what is there and never brings a page in.
      try race("pins without fault", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 2)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        let present = torture.tally("pages that were there")
        let absent = torture.tally("pages that were not")
        torture.run([
          Worker("pin", threads: 2) { run in
            while run.next() {
              let page = run.random.below(region.pages)
              let pin = try space.pin(
                at: region.address(page), [.write, .noFault], orGiveUpOn: [.badAddress, .tryAgain])
              guard let pin else {
                absent.count()
                continue
              }
              present.count()
              var watch = StampWatch(owner: 1, page: page, rule: .once)
              if let wrong = watch.look(pin.deviceBytes) { torture.fail(wrong) }
              pin.release()
            }
          },
          Worker("come and go") { run in
            while run.next() {
              try space.stamp(region, life: run.turn)
              run.pauseRandomly()
              try space.advise(at: region.start, pages: region.pages, .dontNeed)
              run.pauseRandomly()
            }
          },
        ])
        space.exit()
      }
    }
  }
}
