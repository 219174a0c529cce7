import TestSupport
import UserPages

extension CutFile {
  /// Spaces that map the file in 2 MiB where they can, use it, and end.
  ///
  /// - Parameter pagesOut: whether a space pages the file out in between.
  func livingInHugePages(
    _ machine: Machine, engine: PinEngine, threads: Int = 3, pagesOut: Bool = false, _ torture: Torture
  ) -> Worker {
    let huge = torture.tally("2 MiB mapped", goal: 2)
    return Worker("live", threads: threads) { run in
      var lane = self.lane(run.index)
      while run.next() {
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(
          at: Self.start, pages: Page.pagesPerHuge, protection: .readWrite, sharing: .shared, backing: .file(file),
          hugePages: true)
        try countUp(&lane, in: space, region, &run)
        if space.entry(at: region.start).kind == .huge { huge.count() }
        if pagesOut, run.random.oneIn(2) {
          try space.advise(at: Self.start, pages: Page.pagesPerHuge, .pageOut)
          try countUp(&lane, in: space, region, &run)
        }
        // Frames stay those of the pin, whatever becomes of the file's pages.
        let pins = try space.pin(at: region.start, pages: 100, .write, orGiveUpOn: [.badAddress, .tryAgain])
        for _ in 0..<4 { try countUp(&lane, in: space, region, &run) }
        // The entry is split, if it is still there.
        try space.protect(at: Self.start + 10 * Page.size, pages: 1, .read)
        if let pins {
          let place = Stamp.deviceOffset(4 + run.index)
          for page in 0..<pins.count { pins.deviceBytes(at: page).store(UInt64(run.turn), toByteOffset: place) }
          run.pauseRandomly()
          for page in 0..<pins.count {
            let seen = pins.deviceBytes(at: page).load(fromByteOffset: place, as: UInt64.self)
            torture.expect(seen == UInt64(run.turn), "page \(page): the device stored \(run.turn) and finds \(seen)")
          }
          pins.release(dirty: true)
        }
        space.exit()
      }
    }
  }
}
