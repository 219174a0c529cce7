import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// A pinned page stays with the parent: what a device writes through the pin reaches the parent and no child made
  /// before.
  @Suite struct PinAgainstFork {
    @Test(arguments: Engines.all)
    func devicesWriteWhileForking(engine: PinEngine) throws {
      try race("pin against fork", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        for page in 0..<region.pages { try space.store(UInt64(1), at: region.address(page)) }
        let writes = Writes(region.pages * 2)
        torture.run([
          devices(space, region, writes, torture),
          forker(space, region, writes, torture),
        ])
        space.exit()
      }
    }

    /// What the devices write to each word: said before it is done, and after. The next value of a word may be any
    /// larger one.
    private struct Writes {
      let intended: Board
      let done: Board

      init(_ count: Int) {
        intended = Board(count)
        done = Board(count)
      }
    }

    /// Each thread is a device with a word of its own in every page, in which it counts up.
    private func devices(_ space: AddressSpace, _ region: Region, _ writes: Writes, _ torture: Torture) -> Worker {
      let written = torture.tally("device writes", goal: 32)
      return Worker("device", threads: 2) { run in
        var count: UInt64 = 0
        while run.next() {
          let page = run.random.below(region.pages)
          let place = Stamp.deviceOffset(run.index)
          let options: PinOptions = run.random.oneIn(2) ? .write : [.write, .fastOnly]
          guard let pin = try space.pin(at: region.address(page), options, orGiveUpOn: [.tryAgain]) else { continue }
          for _ in 0..<1 + run.random.below(4) {
            count += 1
            writes.intended.announce(region.pages * run.index + page, count)
            pin.deviceBytes.store(count, toByteOffset: place)
            writes.done.announce(region.pages * run.index + page, count)
            written.count()
            run.pauseRandomly()
            let seen = try space.load(at: region.address(page) + place, as: UInt64.self)
            torture.expect(seen == count, "the device wrote \(count), the parent sees \(seen)")
          }
          pin.release(dirty: true)
        }
      }
    }

    private func forker(_ space: AddressSpace, _ region: Region, _ writes: Writes, _ torture: Torture) -> Worker {
      Worker("fork") { run in
        while run.next() {
          let slots = 0..<region.pages * 2
          let before = slots.map { writes.done[$0] }
          let child = try space.fork()
          let after = slots.map { writes.intended[$0] }
          var first: [UInt64] = []
          for slot in slots {
            first.append(try child.load(at: address(region, slot), as: UInt64.self))
            torture.expect(
              before[slot] <= first[slot] && (first[slot] <= after[slot]),
              "the child sees \(first[slot]), written before and after the fork: \(before[slot]), \(after[slot])")
          }
          run.pauseRandomly()
          for slot in slots.shuffled(using: &run.random) {
            let again = try child.load(at: address(region, slot), as: UInt64.self)
            torture.expect(again == first[slot], "the child's page went from \(first[slot]) to \(again)")
            // And the child's stores stay with the child: the devices' own checks would see them.
            try child.store(UInt64.max, at: address(region, slot))
          }
          child.exit()
        }
      }
    }

    private func address(_ region: Region, _ slot: Int) -> VirtualAddress {
      region.address(slot % region.pages) + Stamp.deviceOffset(slot / region.pages)
    }

    @Test(arguments: Engines.all)
    func pinsOfTheChild(engine: PinEngine) throws {
      // A child pins what it shares with its parent: it gets a page of its own, and the parent's stores do not come
      // through.
      try race("pin of a child against the parent's stores", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 2)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        torture.run([
          Worker("store") { run in
            while run.next() {
              for page in 0..<region.pages { try space.store(UInt64(run.turn), at: region.address(page)) }
            }
          },
          Worker("fork and pin", threads: 2) { run in
            while run.next() {
              let child = try space.fork()
              let page = run.random.below(region.pages)
              let options: PinOptions = [.write, .longTerm][run.random.below(2)]
              let pin = try child.pin(at: region.address(page), options)
              let first = pin.deviceBytes.load(as: UInt64.self)
              run.pauseRandomly()
              let again = pin.deviceBytes.load(as: UInt64.self)
              torture.expect(first == again, "the parent's store of \(again) reached the child's pin (was \(first))")
              if options.contains(.write) { pin.deviceBytes.store(UInt64.max, toByteOffset: 8) }
              let parent = try space.load(at: region.address(page) + 8, as: UInt64.self)
              torture.expect(parent == 0, "the child's device wrote into the parent")
              if run.random.oneIn(2) { child.exit() }
              pin.release()
              child.exit()
            }
          },
        ])
        space.exit()
      }
    }
  }
}
