/// What a run is to show: a bound, and the figure that was measured.
public struct Expectation {
  private let what: String
  private let bound: String
  private let measured: String
  private let isMet: Bool

  /// - Parameter bound: as it is printed: `>= 1.8`.
  public init(_ what: String, _ bound: String, measured: String, isMet: Bool) {
    self.what = what
    self.bound = bound
    self.measured = measured
    self.isMet = isMet
  }

  /// A table with a line for each of `expectations`. What they have in common stands over the first column.
  public static func table(_ expectations: [Expectation], of subject: String? = nil) -> String {
    TextTable(
      expectations,
      [
        .text(subject.map { "expected of \($0)" } ?? "expected", \.what), .number("bound", \.bound),
        .number("measured", \.measured), .text("met") { $0.isMet ? "yes" : "NO" },
      ]
    ).text
  }
}
