import TestSupport
import UserPages

/// The size of the world in which random programs run.
enum World {
  /// Pages of the window in which everything is mapped.
  static let pages = 16
  /// The window's first page: it lies across a border between table nodes of three levels.
  static let firstPage = (1 << 27) - 7
  /// Spaces and pins that a program can name.
  static let spaces = 4
  static let pins = 4
  /// Pages of the file, the image and the device.
  static let objectPages = 12
  /// Frames of the machine: enough for everything at once.
  static let frames = 512
  /// Pages that have room in the swap file: likewise.
  static let swapPages = 512

  /// The byte address of a page of the window.
  static func address(_ page: Int) -> VirtualAddress {
    VirtualAddress(UInt64((firstPage + page) * Page.size))
  }
}

/// One step of a random program. It is a plain value, so that a failing program can be run again without some of its steps;
/// what makes no sense at its turn is skipped.
enum Operation {
  case map(space: Int, page: Int, count: Int, Protection, Sharing, ModelKind, offset: Int)
  case unmap(space: Int, page: Int, count: Int)
  case protect(space: Int, page: Int, count: Int, Protection)
  case dontNeed(space: Int, page: Int, count: Int)
  case pageOut(space: Int, page: Int, count: Int)
  case inherit(space: Int, page: Int, count: Int, Bool)
  case populate(space: Int, page: Int, count: Int, write: Bool)
  case remap(space: Int, page: Int, count: Int, to: Int, newCount: Int)
  case fork(space: Int, child: Int)
  case exit(space: Int)
  case load(space: Int, address: Int, count: Int)
  case store(space: Int, address: Int, count: Int, UInt8)
  case readFile(offset: Int, count: Int)
  case writeFile(offset: Int, count: Int, UInt8)
  case pin(pin: Int, space: Int, page: Int, PinOptions)
  case poke(pin: Int, offset: Int, count: Int, UInt8)
  case release(pin: Int)

  /// A random step; loads and stores are the most frequent.
  static func random(_ random: inout SeededGenerator) -> Operation {
    let space = random.below(World.spaces)
    let page = random.below(World.pages)
    let count = 1 + random.below(min(6, World.pages - page))
    let value = UInt8(1 + random.below(255))
    switch random.below(43) {
    case 0...5: return mapping(space, page, count, &random)
    case 6, 7: return .unmap(space: space, page: page, count: count)
    case 8...10: return .protect(space: space, page: page, count: count, protection(&random))
    case 11, 12: return .dontNeed(space: space, page: page, count: count)
    case 13: return .inherit(space: space, page: page, count: count, random.oneIn(2))
    case 14: return .populate(space: space, page: page, count: count, write: random.oneIn(2))
    case 15, 16:
      let target = random.oneIn(8) ? page : random.below(World.pages)
      let newCount = random.oneIn(2) ? count : 1 + random.below(min(8, World.pages - target))
      return .remap(space: space, page: page, count: count, to: target, newCount: newCount)
    case 17, 18: return .fork(space: space, child: random.below(World.spaces))
    case 19: return .exit(space: space)
    case 20...24:
      return .load(space: space, address: byteAddress(page, &random), count: 1 + random.below(24))
    case 25...31:
      return .store(space: space, address: byteAddress(page, &random), count: 1 + random.below(24), value)
    case 32: return .readFile(offset: random.below(World.objectPages * Page.size), count: 1 + random.below(64))
    case 33, 34:
      let offset = random.below(World.objectPages * Page.size - 64)
      return .writeFile(offset: offset, count: 1 + random.below(64), value)
    case 35, 36:
      // Plain gets are not among them: a fork may share their pages.
      let options: [PinOptions] = [.write, .longTerm, [.write, .longTerm]]
      return .pin(pin: random.below(World.pins), space: space, page: page, options[random.below(3)])
    case 37, 38:
      let offset = random.below(Page.size - 16)
      return .poke(pin: random.below(World.pins), offset: offset, count: 1 + random.below(16), value)
    case 39...41: return .pageOut(space: space, page: page, count: count)
    default: return .release(pin: random.below(World.pins))
    }
  }

  private static func mapping(_ space: Int, _ page: Int, _ count: Int, _ random: inout SeededGenerator) -> Operation {
    let kind = ModelKind.allCases[random.below(ModelKind.allCases.count)]
    // An image cannot be written, so its mappings are private; the others may be shared.
    let sharing: Sharing = kind == .mixed || kind == .pfnImage || random.oneIn(2) ? .private : .shared
    // A file's mapping may reach behind its end.
    let last = kind == .file ? World.objectPages : World.objectPages - count
    return .map(
      space: space, page: page, count: count, protection(&random), sharing, kind, offset: random.below(last + 1))
  }

  private static func protection(_ random: inout SeededGenerator) -> Protection {
    switch random.below(6) {
    case 0: .none
    case 1: .read
    default: .readWrite
    }
  }

  /// A byte near a page's beginning or end, so that accesses meet each other and cross into the next page.
  private static func byteAddress(_ page: Int, _ random: inout SeededGenerator) -> Int {
    (World.firstPage + page) * Page.size + (random.oneIn(3) ? Page.size - 8 : random.below(32))
  }
}
