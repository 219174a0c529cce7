/// The words of one statement, taken from left to right.
struct WordReader {
  private var words: ArraySlice<String>

  init(_ words: [String]) { self.words = words[...] }

  /// The next word, which the article `ScenarioLanguage` calls `what`.
  mutating func word(_ what: String) throws(LineError) -> String {
    guard let word = words.popFirst() else { throw LineError("\(what) is missing") }
    return word
  }

  /// The next word, or nil at the end.
  mutating func optional() -> String? { words.popFirst() }

  /// The next word, which stays the next.
  var upcoming: String? { words.first }

  /// Whether the next word is `word`. False at the end.
  mutating func flag(_ word: String) throws(LineError) -> Bool {
    guard let next = words.popFirst() else { return false }
    guard next == word else {
      throw LineError("\(quoted(next)) is not '\(word)'\(Suggestion.text(for: next, among: [word]))")
    }
    return true
  }

  /// Fails if words are left.
  func end() throws(LineError) {
    if let word = words.first { throw LineError("\(quoted(word)) is one word too many") }
  }

  /// A name: letters, digits, `_`, `-` and `.`.
  mutating func name(_ what: String) throws(LineError) -> String {
    try checkedName(try word(what), what)
  }

  /// One of the words of a vocabulary.
  mutating func choice<Choice>(_ what: String, of: Choice.Type) throws(LineError) -> Choice
  where Choice: RawRepresentable<String> & CaseIterable {
    let text = try word(what)
    guard let choice = Choice(rawValue: text) else {
      let all = Choice.allCases.map(\.rawValue)
      let suggestion = Suggestion.text(for: text, among: all)
      throw LineError("\(what): \(quoted(text)) is none of \(all.joined(separator: ", "))\(suggestion)")
    }
    return choice
  }

  /// A number in `range`.
  mutating func number(_ what: String, in range: ClosedRange<UInt64>) throws(LineError) -> Int {
    let text = try word(what)
    let value = try parseNumber(text, what)
    guard range.contains(value) else {
      if value < range.lowerBound { throw LineError("\(what): \(text) is less than \(range.lowerBound)") }
      throw LineError("\(what): \(text) is more than \(range.upperBound)")
    }
    // No limit is beyond Int.max.
    return Int(value)
  }

  mutating func address(_ what: String = "ADDR") throws(LineError) -> UInt64 {
    try parseNumber(try word(what), what)
  }

  mutating func range(
    address: String = "ADDR", pages: String = "PAGES", limit: UInt64 = Limits.mappingPages
  ) throws(LineError) -> PageRange {
    PageRange(address: try self.address(address), pages: try number(pages, in: 0...limit))
  }

  mutating func byteOffset() throws(LineError) -> Int { try number("OFFSETBYTES", in: 0...Limits.byteOffset) }

  mutating func count() throws(LineError) -> Int { try number("COUNT", in: 0...Limits.count) }

  mutating func bytes() throws(LineError) -> ByteString { try parseBytes(try word("BYTES")) }
}

/// Returns `text` if it is a name.
func checkedName(_ text: String, _ what: String) throws(LineError) -> String {
  let isName = text.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
      true
    default: false
    }
  }
  guard isName, !text.isEmpty else {
    throw LineError("\(what): \(quoted(text)) is no name (letters, digits, '_', '-' and '.')")
  }
  return text
}
