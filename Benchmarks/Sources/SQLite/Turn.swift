import CSQLite3
import Foundation
import Glibc
import Histogram
import Measuring
import Synchronization

/// One measurement in a process of its own: so that the memory of one subject is not another's, and one that gets too
/// little is killed alone.
struct Turn: Codable, Sendable {
  var subject: Subject
  var work: Work
  var bank: Bank
  var poolMiB: Int
  var connections: Int
  /// Threads, each of which serves its share of the connections in turns.
  var workers: Int
  /// Whether the database is brought into memory first.
  var isFilled: Bool
  var warmup: Double
  var seconds: Double
  var seed: UInt64
  /// The folder of the cgroup that the process enters.
  var cgroup: String?

  /// What a turn came to.
  struct Cell: Codable, Sendable {
    var transactionsPerSecond: Double
    /// Nanoseconds of a transaction for one thread.
    var nanoseconds: Double
    var p50Microseconds: Double
    var p99Microseconds: Double
    /// What the process grew by from the first connection on, in MiB.
    var residentMiB: Double
    var proportionalMiB: Double
    /// What the cgroup has, the kernel's cache of the files included.
    var cgroupMiB: Double?
    var bytesReadPerTransaction: Double
  }

  /// Measures, in this process.
  func run() throws(Failure) -> Cell {
    if let cgroup { try MemoryCgroup.enter(cgroup) }
    guard sqlite_without_memory_count() == SQLITE_OK else { throw Failure("SQLite refuses its configuration") }
    if subject.usesExtension { try Connection.loadExtension() }
    let empty = ProcessMemory.current
    let clients = try open()
    let isMeasured = StopFlag()
    let problem = Mutex<String?>(nil)
    let servants = (0..<workers).map { worker in
      Servant(
        stride(from: worker, to: connections, by: workers).map { clients[$0] },
        isWriter: work == .besideWriter && worker == 0, isMeasured: isMeasured)
    }
    var reads: [Int] = []
    let outcome = try TimedThreads.run(workers, warmup: warmup, seconds: seconds) {
      reads.append(ProcessMemory.bytesRead)
      isMeasured.raise()
    } _: { worker in
      { servants[worker].step { text in problem.withLock { $0 = $0 ?? text } } }
    }
    if let text = problem.withLock({ $0 }) { throw Failure("\(subject.rawValue), \(work.rawValue): \(text)") }
    let full = ProcessMemory.current
    let usage = cgroup.flatMap { MemoryCgroup.usage($0) }
    var latency = Servant.emptyHistogram
    for servant in servants { latency.add(servant.latency) }
    let mebibyte = Double(1 << 20)
    return Cell(
      transactionsPerSecond: Double(outcome.units) * 1e9 / Double(outcome.nanoseconds),
      nanoseconds: Double(workers) * Double(outcome.nanoseconds) / Double(outcome.units),
      p50Microseconds: Double(latency.valueAtPercentile(50)) / 1000,
      p99Microseconds: Double(latency.valueAtPercentile(99)) / 1000,
      residentMiB: Double(full.resident - empty.resident) / mebibyte,
      proportionalMiB: Double(full.proportional - empty.proportional) / mebibyte,
      cgroupMiB: usage.map { Double($0) / mebibyte },
      bytesReadPerTransaction: Double(reads[1] - reads[0]) / Double(outcome.units))
  }

  /// The connections, and the database in memory if it is to be there.
  private func open() throws(Failure) -> [Client] {
    let uri = subject.uri(bank.path, poolMiB: poolMiB)
    var clients: [Client] = []
    for number in 0..<connections {
      let connection = try Connection(uri)
      try connection.run(subject.settings(poolMiB: poolMiB, connections: connections))
      try connection.run("PRAGMA synchronous=NORMAL")
      if number == 0 { try connection.run("PRAGMA journal_mode=\(work.usesWAL ? "WAL" : "DELETE")") }
      _ = try connection.number(isFilled ? "SELECT count(*) FROM account" : "SELECT number FROM account LIMIT 1")
      let isWriter = work == .besideWriter && number == 0
      clients.append(
        try Client(connection, bank, isWriter ? .tpcb : work, seed: seed &+ UInt64(number) << 16))
    }
    if subject == .stockMapRandom { ProcessMemory.adviseRandom(mappingsOf: bank.path) }
    return clients
  }
}

/// A thread's work: a transaction on each of its connections in turn.
private final class Servant: @unchecked Sendable {
  // Sendable: its thread alone uses it until the threads have ended.
  static var emptyHistogram: Histogram<UInt64> {
    Histogram<UInt64>(highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .two)
  }

  private let clients: [Client]
  private let isWriter: Bool
  private let isMeasured: StopFlag
  private var next = 0
  private var due: UInt64 = 0
  private(set) var latency = Servant.emptyHistogram

  init(_ clients: [Client], isWriter: Bool, isMeasured: StopFlag) {
    // The other connections of the thread that writes wait, as those of a program do at times.
    self.clients = isWriter ? Array(clients.prefix(1)) : clients
    self.isWriter = isWriter
    self.isMeasured = isMeasured
  }

  /// One transaction. Tells `fail` what went wrong.
  func step(_ fail: (String) -> Void) -> (units: Int, failures: Int) {
    if isWriter { pace() }
    let client = clients[next]
    next = next + 1 == clients.count ? 0 : next + 1
    let began = Clock.now()
    let code = client.transact()
    guard code == SQLITE_OK else {
      let text = code == Client.wrongAnswer ? "a wrong answer" : client.connection.problem
      fail("\(text) (\(code))")
      Clock.sleep(nanoseconds: 1_000_000)
      return (isWriter ? 0 : 1, 1)
    }
    if isMeasured.isRaised, !isWriter { _ = latency.record(Clock.now() - began) }
    return (isWriter ? 0 : 1, 0)
  }

  /// Waits until the next transaction is due. One that is late is not made up for.
  private func pace() {
    let now = Clock.now()
    if now < due { Clock.sleep(nanoseconds: due - now) }
    due = max(due, now) + 1_000_000_000 / UInt64(Work.writesPerSecond)
  }
}
