import Foundation

/// One source file as the checks see it.
struct SourceFile {
  /// Its path below the repository's root.
  let path: String
  /// All of it.
  let text: String
  /// The code alone: comments and the contents of string literals are blanked.
  let code: String

  init(path: String, text: String) {
    self.path = path
    self.text = text
    code = SourceFile.withoutCommentsAndStrings(text)
  }

  /// The folder below `Sources/UserPages` in which it lies.
  var layer: String? {
    let parts = path.split(separator: "/")
    guard parts.count > 3, parts[0] == "Sources", parts[1] == "UserPages" else { return nil }
    return String(parts[2])
  }

  /// The number of its lines.
  var lineCount: Int { text.split(separator: "\n", omittingEmptySubsequences: false).count - 1 }

  /// The words of its code that could name something.
  var identifiers: Set<String> {
    Set(code.matches(of: /[A-Za-z_][A-Za-z0-9_]*/).map { String($0.output) })
  }

  /// The types that it declares outside any braces.
  var declaredTypes: Set<String> {
    var depth = 0
    var topLevel = ""
    for character in code {
      if character == "{" {
        depth += 1
        topLevel.append(" ; ")
      } else if character == "}" {
        depth -= 1
      } else if depth == 0 {
        topLevel.append(character)
      }
    }
    let declaration = /\b(?:struct|class|enum|protocol|actor|typealias)\s+([A-Z][A-Za-z0-9_]*)/
    return Set(topLevel.matches(of: declaration).map { String($0.output.1) })
  }

  private static func withoutCommentsAndStrings(_ text: String) -> String {
    var rest = Substring(text)
    var code = ""
    while let character = rest.first {
      if rest.hasPrefix("//") {
        rest = rest.drop { $0 != "\n" }
      } else if rest.hasPrefix("/*") {
        rest = afterComment(rest)
      } else if rest.hasPrefix("\"\"\"") {
        rest = afterLiteral(rest.dropFirst(3), delimiter: "\"\"\"")
        code.append("\"\"")
      } else if character == "\"" {
        rest = afterLiteral(rest.dropFirst(), delimiter: "\"")
        code.append("\"\"")
      } else {
        code.append(character)
        rest = rest.dropFirst()
      }
    }
    return code
  }

  private static func afterComment(_ text: Substring) -> Substring {
    var rest = text.dropFirst(2)
    var depth = 1
    while depth > 0, !rest.isEmpty {
      if rest.hasPrefix("/*") {
        depth += 1
        rest = rest.dropFirst(2)
      } else if rest.hasPrefix("*/") {
        depth -= 1
        rest = rest.dropFirst(2)
      } else {
        rest = rest.dropFirst()
      }
    }
    return rest
  }

  /// The text behind a literal. What is interpolated is blanked with it, also where it holds literals of its own.
  private static func afterLiteral(_ text: Substring, delimiter: String) -> Substring {
    var rest = text
    while !rest.isEmpty, !rest.hasPrefix(delimiter) {
      if rest.hasPrefix("\\(") {
        rest = afterInterpolation(rest.dropFirst(2))
      } else {
        rest = rest.dropFirst(rest.hasPrefix("\\") ? 2 : 1)
      }
    }
    return rest.dropFirst(delimiter.count)
  }

  private static func afterInterpolation(_ text: Substring) -> Substring {
    var rest = text
    var depth = 1
    while depth > 0, let character = rest.first {
      rest = rest.dropFirst()
      switch character {
      case "(": depth += 1
      case ")": depth -= 1
      case "\"": rest = afterLiteral(rest, delimiter: "\"")
      default: break
      }
    }
    return rest
  }
}

/// The repository's own files.
enum SourceTree {
  /// The files below the given folders whose names end in one of the extensions, in order of their paths.
  static func files(in folders: [String], extensions: Set<String> = ["swift"]) throws -> [SourceFile] {
    let root = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    var files: [SourceFile] = []
    for folder in folders {
      let below = FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path)
      while let name = below?.nextObject() as? String {
        let path = "\(folder)/\(name)"
        guard !path.contains("/.build/"), extensions.contains((name as NSString).pathExtension) else { continue }
        let text = try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
        files.append(SourceFile(path: path, text: text))
      }
    }
    return files.sorted { $0.path < $1.path }
  }
}
