import Foundation
import TestSupport

@testable import UserPages

// The roles of the races over 2 MiB. Their mapping stays for the whole run. What becomes of its entries is the
// disturbers' work.

/// Pages that lie scattered over one aligned 2 MiB.
enum HugeRegion {
  static let start: VirtualAddress = 0x7000_0000
  static let pages = Region(at: start, pages: 7, stride: 73 * Page.size)
  /// Between them are 40 pages from here on, which disturbers may do anything to.
  static let bystander = start + 100 * Page.size
  /// Enough for some generations of 2 MiB, and for threads that need single ones.
  static let frames = 6 * Page.pagesPerHuge + 256

  /// A space that maps it, each page touched.
  static func space(_ machine: Machine, engine: PinEngine) throws -> AddressSpace {
    let space = AddressSpace(machine.memory, engine: engine)
    try space.map(at: start, pages: Page.pagesPerHuge, protection: .readWrite, hugePages: true)
    for page in 0..<pages.pages { try space.store(UInt64(1), at: pages.address(page)) }
    return space
  }
}

extension Worker {
  /// Pins pages and checks that pin and program see one page for as long as they are held, whichever of them stores.
  static func coherentPins(
    _ space: AddressSpace,
    options: [PinOptions] = [
      .write, [], [.write, .fastOnly], .fastOnly, [.write, .longTerm], .longTerm,
    ], threads: Int = 2, _ torture: Torture
  ) -> Worker {
    let seen = torture.tally("words seen through pins", goal: 16)
    return Worker("coherent pin", threads: threads) { run in
      let region = HugeRegion.pages
      var count: UInt64 = 0
      while run.next() {
        let page = run.random.below(region.pages)
        let option = options[run.random.below(options.count)]
        let pin = try space.pin(at: region.address(page), option, orGiveUpOn: [.tryAgain])
        guard let pin else { continue }
        for _ in 0..<1 + run.random.below(3) {
          count += 1
          seen.count()
          let wrong = try exchange(space, pin.deviceBytes, page: page, byDevice: option.contains(.write), count, &run)
          if let wrong { torture.fail("\(wrong) (pin options \(option.rawValue))") }
        }
        pin.release(dirty: option.contains(.write))
        if run.random.oneIn(4) { usleep(UInt32(run.random.below(400))) }
      }
    }
  }

  /// The same with all of the 2 MiB at once.
  static func coherentRanges(_ space: AddressSpace, _ torture: Torture) -> Worker {
    let seen = torture.tally("words seen through ranges", goal: 4)
    return Worker("coherent range") { run in
      let region = HugeRegion.pages
      var count: UInt64 = 1 << 32
      while run.next() {
        let first = run.random.below(73)
        let option: PinOptions = run.random.oneIn(2) ? .write : [.write, .fastOnly]
        let pins = try space.pin(at: HugeRegion.start + first * Page.size, pages: 512 - first, option)
        for page in 1..<region.pages where page * 73 - first < pins.count {
          count += 1
          seen.count()
          let bytes = pins.deviceBytes(at: page * 73 - first)
          let wrong = try exchange(space, bytes, page: page, byDevice: true, count, &run, lane: 8)
          if let wrong { torture.fail("in a range: \(wrong)") }
        }
        pins.release()
        usleep(UInt32(run.random.below(1000)))
      }
    }
  }

  /// One side writes a word, the other must see it.
  private static func exchange(
    _ space: AddressSpace, _ bytes: FrameBytes, page: Int, byDevice: Bool, _ word: UInt64, _ run: inout WorkerContext,
    lane: Int = 0
  ) throws -> String? {
    let place = Stamp.deviceOffset(lane + run.index)
    let address = HugeRegion.pages.address(page) + place
    if byDevice { bytes.store(word, toByteOffset: place) } else { try space.store(word, at: address) }
    run.pauseRandomly()
    let found =
      byDevice ? try space.load(at: address, as: UInt64.self) : bytes.load(fromByteOffset: place, as: UInt64.self)
    if found == word { return nil }
    return
      "page \(page): the \(byDevice ? "device wrote \(word), the program" : "program wrote \(word), the device") sees \(found)"
  }

  /// Counts words up, through the table: no store may be lost, none come back.
  static func counting(_ space: AddressSpace, threads: Int = 2, _ torture: Torture) -> Worker {
    let counted = torture.tally("words counted", goal: 32)
    return Worker("count", threads: threads) { run in
      let region = HugeRegion.pages
      var last = [UInt64](repeating: 0, count: region.pages)
      while run.next() {
        let page = run.random.below(region.pages)
        let address = region.address(page) + 3072 + 64 * run.index
        let found = try space.load(at: address, as: UInt64.self)
        torture.expect(found == last[page], "page \(page) held \(last[page]) and holds \(found)")
        last[page] += 1
        try space.store(last[page], at: address)
        counted.count()
        if run.random.oneIn(16) { run.pauseRandomly() }
      }
    }
  }

