import Foundation

/// Writes a report as JSON, keys sorted, so that two reports can be compared line by line.
public enum JSONFile {
  public static func write(_ value: some Encodable, to path: String) throws(ReportError) {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      var data = try encoder.encode(value)
      data.append(0x0a)
      try data.write(to: URL(fileURLWithPath: path))
    } catch {
      throw ReportError(path: path, reason: error.localizedDescription)
    }
  }
}

/// A report that could not be written.
public struct ReportError: Error, CustomStringConvertible {
  public var path: String
  public var reason: String

  public var description: String { "cannot write the report \(path): \(reason)" }
}
