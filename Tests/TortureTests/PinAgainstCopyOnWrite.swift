import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// A pin for writing, and a long-term one for reading, keeps showing what the program sees, whichever side breaks
  /// copy-on-write when.
  @Suite struct PinAgainstCopyOnWrite {
    @Test(arguments: Engines.all)
    func privateFile(engine: PinEngine) throws {
      try race("pin against copy-on-write of a file", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        let file = try PageCacheFile(machine.memory, pages: region.pages, fill: 0x11)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite, backing: .file(file))
        try torment(space, region, machine, torture, background: 0x11)
        let untouched = try file.read(at: 0, count: region.pages * Page.size)
        #expect(untouched.allSatisfy { $0 == 0x11 }, "a private mapping wrote to its file")
        space.exit()
        file.drop()
      }
    }

    @Test(arguments: Engines.all)
    func image(engine: PinEngine) throws {
      // Special entries: no pin finds a descriptor there until a store or a write pin has given the page a frame.
      try race("pin against copy-on-write of an image", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        let image = try Image(machine.memory, pages: region.pages) { _ in 0x22 }
        try space.map(at: region.start, pages: region.pages, protection: .readWrite, backing: .mixed(image))
        try torment(space, region, machine, torture, background: 0x22)
        let untouched = try image.read(at: 0, count: region.pages * Page.size)
        #expect(untouched.allSatisfy { $0 == 0x22 }, "a private mapping wrote to its image")
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func sharedWithChild(engine: PinEngine) throws {
      // The parent's pages become shared with a child again and again. Pins and stores unshare them.
      try race("pin against copy-on-write after fork", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        for page in 0..<region.pages {
          try space.store([UInt8](repeating: 0x33, count: Page.size), at: region.address(page))
        }
        torture.run(
          coherence(space, region, machine, torture, background: 0x33) + [
            Worker("fork") { run in
              while run.next() {
                let child = try space.fork()
                run.pauseRandomly()
                child.exit()
              }
            }
          ])
        space.exit()
      }
    }

    /// Workers that break copy-on-write, and one that makes the pages pristine again.
    private func torment(
      _ space: AddressSpace, _ region: Region, _ machine: Machine, _ torture: Torture, background: UInt8
    ) throws {
      torture.run(
        coherence(space, region, machine, torture, background: background) + [
          Worker("make pristine") { run in
            while run.next() {
              let page = run.random.below(region.pages)
              try space.advise(at: region.address(page), pages: 1, .dontNeed)
              run.pauseRandomly()
            }
          }
        ])
    }

    private func coherence(
      _ space: AddressSpace, _ region: Region, _ machine: Machine, _ torture: Torture, background: UInt8
    ) -> [Worker] {
      let filler = UInt64(background) &* 0x0101_0101_0101_0101
      return [
        holder(space, region, torture, filler: filler),
        Worker("store", threads: 1) { run in
          while run.next() {
            let page = run.random.below(region.pages)
            try space.store(UInt64(run.turn), at: region.address(page))
            run.pauseRandomly()
          }
        },
        Worker("pin to read") { run in
          while run.next() {
            let page = run.random.below(region.pages)
            let pin = try space.pin(
              at: region.address(page), run.random.oneIn(2) ? [] : .longTerm, orGiveUpOn: [.badAddress])
            guard let pin else { continue }
            // Word 16 is never written in any of the page's lives: it tells pages from other memory.
            let word = pin.deviceBytes.load(fromByteOffset: 16, as: UInt64.self)
            run.pauseRandomly()
            let again = pin.deviceBytes.load(fromByteOffset: 16, as: UInt64.self)
            torture.expect(word == filler && again == filler, "a pinned page held 0x\(String(word, radix: 16))")
            pin.release()
          }
        },
        .neighbour(machine, engine: space.engine, torture),
      ]
    }

    /// Holds a write pin, and looks whether the pin keeps its page. Word 0 is the storing thread's. The pin's own
    /// device word must read back through the pin whatever happens.
    private func holder(_ space: AddressSpace, _ region: Region, _ torture: Torture, filler: UInt64) -> Worker {
      let held = torture.tally("coherent pins", goal: 8)
      return Worker("pin to write", threads: 2) { run in
        let place = Stamp.deviceOffset(run.index)
        while run.next() {
          let page = run.random.below(region.pages)
          let pin = try space.pin(at: region.address(page), .write)
          let word = UInt64(run.turn) | 0xD << 60
          pin.deviceBytes.store(word, toByteOffset: place)
          run.pauseRandomly()
          let found = pin.deviceBytes.load(fromByteOffset: place, as: UInt64.self)
          torture.expect(found == word, "the device wrote \(word) and found \(found)")
          torture.expect(
            pin.deviceBytes.load(fromByteOffset: 16, as: UInt64.self) == filler, "the copy is not a copy of the page")
          pin.release(dirty: true)
          held.count()
        }
      }
    }
  }

  /// If no thread throws pages away, the pin and the program see one page for as long as the pin is held.
  @Suite struct PinStaysCoherent {
    @Test(arguments: Engines.all, [PinOptions.write, .longTerm, [.write, .longTerm]])
    func underForkAndStores(engine: PinEngine, options: PinOptions) throws {
      try race("pin \(options.rawValue) stays coherent", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 3)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        for page in 0..<region.pages { try space.store(UInt64(1), at: region.address(page)) }
        let published = Board(region.pages)
        let held = torture.tally("coherent pins", goal: 8)
        torture.run([
          Worker("store") { run in
            while run.next() {
              for page in 0..<region.pages {
                try space.store(UInt64(run.turn), at: region.address(page))
                published.announce(page, UInt64(run.turn))
              }
            }
          },
          Worker("fork") { run in
            while run.next() {
              let child = try space.fork()
              run.pauseRandomly()
              child.exit()
            }
          },
          Worker("pin", threads: 2) { run in
            while run.next() {
              let page = run.random.below(region.pages)
              let pin = try space.pin(at: region.address(page), options)
              for _ in 0..<3 {
                // What was published before the look must be seen by the look.
                let before = published[page]
                let seen = pin.deviceBytes.load(as: UInt64.self)
                torture.expect(seen >= before, "the pin shows store \(seen) after store \(before) was done")
                run.pauseRandomly()
              }
              if options.contains(.write) {
                let place = Stamp.deviceOffset(run.index)
                pin.deviceBytes.store(UInt64(run.turn), toByteOffset: place)
                let seen = try space.load(at: region.address(page) + place, as: UInt64.self)
                torture.expect(seen == UInt64(run.turn), "the program sees \(seen), the device wrote \(run.turn)")
              }
              pin.release(dirty: true)
              held.count()
            }
          },
        ])
        space.exit()
      }
    }
  }
}
