import Foundation

/// The model checker. `spin` writes a C program that visits every state, and a C compiler builds it.
enum Spin {
  /// Swift toolchains bring clang. It compiles these programs in a third of gcc's time.
  private static let compiler = ["clang", "gcc"].first { path(of: $0) != nil }

  /// The reason why the checker cannot run, or nil.
  static let missing: String? = {
    let absent = (path(of: "spin") == nil ? ["spin"] : []) + (compiler == nil ? ["gcc"] : [])
    return absent.isEmpty ? nil : "not installed: \(absent.joined(separator: ", ")) (Debian: apt-get install spin gcc)"
  }()

  /// The outcome of a check.
  struct Report {
    /// The commands that ran, with their output.
    var transcript = ""
    var errors: Int?
    /// Whether the checker visited every state.
    var isComplete = false
    /// The first violated assertion.
    var assertion: String?
    var states = ""
  }

  /// The folder of the models.
  private static let models = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Models")

  static func run(_ check: Check) throws -> Report {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("user-pages-model-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: models, to: folder)
    defer { try? FileManager.default.removeItem(at: folder) }
    var report = Report()
    let macros = check.macros.map { "-D\($0)" }
    try step("spin", ["-a"] + macros + ["\(check.model).pml"], in: folder, &report)
    // Even for the checks of millions of states -O1 takes as long as it saves.
    try step(
      compiler ?? "gcc", ["-O0", "-w", "-DSAFETY", "-DMEMLIM=1024", "-o", "pan", "pan.c"], in: folder,
      &report)
    // It never waits. The tests that race meanwhile do, and would stand behind it.
    let output = try step("nice", ["-n", "10", "./pan", "-m100000", "-w22"], in: folder, &report)
    report.errors = output.firstMatch(of: /errors: (\d+)/).flatMap { Int($0.output.1) }
    report.assertion = output.firstMatch(of: /pan:\d+: (.+) \(at depth/).map { String($0.output.1) }
    report.states = output.firstMatch(of: /(\S+) states, stored/).map { String($0.output.1) } ?? "?"
    // An incomplete search proves nothing.
    report.isComplete = !output.contains("Search not completed") && !output.contains("max search depth too small")
    if report.errors != 0 {
      try step("spin", ["-t", "-p"] + macros + ["\(check.model).pml"], in: folder, &report)
    }
    return report
  }

  /// The mutations that the head of each model names.
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
