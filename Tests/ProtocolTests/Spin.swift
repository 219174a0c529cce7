import Foundation

/// The model checker: `spin` writes a C program that looks at every state, the C compiler builds it.
enum Spin {
  /// Why the checker cannot run; nil where it can.
  static let missing: String? = {
    let absent = ["spin", "gcc"].filter { path(of: $0) == nil }
    return absent.isEmpty ? nil : "not installed: \(absent.joined(separator: ", ")) (Debian: apt-get install spin gcc)"
  }()

  /// What came out of a check.
  struct Report {
    /// Everything that was run and said, for people.
    var transcript = ""
    var errors: Int?
    var isComplete = false
    /// The first violated assertion.
    var assertion: String?
    var states = ""
  }

  /// Where the models are.
  private static let models = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Models")

  static func run(_ check: Check) throws -> Report {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("user-pages-model-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: models, to: folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    var report = Report()
    let macros = check.macros.map { "-D\($0)" }
    // Optimising costs more than it saves, but for the checks that look at millions of states.
    let optimisation = check.macros.contains { $0.hasPrefix("PINNERS") || $0.hasPrefix("FAULTS") } ? "-O1" : "-O0"
    try step("spin", ["-a"] + macros + ["\(check.model).pml"], in: folder, &report)
    try step(
      "gcc", [optimisation, "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=1024", "-o", "pan", "pan.c"], in: folder, &report)
    let output = try step("./pan", ["-m1000000", "-w20"], in: folder, &report)
    report.errors = output.firstMatch(of: /errors: (\d+)/).flatMap { Int($0.output.1) }
    report.assertion = output.firstMatch(of: /pan:\d+: (.+) \(at depth/).map { String($0.output.1) }
    report.states = output.firstMatch(of: /(\S+) states, stored/).map { String($0.output.1) } ?? "?"
    // A search that was cut short proves nothing.
    report.isComplete = !output.contains("Search not completed") && !output.contains("max search depth too small")
    if report.errors != 0 {
      try step("spin", ["-t", "-p"] + macros + ["\(check.model).pml"], in: folder, &report)
    }
    return report
  }

  /// The mutations that each model's head names.
  static func mutations() throws -> [(model: String, names: Set<String>)] {
    let files = try FileManager.default.contentsOfDirectory(at: models, includingPropertiesForKeys: nil)
    return try files.filter { $0.pathExtension == "pml" }.map { file in
      let text = try String(contentsOf: file, encoding: .utf8)
      let sentence = text.firstMatch(of: /Mutations?:([^.*]|\*(?!\/))*/).map { String($0.output.0) } ?? ""
      let names = sentence.matches(of: /[A-Z][A-Z_]{4,}/).map { String($0.output) }
      return (file.deletingPathExtension().lastPathComponent, Set(names))
    }
  }

  @discardableResult
  private static func step(
    _ command: String, _ arguments: [String], in folder: URL, _ report: inout Report
  ) throws -> String {
    let process = Process()
    process.executableURL = command.contains("/") ? folder.appendingPathComponent(command) : path(of: command)
    process.arguments = arguments
    process.currentDirectoryURL = folder
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    report.transcript += "$ \(command) \(arguments.joined(separator: " "))\n\(output)"
    return output
  }

  private static func path(of command: String) -> URL? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":").map {
      URL(fileURLWithPath: String($0)).appendingPathComponent(command)
    }.first { FileManager.default.isExecutableFile(atPath: $0.path) }
  }
}
