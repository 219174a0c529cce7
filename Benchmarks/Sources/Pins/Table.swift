import Measuring

/// All measurements, as JSON and as text.
struct PinsReport: Encodable {
  struct Row: Encodable {
    var work: String
    var subject: String
    var threads: Int
    var nanoseconds: Spread

    enum CodingKeys: String, CodingKey {
      case work, subject, threads
      case nanoseconds = "ns_per_page"
    }
  }

  struct Config: Encodable {
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

  var config: Config
  var rows: [Row]

  /// One table for each kind of work: nanoseconds a page costs one thread, and how many times the pages of one thread
  /// all threads manage together.
  func text(works: [Work], threads: [Int]) -> String {
    works.map { work in
      var titles = [work.rawValue]
      for count in threads { titles += ["\(count) thr ns/page", "scaling"] }
      var table = TextTable(titles)
      for subject in subjects {
        let mine = rows.filter { $0.work == work.rawValue && $0.subject == subject }
        if mine.isEmpty { continue }
        let single = mine.first { $0.threads == 1 }?.nanoseconds.median
        var cells = [subject]
        for count in threads {
          guard let row = mine.first(where: { $0.threads == count }) else {
            cells += ["-", "-"]
            continue
          }
          let median = row.nanoseconds.median
          cells += [row.nanoseconds.formatted(1), single.map { "x" + (Double(count) * $0 / median).fixed(2) } ?? "-"]
        }
        table.add(cells)
      }
      return table.text
    }.joined(separator: "\n\n")
  }

  /// The subjects in the order in which they were measured.
  var subjects: [String] {
    rows.reduce(into: []) { if !$0.contains($1.subject) { $0.append($1.subject) } }
  }
}
