import Foundation

/// The scenario files, which the tests find beside their own folder.
enum ScenarioFolder {
  static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("scenarios").path

  /// The names of all scenarios, those in folders with their folder, sorted.
  static let names: [String] = {
    let entries = (try? FileManager.default.subpathsOfDirectory(atPath: path)) ?? []
    return entries.filter { $0.hasSuffix(".gup") }.sorted()
  }()

  static func path(of name: String) -> String { "\(path)/\(name)" }
}
