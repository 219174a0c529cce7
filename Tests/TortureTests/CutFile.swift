import Foundation
import TestSupport
import UserPages

/// One thread cuts off the end of a memory file, round after round, and other threads look behind the cut.
///
/// Each thread has a word of its own in every page there (its *lane*), to which no other thread stores. It finds what
/// it stored last. If a round was under way since, it may find zero, no page, or an earlier word. One way to the page
/// may then still show the old frame. It must not find a word if a whole round came after that was stored.
struct CutFile {
  /// A way to a word.
  enum Way: CaseIterable {
    case table, alias, mirror, pin, file
  }

  /// How pages go.
  enum Kind {
    /// The file becomes shorter, and longer again.
    case cut
    /// It gets holes.
    case hole
    /// Now this, now that.
    case either
    /// Holes under private mappings. Their copies stay: nothing is ever lost.
    case harmlessHole
  }

  let file: PageCacheFile
  let space: AddressSpace
  /// The first page that is cut off, of so many.
  let firstCut: Int
  let filePages: Int
  /// Pages behind the cut, in the first mapping.
  let region: Region
  /// The same pages in another mapping.
  let alias: Region
  let mirror: Mirror
  // Rounds that have begun, and rounds that are over.
  private let rounds = Board(2)

  static let start: VirtualAddress = 0x7000_0000
  static let secondStart: VirtualAddress = 0xA000_0000

  init(
    _ machine: Machine, engine: PinEngine, pages: Int = 8, firstCut: Int = 4, every stride: Int = 1,
    sharing: Sharing = .shared,
    hugePages: Bool = false
  ) throws {
    file = try PageCacheFile(machine.memory, pages: pages)
    space = AddressSpace(machine.memory, engine: engine)
    self.firstCut = firstCut
    filePages = pages
    let count = (pages - firstCut + stride - 1) / stride
    region = Region(at: Self.start + firstCut * Page.size, pages: count, stride: stride * Page.size)
    alias = Region(at: Self.secondStart + firstCut * Page.size, pages: count, stride: stride * Page.size)
    for start in [Self.start, Self.secondStart] {
      try space.map(
        at: start, pages: pages, protection: .readWrite, sharing: sharing, backing: .file(file), hugePages: hugePages)
    }
    mirror = try space.mirror(at: Self.start, pages: pages, for: .write)
  }

  /// The pages before the cut.
  var kept: Region { Region(at: Self.start, pages: firstCut) }

  // MARK: The cut

  /// Runs `prepare`, cuts, looks, and makes the file as long as before.
  func cutting(
    _ kind: Kind, also firstPages: [Int] = [], children: Children? = nil,
    after prepare: @escaping @Sendable () throws -> Void = {}, _ torture: Torture
  ) -> Worker {
    let cuts = torture.tally("cuts", goal: 8)
    return Worker("cut") { run in
      let firstPages = firstPages + [firstCut]
      while run.next() {
        try prepare()
        let first = firstPages[run.random.below(firstPages.count)]
        if kind != .harmlessHole { rounds.announce(0, UInt64(run.turn)) }
        switch kind {
        case .cut: try cut(at: first, children, &run)
        case .either where run.random.oneIn(2): try cut(at: first, children, &run)
        default: try file.punchHole(first..<filePages)
        }
        if kind != .harmlessHole { rounds.announce(1, UInt64(run.turn)) }
        cuts.count()
        usleep(200)
        run.pauseRandomly()
      }
    }
  }

  private func cut(at first: Int, _ children: Children?, _ run: inout WorkerContext) throws {
    try file.setByteCount(max(first * Page.size - run.random.below(2) * 100, 0))
    func look(_ space: AddressSpace, _ view: Region) {
      for page in 0..<view.pages {
        let seen = try? space.load(at: view.address(page), as: UInt64.self)
        run.torture.expect(seen == nil, "page \(page), beyond the end, shows \(seen ?? 0)")
      }
    }
    look(space, region)
    look(space, alias)
    children?.forEach { look($0, region) }
    try file.setByteCount(filePages * Page.size)
  }

  // MARK: The words

  /// What one thread knows of its words.
  struct Lane {
    let index: Int
    fileprivate var last: [UInt64]
    // Rounds over before the last store.
    fileprivate var overBefore: [UInt64]
    // Words that may still be seen, and how many rounds had begun after each was stored.
    fileprivate var stored: [[(word: UInt64, begunAfter: UInt64)]]

    var offset: Int { Stamp.deviceOffset(index) }
  }

