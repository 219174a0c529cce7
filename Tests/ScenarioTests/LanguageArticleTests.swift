import Foundation
import Scenario
import Testing

/// The article `ScenarioLanguage` describes exactly the language that the parser reads.
@Suite struct LanguageArticleTests {
  private static let text: String = {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Sources/UserPages/UserPages.docc/ScenarioLanguage.md").path
    return (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
  }()

  /// The statements in the first column of the tables.
  private static var rows: [String] {
    text.split(separator: "\n").filter { $0.hasPrefix("| `") }.flatMap { row in
      let column = row.dropFirst().prefix { $0 != "|" }
      return column.matches(of: /`([^`]+)`/).map { String($0.output.1) }
    }
  }

  /// The words of the list item that begins with `name`, up to its first full stop.
  private static func words(of name: String) -> [String] {
    guard let start = text.firstRange(of: "- \(name): ")?.upperBound else { return [] }
    return text[start...].prefix { $0 != "." }.matches(of: /`([a-z-]+)`/).map { String($0.output.1) }
  }

  @Test func everyStatementHasARowInOrder() {
    var verbs: [String] = []
    for row in Self.rows {
      let verb = String(row.prefix { $0 != " " })
      if verbs.last != verb { verbs.append(verb) }
    }
    #expect(verbs == Statement.verbs)
  }

  @Test func everyWordOfAVocabularyIsNamed() {
    #expect(Self.words(of: "PROT") == Permission.allCases.map(\.rawValue))
    #expect(Self.words(of: "SHARING") == SharingWord.allCases.map(\.rawValue))
    #expect(Self.words(of: "ADVICE") == AdviceWord.allCases.map(\.rawValue))
    let pin = Self.rows.first { $0.hasPrefix("pin ") } ?? ""
    #expect(pin.matches(of: /\[([a-z]+)\]/).map { String($0.output.1) } == PinOption.allCases.map(\.rawValue))
    let targets = Self.rows.filter { $0.hasPrefix("migrate ") }.compactMap { $0.split(separator: " ").last }
    #expect(targets.map(String.init) == MigrationTarget.allCases.map(\.rawValue))
  }

  /// A row, with every word in capitals replaced by an example, parses. So the forms and their order are right too.
  @Test func everyFormParses() {
    let before = """
      image rom 4
      image cut from bytes
      file f 4
      diskfile d 4
      device dev 4
      erofs fs bytes
      space A
      pin P A 0 1
      mirror M A 0 1
      """
    let machine = Set(["memory", "swap", "image", "file", "diskfile", "device", "erofs"])
    let ofDiskFiles = Set(["sync", "ondisk", "cached"])
    // The rest of the block that the line is a part of.
    let blocks: [String: (before: String, after: String)] = [
      "par": ("", "free\nand\nfree\nend"), "and": ("par\nfree", "free\nend"), "repeat": ("", "free\nend"),
      "end": ("repeat 2\nfree", ""),
    ]
    for row in Self.rows {
      let verb = String(row.prefix { $0 != " " })
      let examples = [
        "ADDR": "0x10000", "NEWADDR": "0x20000", "PAGES": "1", "NEWPAGES": "1", "PAGE": "0", "PROT": "rw",
        "SHARING": "private", "BACKING": "mixed:rom", "OFFSET": "0", "ADVICE": "dontneed", "BYTES": "00ff",
        "BYTE": "7f", "COUNT": "4", "N": "1", "OFFSETBYTES": "8", "PATH": "bytes", "B": "C",
        "NAME": machine.contains(verb) ? "new" : ofDiskFiles.contains(verb) ? "d" : "rom",
      ]
      let longest = row.replacing("[", with: "").replacing("]", with: "")
      let shortest = row.replacing(/\ \[[^\]]*\]/, with: "")
      for form in [longest, shortest] {
        let words = form.split(separator: " ").map { examples[String($0)] ?? String($0) }
        let line = words.joined(separator: " ").replacing("space A", with: "space D")
        let (start, end) = blocks[verb] ?? ("", "")
        let text = machine.contains(verb) ? line : "\(before)\n\(start)\n\(line)\n\(end)"
        #expect(errors(text, files: ["dir/bytes": [1]]) == [], "\(line)")
      }
    }
  }

  /// Every statement of the article stands in its table of results too: a row has three columns.
  @Test func everyRowSaysWhatItAnswers() {
    let rows = Self.text.split(separator: "\n").filter { $0.hasPrefix("| `") }
    #expect(rows.count >= 30)
    for row in rows { #expect(row.split(separator: "|").count == 3, "\(row)") }
  }
}
