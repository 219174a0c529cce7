import TestSupport
import UserPages

// The roles that many races share. Each returns a worker, which reports what it saw to the run.

/// What a pinning thread does and expects.
struct PinRole {
  /// Where it pins.
  var region: Region
  /// The owner of the pages there.
  var owner: UInt8 = 1
  /// How the stamps of a pinned page may change.
  var rule: StampWatch.Rule = .once
  /// The options it draws from.
  var options: [PinOptions] = [
    .write, [], [.write, .longTerm], .longTerm, .get, [.get, .write], [.fastOnly, .write], .fastOnly,
  ]
  /// The errors that the race allows.
  var allowed: [PageError] = [.badAddress, .tryAgain]
  /// The number of the first thread's device word. Two roles over the same frames need different ones.
  var firstDevice = 0
}

extension Worker {
  /// Pins a random page of the region, watches it, writes to it as a device would, and lets go, over and over.
  static func pinning(
    _ space: AddressSpace, _ role: PinRole, threads: Int = 2, _ torture: Torture
  ) -> Worker {
    let pinned = torture.tally("pages pinned", goal: 16)
    return Worker("pin", threads: threads) { run in
      var dmaWord: UInt64 = UInt64(run.index + 1) << 40
      while run.next() {
        let page = run.random.below(role.region.pages)
        let options = role.options[run.random.below(role.options.count)]
        let pin = try space.pin(at: role.region.address(page), options, orGiveUpOn: role.allowed)
        guard let pin else { continue }
        pinned.count()
        dmaWord += 1
        let word = options.contains(.write) ? dmaWord : nil
        if let wrong = watch(pin, page: page, role: role, deviceWord: word, run: &run) {
          torture.fail("\(wrong) (pin options \(options.rawValue))")
        }
        pin.release(dirty: word != nil)
      }
    }
  }

  /// Looks at a pinned page several times. Returns what is wrong with it.
  private static func watch(
    _ pin: borrowing PinnedPage, page: Int, role: PinRole, deviceWord: UInt64?, run: inout WorkerContext
  ) -> String? {
    var watch = StampWatch(owner: role.owner, page: page, rule: role.rule)
    let place = Stamp.deviceOffset(role.firstDevice + run.index)
    if let deviceWord { pin.deviceBytes.store(deviceWord, toByteOffset: place) }
    for _ in 0..<1 + run.random.below(4) {
      if let wrong = watch.look(pin.deviceBytes) { return wrong }
      run.pauseRandomly()
    }
    if let deviceWord {
      let found = pin.deviceBytes.load(fromByteOffset: place, as: UInt64.self)
      if found != deviceWord { return "the device wrote \(deviceWord) and found \(found)" }
    }
    return watch.look(pin.deviceBytes)
  }

  /// Maps pages in a space of its own, from the same frames: what is fresh must be zero, and stay as its owner left it.
  ///
  /// This is the other end of a stray store. A store through an entry that is gone, or through a pin that holds
  /// nothing, lands here.
  static func neighbour(_ machine: Machine, engine: PinEngine, pages: Int = 16, _ torture: Torture) -> Worker {
    Worker("neighbour") { run in
      let space = AddressSpace(machine.memory, engine: engine)
      defer { space.exit() }
      let region = Region(at: 0x10_0000, pages: pages)
      while run.next() {
        try space.map(at: region.start, pages: pages, protection: .readWrite)
        let stamped = try tolerating(.outOfMemory) { () throws(PageError) in
          for page in 0..<pages {
            try establish(space, region, page, life: run.turn, torture)
          }
        }
        run.pauseRandomly()
        if stamped {
          for page in 0..<pages { try inspect(space, region, page, life: run.turn, torture) }
        }
        try space.unmap(at: region.start, pages: pages)
      }
    }
  }

  private static func establish(
    _ space: AddressSpace, _ region: Region, _ page: Int, life: Int, _ torture: Torture
  ) throws(PageError) {
    let address = region.address(page)
    try space.store(Stamp(owner: 200, page: page, life: life).word, at: address)
    let bytes = try space.load(at: address + 8, count: Page.size - 8)
    if let index = bytes.firstIndex(where: { $0 != 0 }) {
      torture.fail("a fresh page holds 0x\(String(bytes[index], radix: 16)) at offset \(index + 8)")
    }
  }

  private static func inspect(
    _ space: AddressSpace, _ region: Region, _ page: Int, life: Int, _ torture: Torture
  ) throws {
    let bytes = try space.load(at: region.address(page), count: Page.size)
    let word = (0..<8).reduce(0 as UInt64) { $0 | UInt64(bytes[$1]) << (8 * UInt64($1)) }
    torture.expect(
      word == Stamp(owner: 200, page: page, life: life).word && bytes[8...].allSatisfy { $0 == 0 },
      "a neighbour's page \(page) changed behind its back: first word 0x\(String(word, radix: 16))")
  }

  /// Loads stamps through the table, over and over.
  static func loading(
    _ space: AddressSpace, _ region: Region, owner: UInt8 = 1, threads: Int = 1, _ torture: Torture
  ) -> Worker {
    let loaded = torture.tally("words loaded", goal: 16)
    return Worker("load", threads: threads) { run in
      while run.next() {
        let page = run.random.below(region.pages)
        let offset = Stamp.offsets[run.random.below(Stamp.offsets.count)]
        guard let word = try space.attemptLoad(at: region.address(page) + offset) else { continue }
        loaded.count()
        if word == 0 { continue }
        let stamp = Stamp(word: word)
        torture.expect(
          stamp?.owner == owner && stamp.map { Int($0.page) } == page,
          "a load of page \(page) of owner \(owner) gave 0x\(String(word, radix: 16))")
      }
    }
  }

  /// Stores stamps of its own life through the table, over and over.
  static func storing(
    _ space: AddressSpace, _ region: Region, owner: UInt8 = 1, threads: Int = 1, _ torture: Torture
  ) -> Worker {
    let stored = torture.tally("words stored", goal: 16)
    return Worker("store", threads: threads) { run in
      while run.next() {
        let page = run.random.below(region.pages)
        let offset = Stamp.offsets[run.random.below(Stamp.offsets.count)]
        let word = Stamp(owner: owner, page: page, life: run.turn & 0xFFFF).word
        if try space.attemptStore(word, at: region.address(page) + offset) { stored.count() }
      }
    }
  }
}
