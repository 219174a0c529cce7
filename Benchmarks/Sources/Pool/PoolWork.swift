import Glibc
import Measuring

/// Which pages the threads access.
enum PoolWork: String, CaseIterable, Sendable {
  /// Loads from pages that are in memory.
  case hits
  /// Loads and stores all over the file.
  case random
  /// The same, but a few pages get most of them.
  case zipfian

  /// Whether pages have to be read from the file.
  var misses: Bool { self != .hits }

  /// Accesses between two looks at the flag that ends the measurement.
  var chunk: Int { misses ? 16 : 256 }
}

/// An access: the page's number, and the highest bit for a store.
struct Draw {
  var rawValue: UInt32

  init(page: Int, isStore: Bool) { rawValue = UInt32(truncatingIfNeeded: page) | (isStore ? 1 << 31 : 0) }

  @inline(__always)
  init(rawValue: UInt32) { self.rawValue = rawValue }

  /// Where the page has its number, in bytes: each in another line, so that the lines of many pages do not share a few
  /// places in the processor's cache. Stores go to the next word.
  @inline(__always)
  var numberOffset: Int { (page & 63) << 6 }

  @inline(__always)
  var page: Int { Int(rawValue & ~(1 << 31)) }

  @inline(__always)
  var isStore: Bool { rawValue >> 31 != 0 }
}

/// The accesses of one thread, drawn before anything is measured. A thread that comes to the end begins again.
final class Draws: @unchecked Sendable {
  // Sendable: filled in `init`, and then used by one thread at a time.
  private static let count = 1 << 18
  private let all: UnsafeMutableBufferPointer<UInt32>
  private var next = 0

  /// Draws for `work` on a file of `pages`, the first `residentPages` of which are in memory.
  init(_ work: PoolWork, pages: Int, residentPages: Int, storeShare: Double, seed: UInt64) {
    all = .allocate(capacity: Self.count)
    var random = XorShift(seed: seed)
    let zipf = work == .zipfian ? Zipf(pages) : nil
    let stores = work.misses ? Int(storeShare * 1_000_000) : 0
    for index in 0..<Self.count {
      let page = zipf?.draw(&random) ?? random.below(work.misses ? pages : residentPages)
      let draw = Draw(page: page, isStore: random.below(1_000_000) < stores)
      all.initializeElement(at: index, to: draw.rawValue)
    }
  }

  deinit { all.deallocate() }

  /// The next `count` accesses, which divides 2^18.
  func take(_ count: Int) -> UnsafeBufferPointer<UInt32> {
    if next == all.count { next = 0 }
    defer { next += count }
    return UnsafeBufferPointer(rebasing: all[next..<next + count])
  }
}

/// Zipf's law: the page of rank k is drawn in proportion to 1/k^0.99. Ranks lie scattered over the file.
struct Zipf {
  private static let exponent = 0.99
  // A prime that no number of pages is a multiple of, so that each rank has a page of its own.
  private static let stride = 2_654_435_761

  private let count: Int
  private let sum: Double
  private let eta: Double

  init(_ count: Int) {
    self.count = count
    sum = (1...count).reduce(0) { $0 + pow(Double($1), -Self.exponent) }
    let firstTwo = 1 + pow(2, -Self.exponent)
    eta = (1 - pow(2 / Double(count), 1 - Self.exponent)) / (1 - firstTwo / sum)
  }

  func draw(_ random: inout XorShift) -> Int {
    rank(Double(random.next() >> 11) / Double(1 << 53)) * Self.stride % count
  }

  /// The rank for a uniform number from 0 to 1, by inversion of the integral that is close to the sum.
  private func rank(_ uniform: Double) -> Int {
    let scaled = uniform * sum
    if scaled < 1 { return 0 }
    if scaled < 1 + pow(0.5, Self.exponent) { return 1 }
    return min(count - 1, Int(Double(count) * pow(eta * uniform - eta + 1, 1 / (1 - Self.exponent))))
  }
}