  func lane(_ index: Int) -> Lane {
    let zeroes = [UInt64](repeating: 0, count: region.pages)
    return Lane(index: index, last: zeroes, overBefore: zeroes, stored: Array(repeating: [], count: region.pages))
  }

  /// Loads the lane's word of a page, judges it, and counts it up. `load` gives nil, and `store` does nothing, where
  /// the page is cut off.
  func countUp(
    _ lane: inout Lane, page: Int, _ torture: Torture, load: () throws -> UInt64?, store: (UInt64) throws -> Void
  ) throws {
    let over = rounds[1]
    let found = try load()
    let begun = rounds[0]
    let last = lane.last[page]
    let place = "page \(page) of thread \(lane.index)"
    lane.stored[page].removeAll { $0.begunAfter < over }
    if let found {
      torture.expect(
        found == 0 || lane.stored[page].contains { $0.word == found },
        "\(place) shows \(found), which was cut off before, or never stored; the last is \(last)")
      torture.expect(
        found == last || begun != lane.overBefore[page], "\(place) shows \(found), and \(last) was not cut off")
    } else {
      torture.expect(begun != over, "\(place) is cut off, and no cut was under way")
    }
    lane.overBefore[page] = rounds[1]
    lane.last[page] = last + 1
    try store(last + 1)
    lane.stored[page].append((last + 1, rounds[0]))
  }

  /// Counts a random page's word up by another mapping of the same pages.
  func countUp(
    _ lane: inout Lane, in space: AddressSpace, _ view: Region, _ run: inout WorkerContext
  ) throws {
    let page = run.random.below(view.pages)
    let address = view.address(page) + lane.offset
    try countUp(&lane, page: page, run.torture) {
      try space.loadUnlessCut(at: address)
    } store: {
      try space.storeUnlessCut($0, at: address)
    }
  }

  /// Threads that count up, each time by other ways. The first has the lane `firstLane`.
  func counting(
    by ways: [Way] = [.table, .alias], threads: Int = 2, firstLane: Int = 0, _ torture: Torture
  ) -> Worker {
    let stored = torture.tally("words behind the cut", goal: 64)
    return Worker("count behind the cut", threads: threads) { run in
      var lane = lane(firstLane + run.index)
      let offset = lane.offset
      while run.next() {
        let page = run.random.below(region.pages)
        let (first, second) = (ways[run.random.below(ways.count)], ways[run.random.below(ways.count)])
        try countUp(&lane, page: page, torture) {
          try load(page, offset, first)
        } store: {
          try store($0, page, offset, second)
        }
        stored.count()
        run.pauseRandomly()
      }
    }
  }

  private func load(_ page: Int, _ offset: Int, _ way: Way) throws -> UInt64? {
    let address = region.address(page) + offset
    switch way {
    case .table: return try space.loadUnlessCut(at: address)
    case .alias: return try space.loadUnlessCut(at: alias.address(page) + offset)
    case .mirror:
      do { return try mirror.load(at: address) } catch PageError.badAddress { return nil }
    case .pin:
      guard let pin = try space.pin(at: address, [], orGiveUpOn: [.badAddress]) else { return nil }
      return pin.deviceBytes.load(fromByteOffset: offset, as: UInt64.self)
    case .file:
      let bytes = try file.read(at: address - Self.start, count: 8)
      return bytes.count == 8 ? MemoryStore.word(bytes, at: 0) : nil
    }
  }

  private func store(_ word: UInt64, _ page: Int, _ offset: Int, _ way: Way) throws {
    let address = region.address(page) + offset
    switch way {
    case .table: try space.storeUnlessCut(word, at: address)
    case .alias: try space.storeUnlessCut(word, at: alias.address(page) + offset)
    case .mirror:
      _ = try tolerating(.badAddress) { () throws(PageError) in try mirror.store(word, at: address) }
    case .pin:
      guard let pin = try space.pin(at: address, .write, orGiveUpOn: [.badAddress]) else { return }
      pin.deviceBytes.store(word, toByteOffset: offset)
      pin.release(dirty: true)
    case .file:
      try file.write((0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }, at: address - Self.start)
    }
  }

  func end() {
    space.exit()
    file.drop()
  }
}

extension AddressSpace {
  /// Loads a word. Nil if the file has no such page.
  func loadUnlessCut(at address: VirtualAddress) throws -> UInt64? {
    do { return try load(at: address, as: UInt64.self) } catch .busError { return nil }
  }

  /// Stores a word, unless the file has no such page.
  func storeUnlessCut(_ word: UInt64, at address: VirtualAddress) throws {
    _ = try tolerating(.busError) { () throws(PageError) in try store(word, at: address) }
  }
}
