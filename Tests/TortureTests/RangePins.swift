import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pins of many pages at once: each of them must be the right one, and all or the first few come.
  @Suite struct RangePins {
    @Test(arguments: Engines.all)
    func againstUnmap(engine: PinEngine) throws {
      try race("range pins against unmap", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        // Across the border of two table nodes.
        let region = Region(at: 0x7000_0000 + -6 * Page.size, pages: 12)
        torture.run([
          ranges(space, region, torture),
          .neighbour(machine, engine: engine, torture),
          Worker("unmap") { run in
            while run.next() {
              try space.map(at: region.start, pages: region.pages, protection: .readWrite)
              try space.stamp(region, life: run.turn)
              run.pauseRandomly()
              try unmapPiecemeal(space, region, &run)
            }
          },
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func againstForkAndDontNeed(engine: PinEngine) throws {
      try race("range pins against fork", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000 + -6 * Page.size, pages: 12)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        torture.run([
          ranges(space, region, torture),
          Worker("fork") { run in
            while run.next() {
              let child = try space.fork()
              run.pauseRandomly()
              child.exit()
            }
          },
          Worker("throw away") { run in
            while run.next() {
              try space.advise(at: region.start, pages: region.pages, .dontNeed)
              try space.stamp(region, life: run.turn)
            }
          },
        ])
        space.exit()
      }
    }

    /// Pins stretches of the region, watches every page of them, and lets go.
    private func ranges(_ space: AddressSpace, _ region: Region, _ torture: Torture) -> Worker {
      let pinned = torture.tally("pages pinned in ranges", goal: 32)
      let options: [PinOptions] = [.write, [], [.write, .fastOnly], [.write, .longTerm], .fastOnly, [.get, .write]]
      return Worker("pin ranges", threads: 2) { run in
        while run.next() {
          let first = run.random.below(region.pages)
          let count = 1 + run.random.below(region.pages - first)
          let option = options[run.random.below(options.count)]
          let pins = try space.pin(
            at: region.address(first), pages: count, option, orGiveUpOn: [.badAddress, .tryAgain])
          guard let pins else { continue }
          torture.expect(pins.count <= count, "asked for \(count) pages and got \(pins.count)")
          torture.expect(pins.count > 0 || option.contains(.fastOnly), "no page and no error")
          var watches = (0..<pins.count).map { StampWatch(owner: 1, page: first + $0, rule: .once) }
          for _ in 0..<2 {
            for index in watches.indices {
              if let wrong = watches[index].look(pins.deviceBytes(at: index)) { torture.fail(wrong) }
            }
            run.pauseRandomly()
          }
          pinned.count(pins.count)
          pins.release(dirty: option.contains(.write))
        }
      }
    }
  }
}
