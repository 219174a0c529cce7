import CFloor
import Measuring

/// Something whose "translate, take, release" of a resident page is timed.
///
/// The loop itself is each subject's own, so that nothing stands between it and what is measured.
protocol Subject: Sendable {
  var name: String { get }

  /// Takes and releases `iterations` times a page drawn from `work`. Returns how many times that failed.
  func loop(_ work: inout PageDraw, iterations: Int) -> Int

  /// What is off after the measurement; nil if nothing.
  func check() -> String?
}

/// Which pages a thread draws: `first ..< first + span`.
struct PageDraw {
  var first: Int
  var span: Int
  var random: XorShift

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

  func draw(thread: Int, of threads: Int, pages: Int, seed: UInt64) -> PageDraw {
    let random = XorShift(seed: seed &+ UInt64(thread) << 20)
    switch self {
    case .random: return PageDraw(first: 0, span: pages, random: random)
    case .hot: return PageDraw(first: 0, span: 1, random: random)
    case .disjoint:
      let share = pages / threads
      return PageDraw(first: thread * share, span: share, random: random)
    }
  }
}
