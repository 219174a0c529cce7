import TestSupport
import UserPages

/// The size of the world in which random programs run.
struct World: Sendable {
  /// The pages of the window, which holds every mapping.
  let pages: Int
  /// The window's first page.
  let firstPage: Int
  /// The pages of the window that programs name, in ascending order. They are compared after every eighth step.
  let watched: [Int]
  /// Pages of the file, the image and the device.
  let objectPages: Int
  /// The frames of the machine, enough for everything at once.
  let frames: Int
  /// The first page of the window that begins 2 MiB. Nil if programs are too small for huge pages.
  let hugePage: Int?

  /// The numbers of spaces and pins that a program can name.
  static let spaces = 4
  static let pins = 4

  /// A few pages that cross a border between table nodes of three levels.
  static let small = World(
    pages: 16, firstPage: (1 << 27) - 7, watched: Array(0..<16), objectPages: 12, frames: 512, hugePage: nil)

  /// Two times 2 MiB and the pages around them.
  static let huge = World(
    pages: 1100, firstPage: (1 << 27) - 20,
    watched: [
      0, 10, 19, 20, 21, 30, 100, 275, 276, 400, 530, 531, 532, 533, 600, 787, 1000, 1042, 1043, 1044, 1060, 1099,
    ],
    objectPages: 1640, frames: 24 * 512, hugePage: 20)

  /// The byte address of a page of the window.
  func address(_ page: Int) -> VirtualAddress { VirtualAddress(UInt64((firstPage + page) * Page.size)) }

  /// A page that programs name.
  func page(_ random: inout SeededGenerator) -> Int { watched[random.below(watched.count)] }

  /// A number of pages from `page` on: a few, or up to another page that programs name.
  func count(from page: Int, _ random: inout SeededGenerator, atMost limit: Int = 6) -> Int {
    if hugePage != nil, random.oneIn(2) {
      let end = watched[random.below(watched.count)]
      if end > page { return end - page }
    }
    return 1 + random.below(min(limit, pages - page))
  }

  /// The page of an object at `page` of the window. `last` is the largest page that an image or a device allows.
  func objectPage(shownAt page: Int, last: Int, _ random: inout SeededGenerator) -> Int {
    // Aligned as the window is, so that 2 MiB of the object lie in 2 MiB of the window.
    if let hugePage, !random.oneIn(3) { return (page - hugePage + Page.pagesPerHuge) % Page.pagesPerHuge }
    return random.below(last + 1)
  }
}
