import Measuring

/// All measurements of `pool`, as JSON and as text.
typealias PoolReport = MeasuredReport<PoolConfig, PoolRow>

/// One subject at one kind of work and one number of threads. Of an eviction, which is work as well, there is only its
/// time.
struct PoolRow: MeasuredRow {
  var work: String
  var subject: String
  var threads: Int
  var nanoseconds: Spread
  var hitShare: Spread?
  var missesPerSecond: Spread?
  var accessesPerSecond: Spread?
  var copies: Spread?
  var residentShare: Spread?
  var processorMicroseconds: Spread?
  var storesPerSecond: Spread?
  var waitMicroseconds: Spread?

  enum CodingKeys: String, CodingKey {
    case work, subject, threads, copies
    case nanoseconds = "ns_per_access"
    case hitShare = "hit_share"
    case missesPerSecond = "misses_per_second"
    case accessesPerSecond = "accesses_per_second"
    case residentShare = "resident_over_limit"
    case processorMicroseconds = "processor_us_per_access"
    case storesPerSecond = "stores_per_second"
    case waitMicroseconds = "wait_us"
  }

  init(_ work: PoolWork, _ subject: String, threads: Int, _ cells: [Cell]) {
    self.work = work.rawValue
    self.subject = subject
    self.threads = threads
    func spread(_ value: (Cell) -> Double) -> Spread { Spread(cells.map(value)) }
    nanoseconds = spread(\.nanoseconds)
    hitShare = spread(\.hitShare)
    missesPerSecond = spread(\.missesPerSecond)
    accessesPerSecond = spread(\.accessesPerSecond)
    copies = spread(\.copies)
    residentShare = spread(\.residentShare)
    processorMicroseconds = spread(\.processorMicroseconds)
  }

  /// Evictions of `batch` pages at once, beside a reading thread if `threads` is 2.
  init(evicting batch: Int, threads: Int, _ nanoseconds: [Double]) {
    work = Self.evictions
    subject = "batch \(batch)"
    self.threads = threads
    self.nanoseconds = Spread(nanoseconds)
  }

  /// A file that is read in order, by some readers that take turns.
  init(scanningBy reader: ScanCost.Reader, readers: Int, _ costs: [ScanCost.Cost]) {
    work = Self.scans
    subject = Self.scan(reader, readers)
    threads = 1
    nanoseconds = Spread(costs.map(\.nanoseconds))
    processorMicroseconds = Spread(costs.map(\.processorMicroseconds))
  }

  /// Pages that are written back, beside a storing thread if `storer`, which is the second thread.
  init(writing way: WriteBackCost.Way, storer: Bool, _ costs: [WriteBackCost.Cost]) {
    work = Self.writeBacks
    subject = way.name
    threads = storer ? 2 : 1
    nanoseconds = Spread(costs.map(\.nanoseconds))
    processorMicroseconds = Spread(costs.map(\.processorMicroseconds))
    storesPerSecond = Spread(costs.map(\.storesPerSecond))
    waitMicroseconds = Spread(costs.map(\.waitMicroseconds))
  }

  /// A copy of a page, as write-back makes it.
  init(copies nanoseconds: [Double]) {
    work = Self.copies
    subject = "copy"
    threads = 1
    self.nanoseconds = Spread(nanoseconds)
  }

  static let evictions = "evict"
  static let scans = "scan"
  static let writeBacks = "write back"
  static let copies = "copy"

  static func scan(_ reader: ScanCost.Reader, _ readers: Int) -> String { "\(reader.rawValue), \(readers)" }
}

struct PoolConfig: Encodable {
  var filePages: Int
  var limitPages: Int
  var storeShare: Double
  var rounds: Int
  var seconds: Double
  var seed: UInt64
  var processorTime: Bool
  var machine: Machine

  enum CodingKeys: String, CodingKey {
    case rounds, seconds, seed, machine
    case processorTime = "processor_time"
    case filePages = "file_pages"
    case limitPages = "limit_pages"
    case storeShare = "store_share"
  }
}

extension PoolReport {
  func text(threads: [Int]) -> String {
    (PoolWork.allCases.map { table($0) } + [
      evictionTable, scanTable, writeBackTable, Expectation.table(expectations(threads)),
    ])
    .joined(separator: "\n\n")
  }

