import Testing

/// What the sources as a whole must look like.
@Suite struct StructureTests {
  private let library: [SourceFile]

  init() throws {
    library = try SourceTree.files(in: ["Sources/UserPages", "Sources/UserPagesEROFS"])
  }

  @Test func everyLayerIsThere() throws {
    let layers = Set(library.compactMap(\.layer))
    #expect(layers == Set(Rules.layers))
    #expect(Rules.knownLayers(library) == [])
  }

  @Test func lowerLayersNameNothingFromAbove() {
    #expect(Rules.layers(library) == [])
  }

  @Test func unsafeCodeStaysInItsLayers() {
    #expect(Rules.unsafeCode(library) == [])
  }

  @Test func sectionsAreEnteredAndNotMade() {
    #expect(Rules.madeSections(library) == [])
  }

  @Test func filesAreShort() throws {
    let files = try SourceTree.files(in: ["Sources", "Tests", "Benchmarks"], extensions: ["swift", "c", "h"])
    #expect(files.count > library.count)
    #expect(Rules.length(files) == [])
  }

  @Test func commentsAreNarrow() throws {
    let swift = try SourceTree.files(in: ["Sources", "Tests", "Benchmarks"])
    #expect(swift.count > library.count)
    #expect(Rules.columns(swift) == [])
    // The checker's comments are wider.
    let others = try SourceTree.files(in: ["Sources", "Tests", "Benchmarks"], extensions: ["c", "h", "cpp", "hpp"])
      .filter { !$0.path.hasPrefix("Tests/MemoryModel/") }
    #expect(others.count > 100)
    #expect(Rules.columns(others) == [])
  }

  @Test func articlesAreNarrow() throws {
    let articles = try SourceTree.files(in: ["Sources", "Tests", "Benchmarks"], extensions: ["md"])
    let front = try SourceTree.files(named: ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
    // A program makes it, and lists all files that it read in one line.
    let made = "Tests/MemoryModel/ORDERINGS.md"
    #expect(articles.contains { $0.path == made })
    #expect(Rules.articleColumns(articles.filter { $0.path != made } + front) == [])
  }

  @Test func orderingsHaveTwoEnds() throws {
    let files = try SourceTree.files(in: ["Sources"], extensions: ["swift", "c", "h"])
    #expect(Rules.orderings(files) == [])
    #expect(files.contains { $0.text.contains("ORDERING [") })
  }

  @Test func everyLabelIsExplained() throws {
    let files = try SourceTree.files(in: ["Sources"], extensions: ["swift", "c", "h"])
    let labels = Set(files.flatMap { $0.text.matches(of: /ORDERING (\[[a-z-]+\])/).map { String($0.output.1) } })
    #expect(labels.count > 10)
    let article = try #require(
      try SourceTree.files(named: ["Sources/UserPages/UserPages.docc/OperationLabels.md"]).first
    ).text
    #expect(labels.filter { !article.contains($0) }.sorted() == [])
  }

  @Test func everyTestTargetIsListed() throws {
    let targets = Set(
      try SourceTree.files(in: ["Tests"]).compactMap { $0.path.firstMatch(of: /^Tests\/(\w+Tests)\//)?.1 })
    #expect(targets.count > 8)
    let table = try #require(try SourceTree.files(named: ["Tests/README.md"]).first).text
    let listed = Set(table.matches(of: /(?m)^\| `(\w+Tests)` \|/).map(\.1))
    #expect(listed == targets)
  }

  @Test func theReadmeIsShort() throws {
    let readme = try #require(try SourceTree.files(named: ["README.md"]).first).text
    #expect(readme.split(separator: "\n", omittingEmptySubsequences: false).count <= 101, "100 lines and the end")
  }

  @Test func theReadmesSampleIsATest() throws {
    let readme = try #require(try SourceTree.files(named: ["README.md"]).first).text
    let test = try #require(try SourceTree.files(named: ["Tests/UserPagesTests/ReadmeSampleTests.swift"]).first).text
    let sample = try #require(readme.firstMatch(of: /(?s)```swift\n(.*?)\n```/)).1
    // Without comments and indentation.
    let lines = sample.split(separator: "\n").map { $0.replacing(/\s*\/\/.*/, with: "").replacing(/^\s+/, with: "") }
    #expect(lines.count >= 8)
    let tested = test.split(separator: "\n").map { $0.replacing(/^\s+/, with: "") }
    #expect(lines.filter { !tested.contains($0) } == [])
  }

  @Test func everyPublicTypeIsOnTheLandingPage() throws {
    let declaration = /(?m)^(?:@frozen )?public (?:final )?(?:class|struct|enum|protocol) ([A-Za-z]+)/
    let types = library.filter { $0.path.hasPrefix("Sources/UserPages/") }.flatMap { file in
      file.text.matches(of: declaration).map { String($0.output.1) }
    }
    #expect(types.count > 20)
    let page = try #require(try SourceTree.files(named: ["Sources/UserPages/UserPages.docc/UserPages.md"]).first).text
    #expect(types.filter { !page.contains("``\($0)``") }.sorted() == [])
  }
}

/// That each rule can find something: bad samples, in memory.
@Suite struct RuleTests {
  private func file(_ path: String, _ text: String) -> SourceFile {
    SourceFile(path: "Sources/UserPages/\(path)", text: text)
  }

  @Test func layers() {
    let frames = file("Frames/Frame.swift", "struct Frame { func of(_ space: Space) {} }")
    let spaces = file("AddressSpaces/Space.swift", "public final class Space { struct Frames {} ; let frame: Frame }")
    #expect(
      Rules.layers([frames, spaces]) == [
        "Sources/UserPages/Frames/Frame.swift names Space, which AddressSpaces declares"
      ])
    #expect(
      Rules.layers([spaces, file("Frames/Fine.swift", "// Space\nlet a = \"Space \\(b(\"Space\")) Space\"")]) == [])
    #expect(
      Rules.layers([spaces, file("Concurrency/Bad.swift", "let a = \"\"\"\n\"quoted\"\n\"\"\"; Space()")]).count == 1)
    // A product above the library is above every layer.
    let product = SourceFile(path: "Sources/UserPagesEROFS/Volume.swift", text: "public final class Volume {}")
    #expect(Rules.layers([product, file("Pinning/Pin.swift", "let volume: Volume")]).count == 1)
    #expect(Rules.layers([spaces, SourceFile(path: "Sources/UserPagesEROFS/File.swift", text: "Space()")]) == [])
    #expect(Rules.unsafeCode([SourceFile(path: "Sources/UserPagesEROFS/A.swift", text: "UnsafeRawPointer")]).count == 1)
    // A name that a lower layer declares as well is the lower one's.
    let lowerSpace = file("Concurrency/Space.swift", "typealias Space = Int")
    #expect(Rules.layers([frames, spaces, lowerSpace]) == [])
  }

