import TestSupport
import UserPages

/// One step of a random program.
///
/// It is a plain value, so a failing program can run again without some of its steps. A step that no longer makes sense
/// is skipped.
enum Operation {
  case map(space: Int, page: Int, count: Int, Protection, Sharing, ModelKind, offset: Int, huge: Bool)
  case unmap(space: Int, page: Int, count: Int)
  case protect(space: Int, page: Int, count: Int, Protection)
  case dontNeed(space: Int, page: Int, count: Int)
  case pageOut(space: Int, page: Int, count: Int)
  case collapse(space: Int, page: Int, count: Int)
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

  /// A random step. Loads and stores are the most frequent.
  static func random(_ random: inout SeededGenerator, in world: World = .small) -> Operation {
    let space = random.below(World.spaces)
    let page = world.page(&random)
    let count = world.count(from: page, &random)
    let value = UInt8(1 + random.below(255))
    switch random.below(world.hugePage == nil ? 43 : 46) {
    case 0...5: return mapping(space, page, count, &random, world)
    case 6, 7: return .unmap(space: space, page: page, count: count)
    case 8...10: return .protect(space: space, page: page, count: count, protection(&random))
    case 11, 12: return .dontNeed(space: space, page: page, count: count)
    case 13: return .inherit(space: space, page: page, count: count, random.oneIn(2))
    case 14: return .populate(space: space, page: page, count: count, write: random.oneIn(2))
    case 15, 16:
      let target = random.oneIn(8) ? page : world.page(&random)
      var newCount = random.oneIn(2) ? count : world.count(from: target, &random, atMost: 8)
      newCount = min(newCount, world.pages - target)
      return .remap(space: space, page: page, count: count, to: target, newCount: newCount)
    case 17, 18: return .fork(space: space, child: random.below(World.spaces))
    case 19: return .exit(space: space)
    case 20...24:
      return .load(space: space, address: byteAddress(page, &random, world), count: 1 + random.below(24))
    case 25...31:
      return .store(space: space, address: byteAddress(page, &random, world), count: 1 + random.below(24), value)
    case 32:
      return .readFile(
        offset: world.page(&random) % world.objectPages * Page.size + random.below(Page.size),
        count: 1 + random.below(64))
    case 33, 34:
      let offset = world.page(&random) % (world.objectPages - 1) * Page.size + random.below(Page.size)
      return .writeFile(offset: offset, count: 1 + random.below(64), value)
    case 35, 36:
      // No plain gets: a fork may share their pages.
      let options: [PinOptions] = [.write, .longTerm, [.write, .longTerm]]
      return .pin(pin: random.below(World.pins), space: space, page: page, options[random.below(3)])
    case 37, 38:
      let offset = random.below(Page.size - 16)
      return .poke(pin: random.below(World.pins), offset: offset, count: 1 + random.below(16), value)
    case 39...41: return .pageOut(space: space, page: page, count: count)
    case 42: return .release(pin: random.below(World.pins))
    default: return .collapse(space: space, page: page, count: count)
    }
  }

  private static func mapping(_ space: Int, _ page: Int, _ count: Int, _ random: inout SeededGenerator, _ world: World)
    -> Operation
  {
    var (page, count) = (page, count)
    if world.hugePage != nil, random.oneIn(2) {
      // A mapping that holds at least 2 MiB.
      page = [0, 10, 19, 20][random.below(4)]
      count = [532, 533, 1043, 1044, 1099][random.below(5)] - page
    }
    let kind = random.oneIn(3) ? .anonymous : ModelKind.allCases[random.below(ModelKind.allCases.count)]
    // An image cannot be written, so its mappings are private. Other mappings may be shared.
    let sharing: Sharing = kind == .mixed || kind == .pfnImage || random.oneIn(2) ? .private : .shared
    // A mapping of a file may reach beyond the file's end.
    let last = kind == .file ? world.objectPages : world.objectPages - count
    return .map(
      space: space, page: page, count: count, protection(&random), sharing, kind,
      offset: world.objectPage(shownAt: page, last: last, &random), huge: world.hugePage != nil && !random.oneIn(4))
  }

  private static func protection(_ random: inout SeededGenerator) -> Protection {
    switch random.below(6) {
    case 0: .none
    case 1: .read
    default: .readWrite
    }
  }

  /// A byte near the beginning or the end of a page. So accesses meet each other and cross into the next page.
  private static func byteAddress(_ page: Int, _ random: inout SeededGenerator, _ world: World) -> Int {
    (world.firstPage + page) * Page.size + (random.oneIn(3) ? Page.size - 8 : random.below(32))
  }
}
