import Scenario
import SeededRandom

/// Writes random programs in the part of the scenario language that real memory can answer.
///
/// A program depends on the generator's state alone, not on the library's answers. So a change of the library changes
/// no program. Weights favour the statements that find defects: writes and pins around forks, permissions that flip,
/// mappings moved onto each other.
public struct ProgramGenerator {
  var random: SplitMix64
  var model: ProgramModel
  /// What the program is about; nil for a little of everything.
  let mode: ProgramMode?
  /// Most statements aim at this many first pages of the window. With fewer pages more statements meet.
  let hotPages: Int
  /// Whether the program collapses. Then it maps private anonymous memory and frame numbers only, unless it
  /// `collapsesShared`.
  let collapses: Bool
  /// Whether it collapses memory files and shared memory, too. Then its files are memory files of 2 MiB, and no mapping
  /// grows beyond them: an end inside of 2 MiB does not compare.
  let collapsesShared: Bool
  /// Whether the program pages out. Then its disk files end with a page, and it maps no 2 MiB: the rest does not
  /// compare.
  let pagesOut: Bool
  /// Whether the program pages out memory that it shares. Then it takes no pins for writing: they do not compare.
  let pagesOutShared: Bool
  /// Whether the program is about files that change: it maps little else, and stores near the ends of pages and files.
  let changesFiles: Bool
  /// Whether the program has memory that can be stored to and not read. Then other processes access it without pins.
  let mapsWriteOnly: Bool
  /// Whether the program seals memory. Much is refused then, so few programs do.
  let seals: Bool
  /// Whether the program frees memory lazily, before it pages out, and takes no pins: the rest does not compare.
  let frees: Bool
  /// Whether the program has paged out.
  var hasPagedOut = false
  /// Whether the program maps secret memory.
  let hasSecrets: Bool
  /// Whether the program locks memory.
  let locks: Bool
  /// Where memory mapped by frame number may be. It never becomes writable.
  private var frameNumbers = FrameNumberRanges()
  private var lines: [ScenarioLine] = []
  /// The byte of the next write. Two writes differ, so a read tells which of them it sees.
  private var nextByte: UInt8 = 1

  /// A generator for program number `program`, which is not negative, of the run with `seed`.
  public init(seed: UInt64, program: Int, mode: ProgramMode? = nil) {
    self.mode = mode
    // Each program has its own sequence, so that one can be repeated alone.
    var mixed = SplitMix64(seed: seed)
    var random = SplitMix64(seed: mixed.next() ^ (UInt64(program) &* 0xD1B5_4A32_D192_ED03))
    var scale = random.pick([(7, 1), (1, 128), (1, 256)])
    if let mode { scale = mode == .huge ? max(scale, 128) : 1 }
    // The other windows cross the end of a page-table node.
    let base: UInt64 = random.pick([(3, 0x1000_0000), (1, 0x101f_8000), (1, 0x101f_e000)])
    model = ProgramModel(base: scale == 1 ? base : 0x1000_0000, scale: scale)
    hotPages = random.pick([(1, 2), (2, 4), (1, 8), (2, ProgramModel.windowPages)])
    collapses = scale > 1 ? random.chance(50) : mode == .pfn && random.chance(25)
    collapsesShared = collapses && scale > 1 && random.chance(60)
    pagesOut = scale == 1 && !collapses && (mode == .swap || random.chance(30))
    mapsWriteOnly = mode != .unshare && mode != .longterm && random.chance(25)
    changesFiles =
      scale == 1 && mode != .pfn && (mode == .disk || mode == .files || (mode != .swap && random.chance(40)))
    seals = random.chance(15)
    frees = pagesOut && random.chance(35)
    pagesOutShared = mode == .swap && !frees && random.chance(80)
    hasSecrets = scale == 1 && !pagesOut && !collapses && random.chance(15)
    locks = scale == 1 && random.chance(20)
    self.random = random
  }

  /// The program.
  public mutating func program(path: String = "random") -> ScenarioFile {
    makeMachine()
    let statements = random.pick([(8, 24), (3, 50), (1, 120)]) + Int.random(in: 0...16, using: &random)
    while lines.count < statements { addStep() }
    lookAtEverything()
    return ScenarioFile(path: path, lines: lines)
  }

  // MARK: - Beginning and end

