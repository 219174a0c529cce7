import Foundation

/// One source file as the checks see it.
struct SourceFile: Sendable {
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

  /// The folder below `Sources/UserPages` in which it lies, or the target of its own beside that folder.
  var layer: String? {
    let parts = path.split(separator: "/")
    guard parts.count > 2, parts[0] == "Sources" else { return nil }
    if parts[1] == "UserPagesEROFS" { return String(parts[1]) }
    return parts.count > 3 && parts[1] == "UserPages" ? String(parts[2]) : nil
  }

  /// The number of its lines.
  var lineCount: Int { text.utf8.count { $0 == UInt8(ascii: "\n") } }

  /// The words of its code that could name something, in order.
  var words: [String] { code.matches(of: /[A-Za-z_][A-Za-z0-9_]*/).map { String($0.output) } }

  /// The words of all of it, comments and strings included.
  var wordsOfText: [String] { text.matches(of: /[A-Za-z_][A-Za-z0-9_]*/).map { String($0.output) } }

  /// The words of its code, each once.
  var identifiers: Set<String> { Set(words) }

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

  /// Its comments, line by line: what follows `//`, and for C and Promela also what is inside of `/* */`.
  var comments: [(line: Int, text: Substring)] {
    var found: [(line: Int, text: Substring)] = []
    var isInBlock = false
    var isInLiteral = false
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      if isInBlock || (!isInLiteral && line.contains("/*") && !path.hasSuffix(".swift")) {
        found.append((index + 1, line))
        isInBlock = !line.contains("*/")
        continue
      }
      if line.contains("\"\"\"") {
        if line.components(separatedBy: "\"\"\"").count % 2 == 0 { isInLiteral.toggle() }
        continue
      }
      if isInLiteral { continue }
      if let comment = Self.comment(of: line) { found.append((index + 1, comment)) }
    }
    return found
  }

  /// What follows the first `//` of a line that is not inside a string literal.
  private static func comment(of line: Substring) -> Substring? {
    guard line.utf8.contains(UInt8(ascii: "/")) else { return nil }
    var isInString = false
    var index = line.utf8.startIndex
    var last: UInt8 = 0
    while index < line.utf8.endIndex {
      let byte = line.utf8[index]
      if byte == UInt8(ascii: "\""), last != UInt8(ascii: "\\") { isInString.toggle() }
      if byte == UInt8(ascii: "/"), last == byte, !isInString { return line[line.utf8.index(after: index)...] }
      last = last == UInt8(ascii: "\\") && byte == last ? 0 : byte
      index = line.utf8.index(after: index)
    }
    return nil
  }

  private static func withoutCommentsAndStrings(_ text: String) -> String {
    var lexer = Lexer(text: Array(text.utf8))
    return lexer.code()
  }
}

/// Tells code from comments and string literals, byte by byte.
private struct Lexer {
  let text: [UInt8]
  var position = 0

  init(text: [UInt8]) { self.text = text }

  mutating func code() -> String {
    var code: [UInt8] = []
    code.reserveCapacity(text.count)
    while position < text.count {
      let byte = text[position]
      if byte != UInt8(ascii: "/"), byte != UInt8(ascii: "\"") {
        code.append(byte)
        position += 1
      } else if starts(with: "//") {
        while position < text.count, text[position] != UInt8(ascii: "\n") { position += 1 }
      } else if starts(with: "/*") {
        skipComment()
      } else if starts(with: "\"\"\"") {
        position += 3
        skipLiteral(delimiter: "\"\"\"")
        code += Array("\"\"".utf8)
      } else if starts(with: "\"") {
        position += 1
        skipLiteral(delimiter: "\"")
        code += Array("\"\"".utf8)
      } else {
        code.append(byte)
        position += 1
      }
    }
    return String(decoding: code, as: UTF8.self)
  }

  private func starts(with word: StaticString) -> Bool {
    let count = word.utf8CodeUnitCount
    guard position + count <= text.count, text[position] == word.utf8Start[0] else { return false }
    return (1..<count).allSatisfy { text[position + $0] == word.utf8Start[$0] }
  }

  private mutating func skipComment() {
    position += 2
    var depth = 1
    while depth > 0, position < text.count {
      if starts(with: "/*") {
        depth += 1
        position += 2
      } else if starts(with: "*/") {
        depth -= 1
        position += 2
      } else {
        position += 1
      }
    }
  }

  /// Skips the rest of a literal. What is interpolated is skipped with it, also where it holds literals of its own.
  private mutating func skipLiteral(delimiter: StaticString) {
    while position < text.count, !starts(with: delimiter) {
      if starts(with: "\\(") {
        position += 2
        skipInterpolation()
      } else {
        position += starts(with: "\\") ? 2 : 1
      }
    }
    position += delimiter.utf8CodeUnitCount
  }

  private mutating func skipInterpolation() {
    var depth = 1
    while depth > 0, position < text.count {
      let byte = text[position]
      position += 1
      switch byte {
      case UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")"): depth -= 1
      case UInt8(ascii: "\""): skipLiteral(delimiter: "\"")
      default: break
      }
    }
  }
}

/// The repository's own files.
enum SourceTree {
  private static var root: URL {
    URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  }

  private static let folders = ["Sources", "Tests", "Benchmarks"]
  /// The paths of all files below the folders, in order.
  private static let paths = folders.flatMap(paths(in:)).sorted()
  /// What the checks read. Read once: they ask for it some thirty times.
  private static let texts = Result {
    let extensions: Set<String> = ["swift", "c", "h", "pml", "cpp", "hpp", "md"]
    return try paths.filter { extensions.contains(($0 as NSString).pathExtension) }.map(file)
  }

  /// The files below the given folders with one of the extensions, in order of their paths.
  static func files(in folders: [String], extensions: Set<String> = ["swift"]) throws -> [SourceFile] {
    try texts.get().filter { file in
      folders.contains { file.path.hasPrefix("\($0)/") } && extensions.contains((file.path as NSString).pathExtension)
    }
  }

  /// Some files by their paths.
  static func files(named paths: [String]) throws -> [SourceFile] { try paths.map(file) }

  /// The names, without folders, of all files.
  static func names() throws -> Set<String> {
    let top = try FileManager.default.contentsOfDirectory(atPath: root.path)
    return Set(top + paths.map { ($0 as NSString).lastPathComponent })
  }

  private static func file(_ path: String) throws -> SourceFile {
    SourceFile(path: path, text: try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8))
  }

  private static func paths(in folder: String) -> [String] {
    let below = FileManager.default.enumerator(atPath: root.appendingPathComponent(folder).path)
    var paths: [String] = []
    while let name = below?.nextObject() as? String {
      if name.hasSuffix(".build") { below?.skipDescendants() }
      if !"/\(name)".contains("/.build") { paths.append("\(folder)/\(name)") }
    }
    return paths
  }
}
