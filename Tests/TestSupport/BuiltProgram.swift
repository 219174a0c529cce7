import Foundation

/// A program of this package that is built beside the tests.
public enum BuiltProgram {
  /// Where the program `name` lies.
  public static func url(named name: String) throws -> URL {
    let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let candidates = [bundle] + CommandLine.arguments
    for candidate in candidates {
      let url = URL(fileURLWithPath: candidate).deletingLastPathComponent().appendingPathComponent(name)
      if FileManager.default.isExecutableFile(atPath: url.path) { return url }
    }
    throw Missing(name: name, lookedBeside: candidates)
  }

  /// The program is not where the tests are.
  public struct Missing: Error {
    /// Its name.
    public let name: String
    /// What it was expected beside.
    public let lookedBeside: [String]
  }
}
