import Testing

/// What words, comments and references must look like. `../../CONTRIBUTING.md` says why.
@Suite struct LanguageTests {
  private static let folders = ["Sources", "Tests", "Benchmarks"]
  private let code: [SourceFile]
  private let texts: [(place: String, text: Substring)]
  private let names: Set<String>

  init() throws {
    code = try SourceTree.files(in: Self.folders, extensions: ["swift", "c", "h", "pml", "cpp", "hpp"])
    let articles = try SourceTree.files(in: Self.folders, extensions: ["md"])
    let front = try SourceTree.files(named: ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
    texts =
      code.flatMap { file in file.comments.map { ("\(file.path):\($0.line)", $0.text) } }
      + (articles + front).map { ($0.path, Substring($0.text)) }
    names = try SourceTree.names()
  }

  private var swift: [SourceFile] { code.filter { $0.path.hasSuffix(".swift") } }

  @Test func commentsNameTheirActors() {
    #expect(LanguageRules.actors(texts) == [])
    #expect(LanguageRules.actorsInNames(code) == [])
  }

  @Test func privateWordsDoNotComeBack() {
    #expect(LanguageRules.privateWords(swift) == [])
  }

  @Test func filesThatAreNamedExist() {
    #expect(LanguageRules.references(texts, names: names) == [])
  }

  @Test func symbolsThatAreNamedExist() throws {
    // Declared by the standard library, by C, by Linux (`PageAnonExclusive`, `VmRSS`), by SQLite or by swift-format.
    var foreign: Set<String> = [
      "Synchronization", "Mutex", "PageAnonExclusive", "VmRSS", "sqlite3WalSavepointUndo", "iReCksum", "lineLength",
      "walRestartHdr", "walIndexRecover",
    ]
    // Articles, folders, targets and products are no code either.
    foreign.formUnion(names.map { String($0.prefix { $0 != "." }) })
    foreign.formUnion(code.flatMap { $0.path.split(separator: "/").map(String.init) })
    foreign.formUnion(try SourceTree.files(named: ["Package.swift"]).flatMap(\.wordsOfText))
    #expect(LanguageRules.symbols(texts, Declarations(code, foreign: foreign)) == [])
  }

  @Test func publicDeclarationsHaveComments() {
    #expect(LanguageRules.documentation(swift.filter { $0.path.hasPrefix("Sources/UserPages") }) == [])
  }
}

/// That each rule of `LanguageRules` can find something: bad samples, in memory.
@Suite struct LanguageRuleTests {
  private func file(_ text: String) -> SourceFile { SourceFile(path: "Sources/UserPages/Frames/A.swift", text: text) }

  @Test(arguments: [
    "// Who holds it.", "/// For somebody.", "let a = 1 // nobody", "let b = \"//\" // him", "// The whole, whose end.",
  ])
  func actors(line: String) {
    #expect(actorsFound(line).count == 1)
  }

  @Test(arguments: ["let who = 1", "// The whole, and its end.", "let a = \"// who\""])
  func actorsAreNotFound(line: String) {
    #expect(actorsFound(line) == [])
    #expect(LanguageRules.actorsInNames([file(line)]) == [])
  }

  @Test(arguments: ["let pageOfNobody = 1", "func aPageWhoseEntryChanged() {}", "func whoGetsIt() {}"])
  func actorsInNames(line: String) {
    #expect(LanguageRules.actorsInNames([file(line)]).count == 1)
  }

  private func actorsFound(_ line: String) -> [String] {
    LanguageRules.actors(file(line).comments.map { ("here:\($0.line)", $0.text) })
  }

  @Test func privateWords() {
    #expect(LanguageRules.privateWords([file("// is un" + "taken")]).count == 1)
    #expect(LanguageRules.privateWords([file("let set" + "tled = interest" + "ing")]) == [])
  }

  @Test func references() {
    let names: Set<String> = ["Frame.swift", "Concepts.md"]
    func findings(_ text: String) -> Int { LanguageRules.references([("here", Substring(text))], names: names).count }
    #expect(findings("see Frame.swift and <doc:Concepts>") == 0)
    #expect(findings("see Gone.swift") == 1)
    #expect(findings("see <doc:Gone>") == 1)
  }

  @Test func symbols() {
    func findings(_ text: String) -> Int {
      let frame = file("struct Frame { func put() {} }\nenum Kind {\n  case one, two\n}")
      let other = SourceFile(path: "Sources/UserPages/Frames/B.swift", text: "struct Other { func pin(at: Int) {} }")
      return LanguageRules.symbols([("here", Substring(text))], Declarations([frame, other])).count
    }
    #expect(findings("`Frame.put` and `pin(at:)` and `Kind.two` and `whatever`") == 0)
    #expect(findings("`Frame.take`") == 1)
    #expect(findings("`settled()`") == 1)
    #expect(findings("`Frame.pin`") == 1, "another type's member")
    #expect(findings("`takeForMapping`") == 1)
  }

  @Test func documentation() {
    #expect(LanguageRules.documentation([file("public func f() {}")]).count == 1)
    #expect(LanguageRules.documentation([file("/// F.\n@inlinable\npublic func f() {}")]) == [])
    #expect(LanguageRules.documentation([file("@c @implementation\npublic func f() {}")]) == [])
    #expect(LanguageRules.documentation([file("@c\npublic func f() {}")]).count == 1)
    #expect(LanguageRules.documentation([file("  @inlinable public static var a: Int { 1 }")]).count == 1)
  }
}
