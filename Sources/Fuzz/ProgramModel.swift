import Scenario

/// The probable effects of a program so far. They aim statements at mapped pages. They never judge an answer.
struct ProgramModel {
  /// The mapping of one page of a space.
  struct MappedPage {
    var permission: Permission
    var sharing: SharingWord
    /// The file and its page that the mapping shows.
    var file: (name: String, page: Int)?
  }

  struct Space {
    var name: String
    /// The pages of the window. Nil is an unmapped page.
    var pages: [MappedPage?]
  }

  struct Pin {
    var name: String
    var pages: Int
    /// Whether the program may store through the pin.
    var takesStores: Bool
    /// Whether it is a long-term pin for reading.
    var isLongRead = false
  }

  struct File {
    var name: String
    var isOnDisk: Bool
    var byteCount: Int

    var pages: Int { (byteCount + 4095) / 4096 }
  }

  /// The number of pages that programs use, or of pieces of `scale` pages each.
  static let windowPages = 16

  /// The address of the window's first page.
  let base: UInt64
  /// Pages in each piece of the window. More than one if the program is about 2 MiB entries.
  let scale: Int
  var files: [File] = []
  var spaces: [Space] = []
  var pins: [Pin] = []
  /// The spaces that were ever made.
  private(set) var spacesMade = 0
  private var pinsMade = 0

  init(base: UInt64, scale: Int) {
    self.base = base
    self.scale = scale
  }

  var isHuge: Bool { scale > 1 }

  func address(_ page: Int) -> UInt64 { base &+ UInt64(bitPattern: Int64(page * scale)) &* 4096 }

  mutating func nextSpaceName() -> String {
    spacesMade += 1
    // A to Z, then AA. A program makes fewer.
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

  /// The pages that show the last page of a file that ends inside it, and where the file ends.
  func pagesWithEnd(of files: [ProgramModel.File]) -> [(page: Int, end: Int)] {
    pages.indices.compactMap { index in
      guard let shown = pages[index]?.file, let file = files.first(where: { $0.name == shown.name }),
        file.byteCount % 4096 != 0, file.byteCount / 4096 == shown.page
      else { return nil }
      return (index, file.byteCount % 4096)
    }
  }

  func pages(where holds: (ProgramModel.MappedPage) -> Bool) -> [Int] {
    pages.indices.filter { index in pages[index].map(holds) ?? false }
  }

  /// The part of `start..<start + count` inside the window.
  func inWindow(_ start: Int, _ count: Int) -> Range<Int> {
    let clamped = min(max(start, 0), pages.count)
    return clamped..<min(max(start + count, clamped), pages.count)
  }

  mutating func map(_ start: Int, _ count: Int, _ page: ProgramModel.MappedPage?) {
    for index in inWindow(start, count) { pages[index] = page }
  }

  mutating func map(_ start: Int, _ count: Int, _ page: ProgramModel.MappedPage, from firstPage: Int) {
    for index in inWindow(start, count) {
      pages[index] = page
      pages[index]?.file?.page = firstPage + index - start
    }
  }

  mutating func protect(_ start: Int, _ count: Int, _ permission: Permission) {
    for index in inWindow(start, count) {
      guard pages[index] != nil else { return }
      pages[index]?.permission = permission
    }
  }

  mutating func remap(_ start: Int, _ count: Int, to target: Int, _ newCount: Int) {
    let moved = inWindow(start, count).map { pages[$0] }
    guard let last = moved.last, moved.allSatisfy({ $0 != nil }) else { return }
    map(start, count, nil)
    for offset in 0..<newCount where pages.indices.contains(target + offset) {
      pages[target + offset] = offset < moved.count ? moved[offset] : last
    }
  }
}
