import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Threads that touch the same 2 MiB for the first time all get the same frames, whether they find 2 MiB or not.
  @Suite struct HugeFaults {
    @Test(arguments: Engines.all)
    func enoughForAll(engine: PinEngine) throws {
      try race("first touches of 2 MiB", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try rounds(space, torture) { try space.map(at: $0.start, pages: 512, protection: .readWrite, hugePages: true) }
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func enoughForOne(engine: PinEngine) throws {
      // One block: the second thread finds no 2 MiB, and makes a node for a page.
      try race("first touches of scarce 2 MiB", engine: engine, frames: 512 + 100) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try rounds(space, torture) { try space.map(at: $0.start, pages: 512, protection: .readWrite, hugePages: true) }
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func afterZeroes(engine: PinEngine) throws {
      try race("first stores to 2 MiB of zeroes", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try rounds(space, torture) {
          try space.map(at: $0.start, pages: 512, protection: .readWrite, hugePages: true)
          _ = try space.load(at: $0.start, as: UInt8.self)
        }
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func ofAFile(engine: PinEngine) throws {
      // The file is mapped twice, once so that only pages can be had.
      try race("first touches of 2 MiB of a file", engine: engine, frames: HugeRegion.frames) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try rounds(space, torture) { region in
          let file = try PageCacheFile(machine.memory, pages: 512)
          for (index, huge) in [true, false].enumerated() {
            try space.map(
              at: region.start + index * Page.hugeSize, pages: 512, protection: .readWrite, sharing: .shared,
              backing: .file(file), hugePages: huge)
          }
        } alias: { run, address in
          run.random.oneIn(2) ? address : address + Page.hugeSize
        }
        space.exit()
      }
    }

    /// Rounds of a fresh mapping. Every thread stores to and pins every page, and all must have met the same frames.
    private func rounds(
      _ space: AddressSpace, _ torture: Torture, map: @escaping @Sendable (Region) throws -> Void,
      alias: @escaping @Sendable (inout WorkerContext, VirtualAddress) -> VirtualAddress = { $1 }
    ) throws {
      let region = HugeRegion.pages
      let threads = 3
      let rendezvous = Rendezvous(torture, parties: threads)
      let frames = Board(region.pages)
      torture.run([
        Worker("fault and pin", threads: threads) { run in
          while run.next() {
            if run.index == 0 {
              for page in 0..<region.pages { frames[page] = 0 }
              try map(region)
            }
            guard rendezvous.meet() else { return }
            for page in (0..<region.pages).shuffled(using: &run.random) {
              let address = alias(&run, region.address(page))
              let word = UInt64(run.turn)
              let storesFirst = run.random.oneIn(2)
              if storesFirst { try space.store(word, at: address + 8 * run.index) }
              let pin = try space.pin(at: address, .write)
              let frame = pin.pfn.rawValue + 1
              let first = frames.claim(page, frame)
              torture.expect(first == frame, "page \(page) was pinned as frames \(first - 1) and \(frame - 1)")
              pin.deviceBytes.store(word, toByteOffset: Stamp.deviceOffset(run.index))
              if !storesFirst { try space.store(word, at: address + 8 * run.index) }
              pin.release(dirty: true)
            }
            guard rendezvous.meet() else { return }
            for page in 0..<region.pages {
              for thread in 0..<threads {
                let found = try space.load(at: region.address(page) + 8 * thread, as: UInt64.self)
                torture.expect(
                  found == UInt64(run.turn), "page \(page): the store of turn \(run.turn) is lost: \(found)")
              }
            }
            guard rendezvous.meet() else { return }
          }
        }
      ])
    }
  }
}
