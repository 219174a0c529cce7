import TestSupport
import UserPages

/// A program counts up a word in each of its pages while pins look. The holder of a page has the one that the program
/// sees.
struct CoherentPins {
  let space: AddressSpace
  let region: Region
  /// The word that was last stored to each page.
  let published: Board

  init(_ space: AddressSpace, _ region: Region) {
    self.space = space
    self.region = region
    published = Board(region.pages)
  }

  /// The program: stores its turn to random pages.
  func storing() -> Worker {
    Worker("store") { run in
      while run.next() {
        let page = run.random.below(region.pages)
        try space.store(UInt64(run.turn), at: region.address(page))
        published.announce(page, UInt64(run.turn))
        run.pauseRandomly()
      }
    }
  }

  /// Pins random pages with one of `choices`, looks at them, and stores to those that are pinned for writing, as a
  /// device would.
  ///
  /// - Parameter allowed: the errors that the race allows.
  func pinning(_ choices: [PinOptions], orGiveUpOn allowed: [PageError], _ torture: Torture) -> Worker {
    let held = torture.tally("coherent pins", goal: 16)
    return Worker("pin", threads: 2) { run in
      while run.next() {
        let page = run.random.below(region.pages)
        let options = choices[run.random.below(choices.count)]
        guard let pin = try space.pin(at: region.address(page), options, orGiveUpOn: allowed) else { continue }
        for _ in 0..<3 {
          let before = published[page]
          let seen = pin.deviceBytes.load(as: UInt64.self)
          torture.expect(
            seen >= before, "pin \(options.rawValue) of page \(page) shows \(seen) after \(before) was stored")
          run.pauseRandomly()
        }
        if options.contains(.write) {
          let place = Stamp.deviceOffset(run.index)
          pin.deviceBytes.store(UInt64(run.turn), toByteOffset: place)
          run.pauseRandomly()
          let seen = try space.load(at: region.address(page) + place, as: UInt64.self)
          torture.expect(seen == UInt64(run.turn), "the program sees \(seen), the device wrote \(run.turn)")
        }
        pin.release(dirty: options.contains(.write))
        held.count()
      }
    }
  }
}
