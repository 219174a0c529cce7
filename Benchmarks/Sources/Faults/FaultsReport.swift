import Measuring

/// All measurements, as JSON and as text.
struct FaultsReport: Encodable {
  struct Row: Encodable {
    var work: String
    var subject: String
    var threads: Int
    var unit: String
    var nanoseconds: Spread

    enum CodingKeys: String, CodingKey {
      case work, subject, threads, unit
      case nanoseconds = "ns"
    }
  }

  struct Config: Encodable {
    var pages: Int
    var mappings: Int
    var rounds: Int
    var engine: String
    var machine: Machine
  }

  var config: Config
  var rows: [Row]

  var text: String {
    var table = TextTable(
      ["work", "subject", "threads", "ns", "of a", "over kernel", "over memset", "scaling"], leftColumns: 2)
    for row in rows {
      table.add([
        row.work, row.subject, "\(row.threads)", row.nanoseconds.formatted(0), row.unit, ratio(row, "kernel"),
        ratio(row, "memset"), scaling(row),
      ])
    }
    return table.text
  }

  /// The row's median over another subject's at the same work and number of threads.
  private func ratio(_ row: Row, _ subject: String) -> String {
    let other = rows.first { $0.subject == subject && $0.work == row.work && $0.threads == row.threads }
    guard let other, other.subject != row.subject else { return "-" }
    return "x" + (row.nanoseconds.median / other.nanoseconds.median).fixed(2)
  }

  /// What all threads do over what one does alone.
  private func scaling(_ row: Row) -> String {
    let single = rows.first { $0.subject == row.subject && $0.work == row.work && $0.threads == 1 }
    guard let single else { return "-" }
    return "x" + (Double(row.threads) * single.nanoseconds.median / row.nanoseconds.median).fixed(2)
  }
}
