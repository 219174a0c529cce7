import ArgumentParser

/// Numbers of threads as they are written on the command line: `1,2,4`.
public struct ThreadCounts: ExpressibleByArgument, Sendable {
  public static let largest = 512

  public let counts: [Int]

  public init(_ counts: [Int]) {
    self.counts = counts
  }

  public init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Int($0) }.filter { (1...Self.largest).contains($0) }
    guard !numbers.isEmpty, numbers.count == parts.count else { return nil }
    counts = numbers
  }

  public var defaultValueDescription: String { counts.map(String.init).joined(separator: ",") }
}
