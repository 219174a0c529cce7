import Scenario

/// What a generated program has probably done so far: enough to aim statements at something, never used to judge.
struct ProgramModel {
  /// What lies behind one page of a space.
  struct MappedPage: Equatable {
    var permission: Permission
    var sharing: SharingWord
    var isFile: Bool
  }

  struct Space {
    var name: String
    /// One for each page of the window; nil where nothing is mapped.
    var pages: [MappedPage?]
  }

  struct Pin {
    var name: String
    var pages: Int
    /// Whether bytes can be stored through it.
    var takesStores: Bool
  }

  struct File {
    var name: String
    var pages: Int
  }

  /// The pages that programs use, or pieces of `scale` pages each.
  static let windowPages = 16

  /// The address of the window's first page.
  let base: UInt64
  /// Pages in each piece of the window: more than one where a program is about 2 MiB entries.
  let scale: Int
  var files: [File] = []
  var spaces: [Space] = []
  var pins: [Pin] = []
  private var spacesMade = 0
  private var pinsMade = 0

  init(base: UInt64, scale: Int) {
    self.base = base
    self.scale = scale
  }

  var isHuge: Bool { scale > 1 }

  func address(_ page: Int) -> UInt64 { base &+ UInt64(bitPattern: Int64(page * scale)) &* 4096 }

  mutating func nextSpaceName() -> String {
    spacesMade += 1
    // A to Z, then AA, which is more than a program makes.
    let (round, letter) = (spacesMade - 1).quotientAndRemainder(dividingBy: 26)
    let prefix = String(repeating: "A", count: round)
    return prefix + String(Character(UnicodeScalar(UInt8(ascii: "A") + UInt8(letter))))
  }

  mutating func nextPinName() -> String {
    pinsMade += 1
    return "p\(pinsMade)"
  }
}

extension ProgramModel.Space {
  var mappedPages: [Int] { pages.indices.filter { pages[$0] != nil } }

  func pages(where holds: (ProgramModel.MappedPage) -> Bool) -> [Int] {
    pages.indices.filter { index in pages[index].map(holds) ?? false }
  }

  /// `start..<start + count`, as far as it lies in the window.
  func inWindow(_ start: Int, _ count: Int) -> Range<Int> {
    let clamped = min(max(start, 0), pages.count)
    return clamped..<min(max(start + count, clamped), pages.count)
  }

  mutating func map(_ start: Int, _ count: Int, _ page: ProgramModel.MappedPage?) {
    for index in inWindow(start, count) { pages[index] = page }
  }

  mutating func protect(_ start: Int, _ count: Int, _ permission: Permission) {
    for index in inWindow(start, count) {
      guard pages[index] != nil else { return }
      pages[index]?.permission = permission
    }
  }

  mutating func remap(_ start: Int, _ count: Int, to target: Int, _ newCount: Int) {
    let moved = inWindow(start, count).map { pages[$0] }
    guard let last = moved.last, !moved.contains(nil) else { return }
    map(start, count, nil)
    for offset in 0..<newCount where pages.indices.contains(target + offset) {
      pages[target + offset] = offset < moved.count ? moved[offset] : last
    }
  }
}