  /// Makes pages of the 2 MiB, again and again, and leaves their contents alone.
  static func splitting(_ space: AddressSpace, _ torture: Torture) -> Worker {
    Worker("split") { run in
      while run.next() {
        try split(space, &run)
        run.pauseRandomly()
      }
    }
  }

  static func split(_ space: AddressSpace, _ run: inout WorkerContext) throws {
    switch run.random.below(4) {
    case 0:
      try space.protect(at: HugeRegion.bystander, pages: 1 + run.random.below(40), .read)
      try space.protect(at: HugeRegion.start, pages: 512, .readWrite)
    case 1:
      try space.advise(at: HugeRegion.bystander, pages: 1 + run.random.below(40), .dontNeed)
    case 2:
      try space.advise(at: HugeRegion.bystander, pages: 1 + run.random.below(40), .dontFork)
      try space.advise(at: HugeRegion.start, pages: 512, .doFork)
    default:
      try space.map(at: HugeRegion.bystander, pages: 1, protection: .readWrite, hugePages: true)
      // Another thread may be changing what is allowed there.
      _ = try space.attemptStore(1, at: HugeRegion.bystander)
    }
  }

  /// Makes 2 MiB of the pages, and pages of them again.
  static func collapsing(_ space: AddressSpace, goal: Int = 2, _ torture: Torture) -> Worker {
    let collapsed = torture.tally("collapses", goal: goal)
    return Worker("collapse") { run in
      while run.next() {
        // While another thread changes a part of the mapping, none covers the 2 MiB.
        let done = try tolerating(.tryAgain, .outOfMemory, .invalidArgument) { () throws(PageError) in
          try space.advise(at: HugeRegion.start, pages: 512, .collapse)
        }
        if done { collapsed.count() }
        run.pauseRandomly()
        if run.random.oneIn(2) { try split(space, &run) }
      }
    }
  }

  /// Breaks the frame up if it is not held, and makes one again.
  static func breakingUp(_ space: AddressSpace, _ torture: Torture) -> Worker {
    let broken = torture.tally("frames broken up", goal: 2)
    return Worker("break up") { run in
      while run.next() {
        if space.breakUpHugeFrames(in: HugeRegion.start..<HugeRegion.start + Page.hugeSize) { broken.count() }
        run.pauseRandomly()
        _ = try tolerating(.tryAgain, .outOfMemory) { () throws(PageError) in
          try space.advise(at: HugeRegion.start, pages: 512, .collapse)
        }
        if run.random.oneIn(2) { try split(space, &run) }
      }
    }
  }

  /// A child of a space that is pinned needs copies of 2 MiB.
  private static func forkIfThereIsRoom(_ space: AddressSpace) throws -> AddressSpace? {
    do { return try space.fork() } catch PageError.outOfMemory { return nil }
  }

  /// Makes children, each of which must go on seeing what it saw first. Some of them write, some pin.
  static func forking(_ space: AddressSpace, _ torture: Torture) -> Worker {
    Worker("fork") { run in
      let region = HugeRegion.pages
      while run.next() {
        guard let eldest = try forkIfThereIsRoom(space) else { continue }
        var family = [eldest]
        if run.random.oneIn(3), let grandchild = try forkIfThereIsRoom(eldest) { family.append(grandchild) }
        let child = family[family.count - 1]
        let places = (0..<region.pages).flatMap { page in
          [Stamp.deviceOffset(0), Stamp.deviceOffset(1), 3072, 3136].map { region.address(page) + $0 }
        }
        let first = try places.map { try child.load(at: $0, as: UInt64.self) }
        run.pauseRandomly()
        let page = run.random.below(region.pages)
        let pin = try child.pin(at: region.address(page), run.random.oneIn(2) ? .write : [], orGiveUpOn: [.outOfMemory])
        for (index, place) in places.enumerated() {
          let again = try child.load(at: place, as: UInt64.self)
          torture.expect(again == first[index], "a child saw \(first[index]), and then \(again)")
        }
        if let pin {
          let seen = pin.deviceBytes.load(fromByteOffset: 3072, as: UInt64.self)
          torture.expect(seen == first[4 * page + 2], "a child's pin shows \(seen), the child \(first[4 * page + 2])")
          pin.release()
        }
        // The parent must not meet these.
        for place in places where run.random.oneIn(8) {
          _ = try tolerating(.outOfMemory) { () throws(PageError) in try child.store(UInt64.max, at: place) }
        }
        for member in family.shuffled(using: &run.random) { member.exit() }
      }
    }
  }
}

extension WorkerContext {
  /// Breaks up what it can of the 2 MiB.
  func breakUp(_ space: AddressSpace) {
    space.breakUpHugeFrames(in: HugeRegion.start..<HugeRegion.start + Page.hugeSize)
  }
}
