import CFloor
import Measuring

/// What is timed: it translates a resident page, pins it, and releases the pin.
///
/// Each subject has its own loops, so that no dynamic call is inside what is timed.
protocol Subject: Sendable {
  var name: String { get }

  /// Whether the subject has this kind of work.
  func can(_ work: Work) -> Bool

  /// Pins and releases a drawn page `iterations` times. Returns how many times that failed.
  func loop(_ draw: inout PageDraw, iterations: Int) -> Int

  /// Pins 512 pages that lie side by side and releases them, `iterations` times. Returns how many pages failed.
  func rangeLoop(_ draw: inout PageDraw, iterations: Int) -> Int

  /// The errno value of the last system call that failed, of a subject that makes any; 0 if none has.
  var errorCode: Int32 { get }

  /// What is wrong after the measurement, in words; nil if nothing.
  func check() -> String?
}

extension Subject {
  var errorCode: Int32 { 0 }
}

/// Which pages a thread draws: `first ..< first + span`.
struct PageDraw {
  var first: Int
  var span: Int
  var random: XorShift

  /// Where a range of 512 pages begins.
  @inline(__always)
  mutating func rangeStart() -> Int { first &+ random.below(span &- Work.rangePages &+ 1) }

  /// The same for a loop in C.
  @inline(__always)
  mutating func withFloorWork<R>(_ body: (inout floor_work) -> R) -> R {
    var work = floor_work(first: UInt64(first), span: UInt64(span), state: random.state)
    defer { random.state = work.state }
    return body(&work)
  }
}

/// How the threads' pages relate.
enum Work: String, CaseIterable, Sendable {
  /// Every thread draws from all pages.
  case random
  /// One page.
  case hot
  /// Every thread draws from pages of its own.
  case disjoint
  /// Every thread draws ranges of 512 pages that lie side by side.
  case range512
  /// Every thread pins and releases 512 pages that one entry of 2 MiB maps, by one count.
  case huge512
  /// Every thread draws from untouched pages: their entries show the page of zeroes. Its pins are for reading.
  case untouched
  /// Every thread draws ranges of 512 such pages.
  case untouched512

  static let rangePages = 512
  /// How many entries of 2 MiB there are. If there are more threads, they share them.
  static let hugeRanges = 8

  /// Whether 512 pages are pinned at once.
  var isRange: Bool { self == .range512 || self == .huge512 || self == .untouched512 }
  /// Whether every subject has it. The others are the library's engines' own.
  var isCommon: Bool { self == .random || self == .hot || self == .disjoint || self == .range512 }

  /// The first page that an entry of 2 MiB maps. These pages come after the others.
  static func firstHugePage(after pages: Int) -> Int { (pages + rangePages - 1) / rangePages * rangePages }

  /// The first page that shows zeroes. These pages come after those of 2 MiB.
  static func firstUntouchedPage(after pages: Int) -> Int { firstHugePage(after: pages) + hugeRanges * rangePages }

  func draw(thread: Int, of threads: Int, pages: Int, seed: UInt64) -> PageDraw {
    let random = XorShift(seed: seed &+ UInt64(thread) << 20)
    switch self {
    case .random, .range512: return PageDraw(first: 0, span: pages, random: random)
    case .hot: return PageDraw(first: 0, span: 1, random: random)
    case .huge512:
      let first = Work.firstHugePage(after: pages) + thread % Work.hugeRanges * Work.rangePages
      return PageDraw(first: first, span: Work.rangePages, random: random)
    case .untouched, .untouched512:
      return PageDraw(first: Work.firstUntouchedPage(after: pages), span: pages, random: random)
    case .disjoint:
      let share = pages / threads
      return PageDraw(first: thread * share, span: share, random: random)
    }
  }
}
