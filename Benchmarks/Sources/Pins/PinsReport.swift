import Measuring

/// All measurements of `pins`, as JSON and as text.
typealias PinsReport = MeasuredReport<PinsConfig, PinsRow>

struct PinsRow: MeasuredRow {
  var work: String
  var subject: String
  var threads: Int
  var nanoseconds: Spread

  enum CodingKeys: String, CodingKey {
    case work, subject, threads
    case nanoseconds = "ns_per_page"
  }
}

struct PinsConfig: Encodable {
  var pages: Int
  var rounds: Int
  var seconds: Double
  var seed: UInt64
  var processorTime: Bool
  var machine: Machine

  enum CodingKeys: String, CodingKey {
    case pages, rounds, seconds, seed, machine
    case processorTime = "processor_time"
  }
}

extension PinsReport {
  /// One table for each kind of work: the nanoseconds that a page costs one thread, and how many times the pages of one
  /// thread all threads do together.
  func text(works: [Work], threads: [Int]) -> String {
    works.map { work in
      let measured = subjects.filter { subject in rows.contains { $0.work == work.rawValue && $0.subject == subject } }
      var columns = [Column<String>.text(work.rawValue) { $0 }]
      for count in threads {
        func row(_ subject: String) -> PinsRow? { self.row(work.rawValue, subject, threads: count) }
        columns += [
          .number("\(count) thr ns/page") { row($0)?.nanoseconds.formatted(1) ?? "-" },
          .number("scaling") { row($0).map(scaling) ?? "-" },
        ]
      }
      return TextTable(measured, columns).text
    }.joined(separator: "\n\n")
  }
}
