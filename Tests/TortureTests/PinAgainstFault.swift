import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Threads that fault and pin one fresh page at once all get the same frame.
  @Suite struct PinAgainstFault {
    @Test(arguments: Engines.all)
    func anonymous(engine: PinEngine) throws {
      try race("pin against fault", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try rounds(space, torture) { region in
          try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        }
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func file(engine: PinEngine) throws {
      try race("pin against fault of a file's page", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try rounds(space, torture) { region in
          // A new file each time: its pages come into the cache in this round's faults.
          let file = try PageCacheFile(machine.memory, pages: region.pages)
          try space.map(
            at: region.start, pages: region.pages, protection: .readWrite, sharing: .shared, backing: .file(file))
        }
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func privateFile(engine: PinEngine) throws {
      try race("pin against fault of a private file mapping", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let file = try PageCacheFile(machine.memory, pages: 8)
        try rounds(space, torture) { region in
          try space.map(at: region.start, pages: region.pages, protection: .readWrite, backing: .file(file))
        }
        space.exit()
        file.drop()
      }
    }

    /// Rounds of a fresh mapping. Every thread stores to and pins every page, and all must have met the same frames.
    private func rounds(
      _ space: AddressSpace, _ torture: Torture, map: @escaping @Sendable (Region) throws -> Void
    ) throws {
      let region = Region(at: 0x7000_0000, pages: 8)
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
            let order = (0..<region.pages).shuffled(using: &run.random)
            for page in order { try meet(space, region, page, frames, torture, &run) }
            guard rendezvous.meet() else { return }
            for page in 0..<region.pages { try inspect(space, region, page, threads: threads, torture, turn: run.turn) }
            guard rendezvous.meet() else { return }
          }
        }
      ])
    }

    /// Stores this thread's word and pins the page, in either order. The frame must be the one that the others got.
    private func meet(
      _ space: AddressSpace, _ region: Region, _ page: Int, _ frames: Board, _ torture: Torture,
      _ run: inout WorkerContext
    ) throws {
      let address = region.address(page)
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

    /// No store was lost with a frame that lost the race.
    private func inspect(
      _ space: AddressSpace, _ region: Region, _ page: Int, threads: Int, _ torture: Torture, turn: Int
    ) throws {
      for thread in 0..<threads {
        for offset in [8 * thread, Stamp.deviceOffset(thread)] {
          let found = try space.load(at: region.address(page) + offset, as: UInt64.self)
          torture.expect(found == UInt64(turn), "page \(page): the store of turn \(turn) is lost, found \(found)")
        }
      }
    }
  }
}
