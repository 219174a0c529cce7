/// One row of a report: a kind of work, the subject that did it, the number of threads, and the time that one unit of
/// it cost one thread in each round.
public protocol MeasuredRow: Encodable {
  var work: String { get }
  var subject: String { get }
  var threads: Int { get }
  var nanoseconds: Spread { get }
}

/// All rows of one run, and what the run was asked for, as JSON. There a row of more than one thread has a `scaling`.
public struct MeasuredReport<Config: Encodable, Row: MeasuredRow>: Encodable {
  public var config: Config
  public var rows: [Row]

  public init(config: Config, rows: [Row]) {
    self.config = config
    self.rows = rows
  }

  /// The subjects in the order in which they were measured.
  public var subjects: [String] {
    rows.reduce(into: []) { if !$0.contains($1.subject) { $0.append($1.subject) } }
  }

  public func row(_ work: String, _ subject: String, threads: Int) -> Row? {
    rows.first { $0.work == work && $0.subject == subject && $0.threads == threads }
  }

  /// What all threads of `row` do together over what one does alone. Nil if one alone was not measured.
  public func factor(of row: Row) -> Double? {
    self.row(row.work, row.subject, threads: 1).map {
      Double(row.threads) * $0.nanoseconds.median / row.nanoseconds.median
    }
  }

  /// The factor as `x1.87`, or `-`.
  public func scaling(of row: Row) -> String { factor(of: row).map { "x" + $0.fixed(2) } ?? "-" }

  /// The median of `row` over that of `subject` at the same work and number of threads, as `x0.13`.
  public func ratio(of row: Row, to subject: String) -> String {
    guard row.subject != subject, let other = self.row(row.work, subject, threads: row.threads) else { return "-" }
    return "x" + (row.nanoseconds.median / other.nanoseconds.median).fixed(2)
  }
}

extension MeasuredReport {
  private enum CodingKeys: String, CodingKey { case config, rows }

  /// A row, with what follows from the others.
  private struct ScaledRow: Encodable {
    let row: Row
    let scaling: Double?

    private enum CodingKeys: String, CodingKey { case scaling }

    func encode(to encoder: any Encoder) throws {
      try row.encode(to: encoder)
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encodeIfPresent(scaling, forKey: .scaling)
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(config, forKey: .config)
    try container.encode(
      rows.map { ScaledRow(row: $0, scaling: $0.threads > 1 ? factor(of: $0) : nil) }, forKey: .rows)
  }
}
