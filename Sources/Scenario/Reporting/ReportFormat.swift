/// The format of reports.
public enum ReportFormat: Sendable {
  /// Lines for people, as the article `ScenarioLanguage` describes them.
  case text
  /// The same, one JSON object to a line.
  case json
}
