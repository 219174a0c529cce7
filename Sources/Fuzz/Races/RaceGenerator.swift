import Scenario
import SeededRandom

/// Writes random pairs of halves that aim at the same pages.
///
/// A pair depends on the seed and its number alone.
public struct RaceGenerator {
  private var random: SplitMix64
  private let base: UInt64
  /// Most statements aim at this page.
  private var hotPage = 0
  private var file: (name: String, pages: Int)?
  private var nextByte: UInt8 = 0
  private var madePins = 0
  private var madeSpaces = 0
  /// The spaces and pins that a half may use: those of before, and its own.
  private var spaces: [String] = []
  private var pins: [(name: String, pages: Int, takesStores: Bool)] = []

  /// Pages that pairs use. The last one is not mapped at first.
  static let pages = 4
  /// The most statements of both halves, and the most steps of one: twelve steps have 924 orders.
  static let mostStatements = 6, mostSteps = 6

  public init(seed: UInt64, pair: Int) {
    var mixed = SplitMix64(seed: seed ^ 0x7261_6365)
    random = SplitMix64(seed: mixed.next() ^ (UInt64(pair) &* 0xD1B5_4A32_D192_ED03))
    // The second window crosses the end of a page-table node.
    base = random.pick([(3, 0x1000_0000), (1, 0x101f_e000)])
  }

  /// The pair.
  public mutating func pair(path: String) -> RacePair {
    while true {
      let pair = attempt(path: path)
      let steps = DividedPair(pair).steps
      guard pair.firstIncomparable == nil, steps.allSatisfy({ 1...Self.mostSteps ~= $0.count }),
        // The halves may not name what the other one makes or gives back.
        ScenarioParser.errors(of: pair.file).isEmpty
      else { continue }
      return pair
    }
  }

  private mutating func attempt(path: String) -> RacePair {
    (nextByte, madePins, madeSpaces, spaces, pins, file) = (0, 0, 0, ["A"], [], nil)
    hotPage = random.below(Self.pages - 1)
    let setup = setup()
    let (count, before) = (random.pick([(1, 2), (2, 3), (3, 4), (3, 5), (3, Self.mostStatements)]), (spaces, pins))
    let first = Int.random(in: 1...count - 1, using: &random)
    var halves: [[Statement]] = []
    var after = before
    for length in [first, count - first] {
      (spaces, pins) = before
      halves.append((0..<length).map { _ in step() })
      after.0 = after.0.filter { spaces.contains($0) || !before.0.contains($0) }
      after.0 += spaces.filter { !before.0.contains($0) }
      after.1 = after.1.filter { pin in
        pins.contains { $0.name == pin.name } || !before.1.contains { $0.name == pin.name }
      }
      after.1 += pins.filter { pin in !before.1.contains { $0.name == pin.name } }
    }
    (spaces, pins) = after
    return RacePair(path: path, setup: setup, halves: halves, looks: looks())
  }

  // MARK: - Before and after

  private mutating func setup() -> [Statement] {
    var setup: [Statement] = [.machine(.memory(pages: Comparability.enoughMemory))]
    if random.chance(40) {
      let pages = Int.random(in: 1...3, using: &random)
      file = ("f", pages)
      setup.append(.machine(.file(name: "f", .filled(pages: pages, byte: random.chance(50) ? byte() : nil))))
    }
    setup.append(.space(.space(name: "A")))
    setup.append(map(0, Self.pages - 1))
    if random.chance(40) { setup.append(map(random.below(Self.pages - 1), 1)) }
    var forked = false
    for _ in 0..<Int.random(in: 0...5, using: &random) {
      switch random.pick([(10, 0), (4, 1), (forked ? 0 : 4, 2), (3, 3), (1, 4), (2, 5)]) {
      case 0:
        setup.append(.access(.write(space: someSpace(), address: address(somePage()) + offset(), ByteString([byte()]))))
      case 1: setup.append(.access(.read(space: someSpace(), address: address(somePage()), count: 1)))
      case 2:
        forked = true
        setup.append(fork())
      case 3: setup.append(pin(pages: 1))
      case 4: setup.append(.space(.protect(space: "A", range(), .read)))
      default: setup.append(.space(.advise(space: "A", range(), .pageOut)))
      }
    }
    return setup
  }

  /// Reads the places of every page that pairs store to.
  private func looks() -> [Statement] {
    var looks: [Statement] = []
    for space in spaces {
      for page in 0..<Self.pages {
        looks.append(.access(.read(space: space, address: address(page), count: 2)))
        looks.append(.access(.read(space: space, address: address(page) + 4095, count: 1)))
      }
    }
    for pin in pins {
      for page in 0..<pin.pages {
        looks.append(.pin(.peek(name: pin.name, offset: page * 4096, count: 2)))
        looks.append(.pin(.peek(name: pin.name, offset: page * 4096 + 4095, count: 1)))
      }
    }
    for page in 0..<(file?.pages ?? 0) {
      looks.append(.access(.readFile(name: "f", offset: page * 4096, count: 2)))
      looks.append(.access(.readFile(name: "f", offset: page * 4096 + 4095, count: 1)))
    }
    return looks
  }

  // MARK: - Steps

