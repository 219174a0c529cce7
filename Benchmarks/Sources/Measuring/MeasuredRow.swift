/// One row of a report: a kind of work, the subject that did it, the number of threads, and the time that one unit of
/// it cost one thread in each round.
public protocol MeasuredRow: Encodable {
  var work: String { get }
  var subject: String { get }
  var threads: Int { get }
  var nanoseconds: Spread { get }
}

/// All rows of one run, and what the run was asked for, as JSON.
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

  /// What all threads of `row` do together over what one does alone, as `x1.87`.
  public func scaling(of row: Row) -> String {
    guard let single = self.row(row.work, row.subject, threads: 1) else { return "-" }
    return "x" + (Double(row.threads) * single.nanoseconds.median / row.nanoseconds.median).fixed(2)
  }

  /// The median of `row` over that of `subject` at the same work and number of threads, as `x0.13`.
  public func ratio(of row: Row, to subject: String) -> String {
    guard row.subject != subject, let other = self.row(row.work, subject, threads: row.threads) else { return "-" }
    return "x" + (row.nanoseconds.median / other.nanoseconds.median).fixed(2)
  }
}
