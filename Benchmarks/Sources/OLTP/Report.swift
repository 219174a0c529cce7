import Measuring
import UserPages

/// The results as JSON.
struct Report: Encodable {
  struct Config: Encodable {
    var file: String
    var scale: Int
    var poolPages: Int
    var threads: Int
    var writers: Int
    var sortPages: Int
    var sortRate: Int
    var io: String
    var engines: [String]
    var seconds: Double
    var warmup: Double
    var rounds: Int
    var seed: UInt64
    var sync: Bool
    var machine: Machine

    enum CodingKeys: String, CodingKey {
      case file, scale, threads, writers, io, engines, seconds, warmup, rounds, seed, sync, machine
      case poolPages = "pool"
      case sortPages = "sort_pages"
      case sortRate = "sort_rate"
    }
  }

  struct Latency: Encodable {
    var p50: Double
    var p95: Double
    var p99: Double
    var p999: Double
  }

  struct Round: Encodable {
    var engine: String
    var threads: Int
    var seconds: Double
    var transactions: Int
    var tps: Double
    var latency: Latency
    var fast: Int
    var slow: Int

    enum CodingKeys: String, CodingKey {
      case engine, threads, seconds, transactions, tps
      case latency = "latency_us"
      case fast = "fast_gup"
      case slow = "fast_gup_slow"
    }

    init(_ result: RoundResult) {
      engine = result.engine.rawValue
      threads = result.threads
      seconds = result.seconds
      transactions = result.transactions
      tps = result.tps
      latency = Latency(
        p50: result.microseconds(50), p95: result.microseconds(95), p99: result.microseconds(99),
        p999: result.microseconds(99.9))
      fast = result.fast
      slow = result.slow
    }
  }

  struct Conservation: Encodable {
    var holds: Bool
  }

  var config: Config
  var rounds: [Round]
  var speedup: [String: Spread]
  var conservation: Conservation

  init(config: Config, results: [RoundResult]) {
    self.config = config
    rounds = results.map(Round.init)
    speedup = Self.speedups(results)
    conservation = Conservation(holds: results.allSatisfy { $0.imbalance == nil })
  }

  /// Each engine's transactions a second over `locked`'s of the same round.
  static func speedups(_ results: [RoundResult]) -> [String: Spread] {
    let baseline = results.filter { $0.engine == .locked }.map(\.tps)
    guard !baseline.isEmpty else { return [:] }
    var speedups: [String: Spread] = [:]
    for engine in PinEngine.allCases {
      let ratios = zip(results.filter { $0.engine == engine }, baseline).filter { $1 > 0 }.map { $0.tps / $1 }
      if !ratios.isEmpty { speedups[engine.rawValue] = Spread(ratios) }
    }
    return speedups
  }
}

extension RoundResult {
  func microseconds(_ percentile: Double) -> Double {
    Double(latency.valueAtPercentile(percentile)) / 1000
  }
}

/// The results for a reader.
enum Summary {
  /// All rounds of one engine.
  private struct Results {
    let engine: PinEngine
    let rounds: [RoundResult]

    func spread(_ value: (RoundResult) -> Double) -> Spread { Spread(rounds.map(value)) }
    func sum(_ value: (RoundResult) -> Int) -> String { "\(rounds.reduce(0) { $0 + value($1) })" }
  }

  static func table(_ results: [RoundResult]) -> String {
    let speedups = Report.speedups(results)
    let engines = PinEngine.allCases.map { engine in
      Results(engine: engine, rounds: results.filter { $0.engine == engine })
    }.filter { !$0.rounds.isEmpty }
    return TextTable(
      engines,
      [
        .text("engine", \.engine.rawValue),
        .spread("tps", digits: 0) { $0.spread(\.tps) },
        .median("p50 us", digits: 1) { $0.spread { $0.microseconds(50) } },
        .median("p95", digits: 1) { $0.spread { $0.microseconds(95) } },
        .median("p99", digits: 1) { $0.spread { $0.microseconds(99) } },
        .median("p99.9", digits: 1) { $0.spread { $0.microseconds(99.9) } },
        .median("cpu us", digits: 2) { $0.spread(\.processorMicroseconds) },
        .number("fast") { $0.sum(\.fast) },
        .number("slow") { $0.sum(\.slow) },
        .number("pinning") { ($0.spread(\.pinShare).median * 100).fixed(2) + " %" },
        .number("over locked") { speedups[$0.engine.rawValue]?.formatted(3) ?? "-" },
      ]
    ).text
  }

  /// What a transaction cost in I/O, over all rounds.
  static func transfers(_ results: [RoundResult]) -> String {
    let total = Double(max(1, results.reduce(0) { $0 + $1.committed }))
    func each(_ value: (RoundResult) -> Int) -> String {
      (Double(results.reduce(0) { $0 + value($1) }) / total).fixed(2)
    }
    let areas = Double(results.reduce(0) { $0 + $1.sortAreas }) / results.reduce(0) { $0 + $1.elapsed }
    return """
      A transaction read \(each(\.misses)) pages, wrote \(each(\.writeBacks)) back, and wrote \(each(\.logPages)) log \
      pages in \(each(\.logWrites)) writes. Sort areas a second: \(areas.fixed(0)).
      """
  }
}
