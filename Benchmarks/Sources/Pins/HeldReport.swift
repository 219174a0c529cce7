import ArgumentParser
import Measuring
import UserPages

/// Numbers of pins that each thread holds, as they are written on the command line: `1,8,64`.
struct HeldCounts: ExpressibleByArgument {
  static let largest = 1 << 16

  let counts: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    counts = parts.compactMap { Int($0) }.filter { (1...Self.largest).contains($0) }
    if counts.isEmpty || counts.count != parts.count { return nil }
  }
}

/// All measurements of `pins --held`, as JSON and as text.
typealias HeldReport = MeasuredReport<PinsConfig, HeldRow>

/// One engine, number of threads, and number of pins that each holds: medians of the rounds, and the longest of all.
struct HeldRow: MeasuredRow {
  var work: String { "held\(held)" }
  var subject: String
  var threads: Int
  var held: Int
  var nanoseconds: Spread
  /// Pins and releases of all threads in a second, in millions.
  var rate: Double
  var countedShare: Double
  var scanMicroseconds: Spread
  var longestGracePeriod: Double
  var longestQueue: Double

  enum CodingKeys: String, CodingKey {
    case subject, threads, held
    case nanoseconds = "ns_per_page"
    case rate = "millions_per_second"
    case countedShare = "counted_share"
    case scanMicroseconds = "scan_us"
    case longestGracePeriod = "longest_grace_period_us"
    case longestQueue = "longest_queue_frames"
  }

  init(_ engine: PinEngine, threads: Int, held: Int, _ outcomes: [HeldPins.Outcome]) {
    (subject, self.threads, self.held) = ("\(engine)", threads, held)
    nanoseconds = Spread(outcomes.map(\.nanoseconds))
    rate = Double(threads) * 1000 / nanoseconds.median
    countedShare = Spread(outcomes.map(\.countedShare)).median
    scanMicroseconds = Spread(outcomes.map(\.scanMicroseconds))
    longestGracePeriod = Spread(outcomes.map(\.longestGracePeriod)).high
    longestQueue = Spread(outcomes.map(\.longestQueue)).high
  }
}

extension HeldReport {
  /// One line for each engine, number of threads and number of pins held.
  var text: String {
    TextTable(
      rows,
      [
        .text("engine") { $0.subject },
        .number("threads") { "\($0.threads)" },
        .number("held") { "\($0.held)" },
        .number("M pins/s") { $0.rate.fixed(1) },
        .number("references, %") { ($0.countedShare * 100).fixed(1) },
        .spread("scan, us", digits: 1) { $0.scanMicroseconds },
        .number("longest grace period, us") { $0.longestGracePeriod.fixed(0) },
        .number("longest queue, frames") { $0.longestQueue.fixed(0) },
      ]
    ).text
  }
}