  private func table(_ work: PoolWork) -> String {
    var columns: [Column<PoolRow>] = [
      .text(work.rawValue) { $0.subject }, .number("thr") { "\($0.threads)" },
      .spread("ns an access", digits: work.misses ? 0 : 1, \.nanoseconds), .number("scaling", scaling),
    ]
    if work.misses {
      columns += [
        .number("hits") { (($0.hitShare?.median ?? 0) * 100).fixed(1) + " %" },
        .median("accesses/s", digits: 0, \.accessesPerSecond), .median("misses/s", digits: 0, \.missesPerSecond),
        .median("copies", digits: 3, \.copies),
      ]
    }
    columns += [
      .median("RSS/limit", digits: 3, \.residentShare), .median("cpu us", digits: 3, \.processorMicroseconds),
    ]
    return TextTable(rows.filter { $0.work == work.rawValue }, columns).text
  }

  private var evictionTable: String {
    let alone = rows.filter { $0.work == PoolRow.evictions && $0.threads == 1 }
    return TextTable(
      alone,
      [
        .text("evict") { $0.subject }, .spread("ns a page", digits: 0, \.nanoseconds), Self.pagesPerSecond,
        .number("beside a reader") {
          self.row(PoolRow.evictions, $0.subject, threads: 2)?.nanoseconds.formatted(0) ?? "-"
        },
      ]
    ).text
  }

  private static var pagesPerSecond: Column<PoolRow> {
    .number("pages/s") { (1e9 / $0.nanoseconds.median).fixed(0) }
  }

  private static var processorTime: Column<PoolRow> {
    .median("cpu us", digits: 2, \.processorMicroseconds)
  }

  private var scanTable: String {
    TextTable(
      rows.filter { $0.work == PoolRow.scans },
      [
        .text("scan, readers") { $0.subject }, .spread("ns a page", digits: 0, \.nanoseconds), Self.pagesPerSecond,
        Self.processorTime,
      ]
    ).text
  }

  /// What a copy costs over what it saves: the share of pages that a store has to meet, above which copying is cheaper
  /// than waiting.
  private var crossover: String? {
    guard let copy = row(PoolRow.copies, "copy", threads: 1)?.nanoseconds,
      let wait = row(PoolRow.writeBacks, "ring, waits", threads: 2)?.waitMicroseconds, copy.median > 0, wait.median > 0
    else { return nil }
    return "a copy takes \(copy.formatted(0)) ns, a store that waits \(wait.formatted(0)) us: "
      + "copying costs less from one store in \((wait.median * 1000 / copy.median).fixed(0)) pages on"
  }

  private var writeBackTable: String {
    let table = TextTable(
      rows.filter { $0.work == PoolRow.writeBacks },
      [
        .text("write back") { $0.subject }, .text("beside") { $0.threads == 2 ? "a storing thread" : "nothing" },
        .spread("ns a page", digits: 0, \.nanoseconds), Self.pagesPerSecond, Self.processorTime,
        .number("stores/s") { $0.threads == 2 ? $0.storesPerSecond?.median.fixed(0) ?? "-" : "-" },
        .number("us a store that waits") { $0.threads == 2 ? $0.waitMicroseconds?.formatted(0) ?? "-" : "-" },
      ]
    ).text
    return ([table] + [crossover].compactMap(\.self)).joined(separator: "\n")
  }

  private func expectations(_ threads: [Int]) -> [Expectation] {
    var all: [Expectation] = []
    for engine in ["locked", "reference", "slot"] {
      let name = "cache-\(engine)"
      for count in threads {
        guard let hit = row("hits", name, threads: count), let bare = row("hits", "bare-\(engine)", threads: count)
        else { continue }
        let ratio = hit.nanoseconds.median / bare.nanoseconds.median
        all.append(
          Expectation(
            "a hit of \(name) over a bare pin, \(count) threads", "<= 1.3", measured: ratio.fixed(2),
            isMet: ratio <= 1.3))
      }
      if let one = row("hits", name, threads: 1), let two = row("hits", name, threads: 2) {
        let scaling = 2 * one.nanoseconds.median / two.nanoseconds.median
        all.append(
          Expectation(
            "hits of \(name), 2 threads over 1", ">= 1.8", measured: scaling.fixed(2), isMet: scaling >= 1.8))
      }
      for count in threads {
        guard let misses = row("random", name, threads: count)?.missesPerSecond,
          let disk = row("random", "disk", threads: count)?.missesPerSecond
        else { continue }
        let ratio = misses.median / disk.median
        all.append(
          Expectation(
            "random misses of \(name) over the disk's, \(count) threads", "~ 1", measured: ratio.fixed(2),
            isMet: ratio >= 0.9))
      }
      let largest = rows.filter { $0.subject == name }.compactMap { $0.residentShare?.median }.max() ?? 0
      all.append(
        Expectation(
          "memory of \(name) over its limit", "<= 1.05", measured: largest.fixed(3), isMet: largest <= 1.05))
    }
    return all
  }
}
