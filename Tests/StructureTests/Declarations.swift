/// What the code says and declares, for the rule that a symbol which a comment names exists.
struct Declarations {
  /// All words of the code.
  private(set) var words: Set<String>
  /// For each type, what the files declare that declare or extend it. Coarse: a file of two types gives both all of its
  /// names.
  private(set) var members: [String: Set<String>] = [:]

  init(_ files: [SourceFile], foreign: Set<String> = []) {
    words = foreign
    for file in files {
      let all = file.words
      words.formUnion(all)
      if file.path.hasSuffix(".swift") { add(all, cases: Self.cases(of: file)) }
    }
  }

  private mutating func add(_ words: [String], cases: Set<String>) {
    var declared: Set<String> = ["init", "deinit", "subscript"]
    declared.formUnion(cases)
    var types: Set<String> = []
    for (keyword, name) in zip(words, words.dropFirst()) {
      if Self.declaring.contains(keyword) || Self.declaringTypes.contains(keyword) { declared.insert(name) }
      if Self.declaringTypes.contains(keyword) || keyword == "extension" { types.insert(name) }
    }
    for type in types { members[type, default: []].formUnion(declared) }
  }

  private static let declaring: Set<String> = ["func", "var", "let", "case", "typealias"]
  private static let declaringTypes: Set<String> = ["struct", "class", "enum", "protocol", "actor"]

  /// The names of enumerations' cases that stand in one line: `case a, b`.
  private static func cases(of file: SourceFile) -> Set<String> {
    var names: Set<String> = []
    for line in file.code.split(separator: "\n") {
      let line = line.drop { $0 == " " }
      guard line.hasPrefix("case "), !line.hasSuffix(":") else { continue }
      names.formUnion(line.dropFirst(5).split { !$0.isLetter && !$0.isNumber }.map(String.init))
    }
    return names
  }

  /// What is wrong with a name such as `Frame.put` or `takeAway`; nil if there is such a thing.
  ///
  /// - Parameter isCode: whether it must be code. A word alone may be another program's, unless it is in camel case.
  func refusal(of name: String, isCode: Bool) -> String? {
    let parts = name.split(separator: ".").map(String.init)
    guard isCode || parts.count > 1 || Self.isCamelCase(name) else { return nil }
    if let missing = parts.first(where: { !words.contains($0) }) { return "no code says \(missing)" }
    for (type, member) in zip(parts, parts.dropFirst()) {
      if let known = members[type], !known.contains(member) { return "\(type) has no \(member)" }
    }
    return nil
  }

  private static func isCamelCase(_ name: String) -> Bool {
    zip(name, name.dropFirst()).contains { ($0.isLowercase || $0.isNumber) && $1.isUppercase }
  }
}
