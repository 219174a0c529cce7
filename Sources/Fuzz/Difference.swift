import Scenario

/// A scenario that the library and the kernel answer differently.
public struct Difference: Sendable, CustomStringConvertible {
  /// The scenario.
  public var file: ScenarioFile
  /// The index of the first line with answers that differ. The number of lines if only the end differs.
  public var place: Int
  /// The library's answers, one a line.
  public var library: [String]
  /// The kernel's answers, one a line.
  public var kernel: [String]
  /// What the library still held after it had given everything back. Real memory cannot leak.
  public var leak: Leak?

  public init(file: ScenarioFile, place: Int, library: [String], kernel: [String], leak: Leak? = nil) {
    self.file = file
    self.place = place
    self.library = library
    self.kernel = kernel
    self.leak = leak
  }

  /// The scenario up to the difference, with the kernel's answers as expectations. The library fails it.
  public var expectation: String {
    var text = ""
    for (line, answer) in zip(file.lines, kernel).prefix(place + 1) {
      // The kernel tells only part of the language's answer about a frame.
      let verdict = line.statement.isFrameLook ? "# the kernel: \(answer)" : "=> \(answer)"
      text += "\(line.statement) \(verdict)\n"
    }
    return text
  }

  /// The scenario with the kernel's answers, and with the library's answers that differ.
  public var description: String {
    var text = ""
    for (index, line) in file.lines.enumerated() where index <= place {
      text += "\(line.statement) => \(kernel[index])\n"
      if library[index] != kernel[index] { text += "# the library: \(library[index])\n" }
    }
    if let leak { text += "# the library at the end: \(leak)\n" }
    return text
  }
}

/// The outcome of one scenario on both sides.
public enum Comparison: Sendable {
  /// Both sides gave the same answers.
  case same
  /// Real memory cannot answer this line.
  case incomparable(ScenarioLine)
  /// The answers differ.
  case different(Difference)
}

/// Runs scenarios on both sides and compares every result.
public struct Comparer {
  /// The oracle's answer if the kernel does not tell.
  private static let untold = "unknown"

  private let runner: ScenarioRunner
  private let oracle: KernelOracle

  public init(runner: ScenarioRunner, oracle: KernelOracle) {
    self.runner = runner
    self.oracle = oracle
  }

  /// The first line that real memory cannot answer, or nil.
  public static func firstIncomparable(of file: ScenarioFile) -> ScenarioLine? {
    Comparability.firstIncomparable(of: file)
  }

  /// Runs a scenario on both sides at the same time.
  public func compare(_ file: ScenarioFile) throws(KernelOracle.Problem) -> Comparison {
    let missing = Self.firstIncomparable(of: file) ?? file.lines.first { oracle.lacks($0.statement) }
    if let missing { return .incomparable(missing) }
    try oracle.start(file)
    let report = runner.run(file)
    let kernel = try oracle.answers(to: file)
    let library = report.lines.map(\.outcome.description)
    var mayBeOut = false
    for (index, line) in file.lines.enumerated() {
      // A kernel without swap keeps the pages that the library writes out, and one with swap keeps those that are still
      // being written. After that, mapped frames differ.
      if line.statement.isPageOut { mayBeOut = true }
      if mayBeOut, line.statement.isFrameLook { continue }
      if kernel[index] == Self.untold || line.statement.comparable(library[index]) == kernel[index] { continue }
      return .different(Difference(file: file, place: index, library: library, kernel: kernel))
    }
    guard let leak = report.leak else { return .same }
    return .different(
      Difference(file: file, place: file.lines.count, library: library, kernel: kernel, leak: leak))
  }
}

extension Statement {
  var isFrameLook: Bool { if case .look(.frame) = self { true } else { false } }

  fileprivate var isPageOut: Bool { if case .space(.advise(_, _, .pageOut)) = self { true } else { false } }

  /// The part of the library's answer that a kernel tells too: the map count of an anonymous frame.
  ///
  /// `fault_around_bytes` decides which pages of a file are mapped.
  fileprivate func comparable(_ answer: String) -> String {
    guard isFrameLook else { return answer }
    let words = answer.split(separator: " ")
    if words.contains("anon"), let maps = words.first { return "\(maps) anon" }
    return answer == "no descriptor" || words.contains("file") ? "other" : answer
  }
}
