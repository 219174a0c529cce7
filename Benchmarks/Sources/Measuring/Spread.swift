/// Median, least and greatest of the rounds of one measurement.
public struct Spread: Codable, Sendable {
  public var median: Double
  public var low: Double
  public var high: Double

  /// The spread of `values`, of which there is at least one.
  public init(_ values: [Double]) {
    precondition(!values.isEmpty, "a spread needs a value")
    let sorted = values.sorted()
    let middle = sorted.count / 2
    median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    low = sorted[0]
    high = sorted[sorted.count - 1]
  }

  public func formatted(_ digits: Int) -> String {
    "\(median.fixed(digits)) (\(low.fixed(digits))-\(high.fixed(digits)))"
  }
}

extension Double {
  /// Plain decimal notation with a fixed number of digits after the point.
  public func fixed(_ digits: Int) -> String {
    guard isFinite else { return "-" }
    var scale = 1.0
    for _ in 0..<digits { scale *= 10 }
    let scaled = (magnitude * scale).rounded()
    guard scaled < 1e18 else { return "\(self)" }
    let whole = UInt64(scaled)
    let sign = self < 0 && whole > 0 ? "-" : ""
    guard digits > 0 else { return "\(sign)\(whole)" }
    let fraction = String(whole % UInt64(scale))
    let zeros = String(repeating: "0", count: digits - fraction.count)
    return "\(sign)\(whole / UInt64(scale)).\(zeros)\(fraction)"
  }
}
