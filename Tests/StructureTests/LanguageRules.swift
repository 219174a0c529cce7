import Foundation

/// The rules for words, comments and references. Each takes files and returns what breaks it, one line for each finding.
enum LanguageRules {
  /// Words that named no actor, or one of this project's own for something that has a name elsewhere. In parts, so that this file does
  /// not hold them.
  static let privateWords = [
    "un" + "taken", "low" + "ered", "linger" + "ing", "rest" + "ing", "un" + "rest", "set" + "tle", "Piece" + "Pool",
    "Range" + "Tree", "daw" + "dle", "holds" + "Lock", "CLib" + "urcu",
  ]

  /// No comment uses a personal pronoun where it means a thread, an operation or a caller.
  static func actors(_ files: [SourceFile]) -> [String] {
    let words = /\b(?:[Ww]ho|[Ww]hoever|[Ww]hom|[Ss]omebody|[Nn]obody|[Aa]nybody|[Hh]im|[Hh]imself)\b/
    return files.flatMap { file in
      file.comments.compactMap { line, text in
        text.firstMatch(of: words).map { "\(file.path):\(line) says '\($0.output)': name the actor" }
      }
    }
  }

  /// No file holds a private word.
  static func privateWords(_ files: [SourceFile]) -> [String] {
    files.flatMap { file -> [String] in
      privateWords.filter { word in
        guard file.text.contains(word) else { return false }
        return file.text.ranges(of: word).contains { isWord($0, in: file.text) }
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

  /// What is named in backticks with a dot or parentheses, as code is, is declared or used in the code.
  ///
  /// - Parameter identifiers: all words of the code.
  static func symbols(_ texts: [(place: String, text: Substring)], identifiers: Set<String>) -> [String] {
    let symbol = /`([A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*)(\([A-Za-z:_]*\))?`/
    return texts.flatMap { place, text -> [String] in
      text.matches(of: symbol).flatMap { match -> [String] in
        let name = match.output.1
        guard name.contains(".") || match.output.2 != nil else { return [] }
        // A file's name is another rule's.
        if name.firstMatch(of: /\.(?:swift|md|c|h|cpp|hpp|erofs|so|a)$/) != nil { return [] }
        return name.split(separator: ".").map(String.init).filter { !identifiers.contains($0) }.map {
          "\(place) names \(match.output.0), but no code says \($0)"
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
      /(?:var (?:pageCount|firstFrame|sequence|users|takesStores|writesBack)|func (?:fault|hugeFault|didCopy|willStore))\b/
    let inherited =
      /(?:(?:var|let) rawValue|init\((?:rawValue|integerLiteral)|var description|func hash\(|static func (?:==|<)|var errorDescription)/
    return files.flatMap { file -> [String] in
      let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
      return lines.indices.compactMap { index in
        let line = lines[index]
        guard line.firstMatch(of: declaration) != nil, line.firstMatch(of: inherited) == nil,
          line.firstMatch(of: requirement) == nil
        else { return nil }
        var above = index - 1
        while above >= 0, lines[above].drop(while: { $0 == " " }).hasPrefix("@") {
          if lines[above].contains("@implementation") { return nil }
          above -= 1
        }
        if above >= 0, lines[above].drop(while: { $0 == " " }).hasPrefix("///") { return nil }
        return "\(file.path):\(index + 1) has no comment: \(line.drop { $0 == " " })"
      }
    }
  }

  private static func isWord(_ range: Range<String.Index>, in text: String) -> Bool {
    func isLetter(_ index: String.Index) -> Bool { text[index].isLetter || text[index].isNumber || text[index] == "_" }
    if range.lowerBound > text.startIndex, isLetter(text.index(before: range.lowerBound)) { return false }
    return range.upperBound == text.endIndex || !isLetter(range.upperBound)
  }
}