  @Test func knownLayers() {
    #expect(Rules.knownLayers([file("Attic/Old.swift", ""), file("Concurrency/New.swift", "")]).count == 1)
    #expect(Rules.knownLayers([file("Loose.swift", "")]).count == 1)
  }

  @Test(arguments: [
    "func f(_ p: UnsafeRawPointer) {}", "struct A: @unchecked Sendable {}", "nonisolated(unsafe) var a = 1",
    "let b = unsafeBitCast(a, to: Int.self)", "a.withUnsafeBytes { _ in }", "import CPlatform",
  ])
  func unsafeCode(line: String) {
    #expect(Rules.unsafeCode([file("Pinning/Pin.swift", line)]).count == 1)
    #expect(Rules.unsafeCode([file("Frames/Pin.swift", line)]) == [])
    #expect(Rules.unsafeCode([file("Pinning/Pin.swift", "/* /* \(line) */ \(line) */ // \(line)")]) == [])
  }

  @Test(arguments: ["look(RCU.Section())", "let s = RCU.Section.init()"])
  func madeSections(line: String) {
    #expect(Rules.madeSections([file("Pinning/Pin.swift", line)]).count == 1)
    #expect(Rules.madeSections([file("Concurrency/RCU.swift", line)]) == [])
    #expect(Rules.madeSections([file("Pinning/Pin.swift", "MemorySection() // \(line)")]) == [])
  }

  @Test func length() {
    #expect(Rules.length([file("Concurrency/Long.swift", String(repeating: "\n", count: 321))]).count == 1)
    #expect(Rules.length([file("Concurrency/Long.swift", String(repeating: "\n", count: 300))]) == [])
  }

  @Test func columns() {
    func findings(_ line: String) -> Int { Rules.columns([file("Concurrency/Wide.swift", line)]).count }
    let words = String(repeating: "word ", count: 24)
    #expect(findings("  /// \(words)") == 1)
    #expect(findings("  // \(words)") == 1)
    #expect(findings("// \(words.dropLast(4))") == 0)
    #expect(findings("///      drawn \(words)") == 0)
    #expect(findings("/// | cell | \(words) |") == 0)
    #expect(findings("let text = \"\(words) // \(words)\"") == 0)
  }

  @Test func articleColumns() {
    func findings(_ lines: String...) -> Int {
      Rules.articleColumns([SourceFile(path: "Article.md", text: lines.joined(separator: "\n"))]).count
    }
    let words = String(repeating: "word ", count: 28)
    #expect(findings("- \(words)") == 1)
    #expect(findings(String(words)) == 0)
    #expect(findings("| cell | \(words) |", "# \(words)", "```", "- \(words)", "```", words + words) == 1)
  }

  @Test func orderings() {
    func findings(_ lines: String...) -> [String] {
      Rules.orderings([file("Concurrency/A.swift", lines.joined(separator: "\n"))])
    }
    #expect(findings("// ORDERING [a-b]: release.", "// ORDERING [a-b]: acquire.") == [])
    #expect(findings("// ORDERING [a-b]: release.", "// acquire, pairs with [a-b].") == [])
    #expect(findings("// ORDERING [a-b]: release.", "let a = b[a-b]") == ["[a-b] has one end only"])
    #expect(findings("// ORDERING: release.").count == 1)
    #expect(findings("// pairs with [a-b]").count == 1)
  }
}
