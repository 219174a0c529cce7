/// How reports are written.
public enum ReportFormat: Sendable {
  /// The contract's lines.
  case text
  /// The same, one JSON object to a line.
  case json
}
