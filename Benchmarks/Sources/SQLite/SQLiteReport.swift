import Measuring

/// All measurements of `sqlite`, as JSON and as text.
typealias SQLiteReport = MeasuredReport<SQLiteConfig, SQLiteRow>

struct SQLiteConfig: Encodable {
  var poolMiB: Int
  var fitsMiB: Int
  var largerMiB: Int
  /// What process and kernel may have for the larger database, beside 0.15 MiB a connection; nil where no cgroup says
  /// so.
  var limitMiB: Int?
  var workers: Int
  var rounds: Int
  var seconds: Double
  var seed: UInt64
  var sqlite: String
  var machine: Machine
  /// What was killed for want of memory in every round.
  var killed: [String]

  enum CodingKeys: String, CodingKey {
    case workers, rounds, seconds, seed, sqlite, machine, killed
    case poolMiB = "pool_mib"
    case fitsMiB = "fits_mib"
    case largerMiB = "larger_mib"
    case limitMiB = "limit_mib"
  }
}

/// One subject at one kind of work, on one database, with one number of connections, which stands for the threads of
/// other reports.
struct SQLiteRow: MeasuredRow {
  var work: String
  var subject: String
  var threads: Int
  var nanoseconds: Spread
  var transactionsPerSecond: Spread
  var p50: Spread
  var p99: Spread
  var residentMiB: Spread
  var proportionalMiB: Spread
  var cgroupMiB: Spread?
  var bytesRead: Spread
  /// Rounds in which the kernel killed the process.
  var kills: Int

  enum CodingKeys: String, CodingKey {
    case work, subject, kills
    case threads = "connections"
    case nanoseconds = "ns_per_transaction"
    case transactionsPerSecond = "transactions_per_second"
    case p50 = "p50_us"
    case p99 = "p99_us"
    case residentMiB = "rss_mib"
    case proportionalMiB = "pss_mib"
    case cgroupMiB = "cgroup_mib"
    case bytesRead = "bytes_read_per_transaction"
  }

  init(_ work: String, _ subject: Subject, connections: Int, _ cells: [Turn.Cell], kills: Int) {
    self.work = work
    self.subject = subject.rawValue
    threads = connections
    self.kills = kills
    func spread(_ value: (Turn.Cell) -> Double) -> Spread { Spread(cells.map(value)) }
    nanoseconds = spread(\.nanoseconds)
    transactionsPerSecond = spread(\.transactionsPerSecond)
    p50 = spread(\.p50Microseconds)
    p99 = spread(\.p99Microseconds)
    residentMiB = spread(\.residentMiB)
    proportionalMiB = spread(\.proportionalMiB)
    let group = cells.compactMap(\.cgroupMiB)
    cgroupMiB = group.isEmpty ? nil : Spread(group)
    bytesRead = spread(\.bytesReadPerTransaction)
  }
}

extension SQLiteReport {
  func text(works: [String]) -> String {
    var parts = works.map(table)
    if !config.killed.isEmpty { parts.append("Killed for want of memory: " + config.killed.joined(separator: "; ")) }
    parts.append(Expectation.table(expectations, of: Subject.userpagesSlot.rawValue))
    return parts.joined(separator: "\n\n")
  }

  private func table(_ work: String) -> String {
    TextTable(
      rows.filter { $0.work == work },
      [
        .text(work) { $0.subject }, .number("conn") { "\($0.threads)" },
        .spread("transactions/s", digits: 0, \.transactionsPerSecond),
        .number("over total") { self.rate(of: $0, over: .stockTotal).map { "x" + $0.fixed(2) } ?? "-" },
        .median("p50 us", digits: 1, \.p50), .median("p99 us", digits: 1, \.p99),
        .median("RSS MiB", digits: 1, \.residentMiB), .median("PSS MiB", digits: 1, \.proportionalMiB),
        .median("cgroup MiB", digits: 1, \.cgroupMiB), .median("read B/t", digits: 0, \.bytesRead),
        .number("killed") { $0.kills > 0 ? "\($0.kills)" : "" },
      ]
    ).text
  }

  /// The transactions of `row` over those of `subject` at the same work and connections.
  private func rate(of row: SQLiteRow, over subject: Subject) -> Double? {
    guard row.subject != subject.rawValue, let other = self.row(row.work, subject.rawValue, threads: row.threads) else {
      return nil
    }
    return row.transactionsPerSecond.median / other.transactionsPerSecond.median
  }

  private var expectations: [Expectation] {
    var all: [Expectation] = []
    let (fits, larger) = (Size.fits, Size.larger)
    func atLeast(_ bound: Double, _ work: Work, _ size: Size, _ connections: Int, over subject: Subject) {
      let name = size.name(work)
      guard let row = row(name, Subject.userpagesSlot.rawValue, threads: connections),
        let ratio = rate(of: row, over: subject)
      else { return }
      all.append(
        Expectation(
          "\(name), \(connections) connections, over \(subject.rawValue)", ">= \(bound.fixed(2))",
          measured: ratio.fixed(2), isMet: ratio >= bound))
    }
    for work in [Work.points, .points100, .scan] {
      atLeast(0.95, work, fits, 1, over: .stockMap)
      atLeast(1.5, work, fits, 100, over: .stockTotal)
      for connections in [10, 100] { atLeast(2, work, larger, connections, over: .stockTotal) }
    }
    for size in Size.allCases { atLeast(2, .besideWriter, size, 10, over: .stockTotal) }
    for connections in Set(rows.map(\.threads)).sorted() {
      let mine = rows.filter { $0.subject == Subject.userpagesSlot.rawValue && $0.threads == connections }
      guard let most = mine.map(\.proportionalMiB.median).max() else { continue }
      let bound = Double(config.poolMiB) + 0.15 * Double(connections)
      all.append(
        Expectation(
          "PSS in MiB, \(connections) connections, at any work", "<= \(bound.fixed(2))", measured: most.fixed(2),
          isMet: most <= bound))
    }
    return all
  }
}