  private mutating func step() -> Statement {
    let space = someSpace()
    let page = somePage()
    let hasFile = file != nil
    switch random.pick([
      (14, 0), (8, 1), (3, 2), (3, 3), (7, 4), (8, 5), (4, 6), (4, 7), (5, 8), (5, 9), (7, 10),
      (pins.isEmpty ? 0 : 10, 11),
      (pins.isEmpty ? 0 : 2, 12), (hasFile ? 9 : 0, 13), (spaces.count > 1 ? 2 : 0, 14), (3, 15),
    ]) {
    case 0: return .access(.write(space: space, address: address(page) + offset(), bytes()))
    case 1: return .access(.read(space: space, address: address(page) + offset(), count: random.chance(25) ? 2 : 1))
    case 2: return .access(.readRemotely(space: space, address: address(page) + offset(), count: 1))
    case 3: return .access(.writeRemotely(space: space, address: address(page) + offset(), bytes()))
    case 4: return .space(.advise(space: space, range(), .dontNeed))
    case 5: return .space(.protect(space: space, range(), random.pick([(1, .none), (3, .read), (4, .readWrite)])))
    case 6: return .space(.unmap(space: space, range()))
    case 7: return map(page, length(), space)
    case 8: return remap(space, page)
    case 9: return madeSpaces < 2 ? fork() : .access(.read(space: space, address: address(page), count: 1))
    case 10: return pin(pages: random.chance(25) ? 2 : 1)
    case 11:
      let pin = pins[random.below(pins.count)]
      let place = random.below(pin.pages) * 4096 + Int(offset())
      guard pin.takesStores, random.chance(60) else { return .pin(.peek(name: pin.name, offset: place, count: 1)) }
      return .pin(.poke(name: pin.name, offset: place, ByteString([byte()])))
    case 12:
      let pin = pins.remove(at: random.below(pins.count))
      return .pin(.release(name: pin.name, dirty: random.chance(50)))
    case 13: return fileStep()
    case 14:
      guard let index = spaces.indices.dropFirst().randomElement(using: &random) else { fallthrough }
      return .space(.exit(space: spaces.remove(at: index)))
    default:
      return .space(
        .advise(
          space: space, range(),
          random.pick([
            (3, .pageOut), (2, .populateWrite), (1, .populateRead), (1, .guardInstall), (1, .guardRemove),
            (1, .dontFork),
          ])))
    }
  }

  private mutating func fileStep() -> Statement {
    let page = random.below(file?.pages ?? 1)
    let place = page * 4096 + Int(offset())
    return switch random.pick([(4, 0), (3, 1), (2, 2), (2, 3)]) {
    case 0: .access(.writeFile(name: "f", offset: place, ByteString([byte()])))
    case 1: .access(.readFile(name: "f", offset: place, count: 1))
    case 2: .file(.truncate(name: "f", byteCount: page * 4096))
    default: .file(.punch(name: "f", page: page, pages: 1))
    }
  }

  private mutating func map(_ page: Int, _ pages: Int, _ space: String = "A") -> Statement {
    let isOfFile = file != nil && random.chance(60)
    let sharing: SharingWord = random.chance(isOfFile ? 60 : 15) ? .shared : .private
    return .space(
      .map(
        MapStatement(
          space: space, range: PageRange(address: address(page), pages: min(pages, Self.pages - page)),
          permission: random.pick([(6, .readWrite), (1, .read)]), sharing: sharing,
          backing: isOfFile ? .file("f") : .anonymous, offset: isOfFile ? random.below(2) : nil)))
  }

  private mutating func remap(_ space: String, _ page: Int) -> Statement {
    let pages = length()
    let start = min(page, Self.pages - pages)
    let target = random.below(Self.pages - pages + 1)
    // A move onto itself is refused. Let some be.
    return .space(
      .remap(
        space: space, PageRange(address: address(start), pages: pages),
        to: PageRange(address: address(target), pages: pages),
        dontUnmap: random.chance(15)))
  }

  private mutating func fork() -> Statement {
    madeSpaces += 1
    let child = ["A", "B", "C", "D"][madeSpaces]
    spaces.append(child)
    return .space(.fork(parent: "A", child: child))
  }

  private mutating func pin(pages: Int) -> Statement {
    madePins += 1
    let name = "p\(madePins)"
    let writes = random.chance(80)
    let page = min(somePage(), Self.pages - pages)
    pins.append((name, pages, writes))
    let range = PageRange(address: address(page), pages: pages)
    return writes
      ? .pin(.pin(name: name, space: someSpace(), range, [.write, .longTerm]))
      : .pin(.get(name: name, space: someSpace(), range, []))
  }

  // MARK: - Places

  private func address(_ page: Int) -> UInt64 { base + UInt64(page) * 4096 }

  private mutating func someSpace() -> String { random.chance(70) ? spaces[0] : spaces[random.below(spaces.count)] }

  private mutating func somePage() -> Int { random.chance(80) ? hotPage : random.below(Self.pages) }

  private mutating func length() -> Int { random.pick([(5, 1), (2, 2)]) }

  private mutating func range() -> PageRange {
    let pages = length()
    return PageRange(address: address(min(somePage(), Self.pages - pages)), pages: pages)
  }

  /// Where stores are: two neighbours at the start of a page, and its last byte, from which two bytes cross into the
  /// next page.
  private mutating func offset() -> UInt64 { random.pick([(4, 0), (3, 1), (2, 4095)]) }

  private mutating func bytes() -> ByteString { ByteString((0..<(random.chance(25) ? 2 : 1)).map { _ in byte() }) }

  /// No two stores of a pair are alike, so a load tells which of them it sees.
  private mutating func byte() -> UInt8 {
    nextByte += 1
    return nextByte
  }
}