  private mutating func makeMachine() {
    add(.machine(.memory(pages: model.isHuge ? Self.hugeMemoryPages : Self.memoryPages)))
    if mode == .pfn {
      add(FrameNumberFile.image(Self.image))
      add(.machine(.device(name: Self.device, pages: 1)))
    }
    for name in ["f", "g"].prefix(mode == .files ? 2 : Int.random(in: 1...2, using: &random)) {
      let pages = collapsesShared ? 512 : Int.random(in: 1...6, using: &random)
      let byte: UInt8? = random.chance(50) ? takeByte() : nil
      let isOnDisk = mode == .files ? name == "f" : mode == .disk || (!collapsesShared && random.chance(50))
      model.files.append(.init(name: name, isOnDisk: isOnDisk, byteCount: pages * 4096))
      let contents = Contents.filled(pages: pages, byte: byte)
      add(.machine(isOnDisk ? .diskFile(name: name, contents) : .file(name: name, contents)))
    }
    addSpace()
    let initial = Int.random(in: 1...3, using: &random)
    for _ in 0..<initial { addMap(model.spaces[0].name) }
  }

  /// Reads every page of pins, spaces and files, so that no difference goes unseen.
  private mutating func lookAtEverything() {
    for pin in model.pins {
      for page in 0..<pin.pages { add(.pin(.peek(name: pin.name, offset: page * 4096, count: 12))) }
      add(.pin(.peek(name: pin.name, offset: pin.pages * 4096 - 8, count: 8)))
    }
    for space in model.spaces {
      for (page, end) in space.pagesWithEnd(of: model.files) {
        let start = max(end - 2, 0)
        add(
          .access(.read(space: space.name, address: model.address(page) + UInt64(start), count: min(12, 4096 - start))))
      }
      for page in space.mappedPages {
        add(.access(.read(space: space.name, address: model.address(page), count: 12)))
        if !model.isHuge, !collapses, random.chance(30) {
          add(.look(.frame(space: space.name, address: model.address(page))))
        }
        if random.chance(changesFiles ? 80 : 25) {
          add(.access(.read(space: space.name, address: model.address(page) + 4088, count: 8)))
        }
        if model.isHuge {
          let last = model.address(page + 1) - 4096
          add(.access(.read(space: space.name, address: last, count: 12)))
        }
      }
    }
    for file in model.files {
      for page in stride(from: 0, to: file.pages, by: max(file.pages / 16, 1)) {
        add(.access(.readFile(name: file.name, offset: page * 4096, count: 12)))
      }
      guard file.isOnDisk, random.chance(50) else { continue }
      add(.file(.sync(name: file.name)))
      for page in 0..<file.pages { add(.file(.onDisk(name: file.name, offset: page * 4096, count: 12))) }
      add(.file(.onDisk(name: file.name, offset: max(file.byteCount - 8, 0), count: 12)))
    }
  }

  /// Enough for all spaces and files at once. A scenario that runs out of memory does not compare.
  private static let memoryPages = Comparability.enoughMemory
  private static let hugeMemoryPages = 1 << 15
  /// The image and the device that mode `pfn` maps.
  static let image = "i", device = "d"

  // MARK: - For the steps

  mutating func add(_ statement: Statement) {
    if case .space(let statement) = statement { frameNumbers.note(statement, [Self.device]) }
    lines.append(ScenarioLine(number: lines.count + 1, statement: statement))
  }

  mutating func addSpace() {
    let name = model.nextSpaceName()
    model.spaces.append(.init(name: name, pages: Array(repeating: nil, count: ProgramModel.windowPages)))
    add(.space(.space(name: name)))
    if changesFiles { addFileMaps() }
  }

  /// A permission for a range of a space.
  mutating func permission(_ space: String, _ range: PageRange) -> Permission {
    let permission = permission()
    let isWritable = [.write, .readWrite].contains(permission)
    return isWritable && frameNumbers.overlap(range, of: space) ? .read : permission
  }

  mutating func takeByte() -> UInt8 {
    nextByte = nextByte == 255 ? 1 : nextByte + 1
    return nextByte
  }

  /// A few bytes that differ from the last writes, sometimes a page or two.
  mutating func bytes() -> ByteString {
    if random.chance(6) {
      return ByteString(repeating: takeByte(), count: 4096 * Int.random(in: 1...2, using: &random))
    }
    return ByteString((0..<Int.random(in: 1...4, using: &random)).map { _ in takeByte() })
  }

  /// The offset of an access in its page: mostly 0, sometimes so large that the access crosses into the next page.
  mutating func offsetInPage() -> UInt64 { random.pick([(6, 0), (2, 8), (changesFiles ? 4 : 1, 4094)]) }

  /// The offset of a page in its piece of the window, in bytes.
  mutating func offsetInPiece() -> UInt64 {
    model.isHuge ? UInt64(random.pick([(5, 0), (1, 1), (1, model.scale / 2), (2, model.scale - 1)])) * 4096 : 0
  }
}
