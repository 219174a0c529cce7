import Foundation

/// The rules for words, comments and references. Each takes files and returns what breaks it, one line for each
/// finding.
enum LanguageRules {
  /// Words that named no actor, or one of this project's own for something that has a name elsewhere. In parts, so that
  /// this file does not hold them.
  static let privateWords = [
    "un" + "taken", "low" + "ered", "linger" + "ing", "rest" + "ing", "un" + "rest", "set" + "tle", "Piece" + "Pool",
    "Range" + "Tree", "daw" + "dle", "holds" + "Lock", "CLib" + "urcu",
  ]

  /// No comment or article uses a personal pronoun where it means a thread, an operation or a caller, or
  /// the possessive for a page or a lock.
  static func actors(_ texts: [(place: String, text: Substring)]) -> [String] {
    let words = /\b(?:[Ww]ho|[Ww]hoever|[Ww]hom|[Ww]hose|(?:[Ss]ome|[Nn]o|[Aa]ny|[Ee]very)body|[Hh]im|[Hh]imself)\b/
    return texts.compactMap { place, text in
      text.firstMatch(of: words).map { "\(place) says '\($0.output)': name the actor" }
    }
  }

  /// No name has such a word for a part.
  static func actorsInNames(_ files: [SourceFile]) -> [String] {
    let part = /\b[a-z]\w*(?:Who|Whose|Somebody|Nobody|Anybody|Everybody|Himself)(?:[A-Z]\w*)?\b/
    let start = /\b(?:who|whose)[A-Z]\w*\b/
    return files.flatMap { file in
      (file.code.matches(of: part) + file.code.matches(of: start)).map {
        "\(file.path) names \($0.output): name the actor"
      }
    }
  }

  /// No file holds a private word, alone or as a part of a name.
  static func privateWords(_ files: [SourceFile]) -> [String] {
    files.flatMap { file -> [String] in
      privateWords.filter { word in
        let part = word.prefix(1).uppercased() + word.dropFirst()
        return file.text.ranges(of: word).contains { isWord($0, in: file.text) }
          || file.text.ranges(of: part).contains { isPart($0, in: file.text) }
      }.map { "\(file.path) says '\($0)'" }
    }
  }

  /// A file, an article or a label that a comment or an article names exists.
  ///
  /// - Parameters:
  ///   - texts: the comments and articles, each with its place.
  ///   - names: the names of all files of the repository.
  static func references(_ texts: [(place: String, text: Substring)], names: Set<String>) -> [String] {
    let fileName = /(?:^|[\s`(,;\/])([A-Za-z][\w+-]{2,}\.(?:swift|pml|md|gup))\b/
    // What stands for many files.
    let placeholders = ["CASE", "Type"]
    let article = /<doc:([A-Za-z]+)>/
    return texts.flatMap { place, text -> [String] in
      let missingFiles = text.matches(of: fileName).map { String($0.output.1) }.filter { name in
        !names.contains(name) && !placeholders.contains { name.contains($0) }
      }
      let missingArticles = text.matches(of: article).map { "\($0.output.1).md" }.filter { !names.contains($0) }
      return (missingFiles + missingArticles).map { "\(place) names \($0), which does not exist" }
    }
  }

  /// What is named in backticks is declared or used in the code: with a dot or parentheses, or alone in camel case. A
  /// member is declared where its type is, or is extended.
  static func symbols(_ texts: [(place: String, text: Substring)], _ declarations: Declarations) -> [String] {
    let symbol = /`([A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*)(\([A-Za-z:_]*\))?`/
    return texts.flatMap { place, text -> [String] in
      // The first question is a cheap one.
      guard text.utf8.contains(UInt8(ascii: "`")) else { return [] }
      return text.matches(of: symbol).compactMap { match -> String? in
        let name = match.output.1
        // A file's name is another rule's.
        if name.firstMatch(of: /\.(?:swift|md|c|h|cpp|hpp|erofs|so|a)$/) != nil { return nil }
        return declarations.refusal(of: String(name), isCode: match.output.2 != nil).map {
          "\(place) names \(match.output.0), but \($0)"
        }
      }
    }
  }

  /// Every public declaration has a comment. What a C header declares has it there.
  static func documentation(_ files: [SourceFile]) -> [String] {
    let declaration =
      /^ *(?:@[A-Za-z_]+(?:\([^)]*\))? +)*public (?:(?:static|final|consuming|mutating|borrowing|convenience|indirect|nonisolated) )*(?:func|var|let|init|struct|class|enum|protocol|typealias|subscript)\b/
    // What a protocol asks for is documented there: the standard library's, `Backing`.
    let requirement =
      /(?:var (?:pageCount|firstFrame|sequence|users|takesStores|writesBack|prefersHugePages)|func (?:fault|hugeFault|didCopy|prepareStore|willStore))\b/
    let inherited =
      /(?:(?:var|let) rawValue|init\((?:rawValue|integerLiteral)|var description|func hash\(|static func (?:==|<)|var errorDescription)/
    return files.flatMap { file -> [String] in
      let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
      return lines.indices.compactMap { index in
        let line = lines[index]
        // The first question is a cheap one.
        guard line.contains("public "), line.firstMatch(of: declaration) != nil, line.firstMatch(of: inherited) == nil,
          line.firstMatch(of: requirement) == nil
        else { return nil }
        var above = index - 1
        while above >= 0, lines[above].drop(while: { $0 == " " }).hasPrefix("@") {
          if lines[above].contains("@implementation") { return nil }
          above -= 1
        }
        if above >= 0, lines[above].drop(while: { $0 == " " }).hasPrefix("///") { return nil }
        return "\(file.path):\(index + 1) has no comment: \(line.drop { $0 == " " })"
      } + cases(lines).map { "\(file.path):\($0 + 1) has no comment: \(lines[$0].drop { $0 == " " })" }
    }
  }

  /// The lines of a public enumeration's cases that have no comment.
  private static func cases(_ lines: [Substring]) -> [Int] {
    var inside: Int?
    return lines.indices.filter { index in
      let line = lines[index]
      let indent = line.prefix { $0 == " " }.count
      if line.contains("enum "), line.contains(/\bpublic (?:indirect )?enum\b/), !line.hasSuffix("}") {
        inside = indent + 2
      }
      if let body = inside, indent < body, line.hasSuffix("}") { inside = nil }
      guard inside == indent, line.dropFirst(indent).hasPrefix("case "), index > 0 else { return false }
      return !lines[index - 1].drop { $0 == " " }.hasPrefix("///")
    }
  }

  /// Whether the word at `range` is a part of a name in camel case, but not its first.
  private static func isPart(_ range: Range<String.Index>, in text: String) -> Bool {
    guard range.lowerBound > text.startIndex, text[text.index(before: range.lowerBound)].isLowercase else {
      return false
    }
    return range.upperBound == text.endIndex || !text[range.upperBound].isLowercase
  }

  private static func isWord(_ range: Range<String.Index>, in text: String) -> Bool {
    func isLetter(_ index: String.Index) -> Bool { text[index].isLetter || text[index].isNumber || text[index] == "_" }
    if range.lowerBound > text.startIndex, isLetter(text.index(before: range.lowerBound)) { return false }
    return range.upperBound == text.endIndex || !isLetter(range.upperBound)
  }
}
