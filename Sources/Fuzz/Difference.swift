import Scenario

/// A scenario that the library and the kernel answer differently.
public struct Difference: Sendable, CustomStringConvertible {
  public var file: ScenarioFile
  /// The first place where the answers differ: an index of the file's lines, or their count where only the end does.
  public var place: Int
  public var library: [String]
  public var kernel: [String]
  /// What the library still holds after giving everything back, which real memory cannot.
  public var leak: Leak?

  public init(file: ScenarioFile, place: Int, library: [String], kernel: [String], leak: Leak? = nil) {
    self.file = file
    self.place = place
    self.library = library
    self.kernel = kernel
    self.leak = leak
  }

  /// The scenario up to the difference, with the kernel's answers as expectations: run by the library, it fails.
  public var expectation: String {
    var text = ""
    for (line, answer) in zip(file.lines, kernel).prefix(place + 1) {
      // The kernel tells only a part of what the language says about a frame.
      let verdict = line.statement.isFrameLook ? "# the kernel: \(answer)" : "=> \(answer)"
      text += "\(line.statement) \(verdict)\n"
    }
    return text
  }

  /// The scenario with the kernel's answers, and the library's where they differ.
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

/// How one scenario compares.
public enum Comparison: Sendable {
  case same
  /// A line says what real memory cannot be asked.
  case incomparable(ScenarioLine)
  /// The kernel's answer hangs on something that a scenario does not say; what comes after says nothing.
  case chance(Chance)
  case different(Difference)
}

/// Runs scenarios on both sides.
public struct Comparer {
  /// The kernel's answer where it does not tell.
  private static let untold = "unknown"

  private let runner: ScenarioRunner
  private let oracle: KernelOracle

  public init(runner: ScenarioRunner, oracle: KernelOracle) {
    self.runner = runner
    self.oracle = oracle
  }

  /// Runs a scenario on both sides at the same time and compares every result.
  public func compare(_ file: ScenarioFile) throws(KernelOracle.Problem) -> Comparison {
    if let line = Comparability.firstIncomparable(of: file) { return .incomparable(line) }
    try oracle.start(file)
    let report = runner.run(file)
    let kernel = try oracle.answers(to: file)
    let library = report.lines.map(\.outcome.description)
    var mayBeOut = false
    for (index, line) in file.lines.enumerated() {
      // A kernel without swap keeps in memory what the library writes out: which frame is mapped is no question any more.
      if line.statement.isPageOut { mayBeOut = true }
      if mayBeOut, line.statement.isFrameLook { continue }
      if kernel[index] == Self.untold || line.statement.comparable(library[index]) == kernel[index] { continue }
      if let chance = Chance.explaining(line.statement, library: library[index], kernel: kernel[index]) {
        return .chance(chance)
      }
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

  /// The part of the library's answer that a kernel tells too: of a frame, how often it is mapped where it is anonymous.
  /// Which pages of a file are mapped is left to `fault_around_bytes`.
  fileprivate func comparable(_ answer: String) -> String {
    guard isFrameLook else { return answer }
    let words = answer.split(separator: " ")
    if words.contains("anon"), let maps = words.first { return "\(maps) anon" }
    return answer == "no descriptor" || words.contains("file") ? "other" : answer
  }
}
