/// The rules that the sources keep. Each takes files and returns what breaks it, one line for each finding.
enum Rules {
  /// The layers of the library, from the lowest to the highest. The last one is a product of its own.
  static let layers = [
    "Concurrency", "Frames", "PageTables", "Backing", "AddressSpaces", "Pinning", "UserPagesEROFS",
  ]
  /// The layers that may hold unsafe code.
  static let unsafeLayers: Set<String> = ["Concurrency", "Frames", "PageTables"]
  /// The most lines that a file may have.
  static let lineLimit = 300
  /// The most columns that a line of prose may have: as `lineLength` of `.swift-format`, which looks at code alone.
  static let columnLimit = 120
  /// The most columns that a line of an article may have.
  static let articleLimit = 140

  /// No file names a type that a layer above its own declares.
  static func layers(_ files: [SourceFile]) -> [String] {
    var home: [String: [Int]] = [:]
    for file in files {
      guard let level = level(of: file) else { continue }
      for type in file.declaredTypes { home[type, default: []].append(level) }
    }
    return files.flatMap { file -> [String] in
      guard let level = level(of: file) else { return [] }
      return file.identifiers.sorted().compactMap { name in
        guard let lowest = home[name]?.min(), lowest > level else { return nil }
        return "\(file.path) names \(name), which \(layers[lowest]) declares"
      }
    }
  }

  /// Every file of the library lies in a layer that the list above knows.
  static func knownLayers(_ files: [SourceFile]) -> [String] {
    files.filter { $0.path.hasPrefix("Sources/UserPages/") && level(of: $0) == nil }.map {
      "\($0.path) lies in no layer"
    }
  }

  /// Unsafe code is in its layers alone.
  static func unsafeCode(_ files: [SourceFile]) -> [String] {
    files.flatMap { file -> [String] in
      guard let layer = file.layer, !unsafeLayers.contains(layer) else { return [] }
      let words = /[A-Za-z_]*[Uu]nsafe[A-Za-z_]*|@unchecked|OpaquePointer|import CPlatform/
      return file.code.matches(of: words).map { "\(file.path) says \($0.output)" }
    }
  }

  /// No proof of a section is made but by `RCU.read`. Its initializer is visible to the whole module, because `read` is
  /// inlined.
  static func madeSections(_ files: [SourceFile]) -> [String] {
    files.filter { !$0.path.hasSuffix("/Concurrency/RCU.swift") }.flatMap { file in
      file.code.matches(of: /(?:^|[^A-Za-z])Section(?:\.init)?\(\)/).map { _ in "\(file.path) makes a section" }
    }
  }

  /// No file is longer than a reader's patience.
  static func length(_ files: [SourceFile]) -> [String] {
    files.filter { $0.lineCount > lineLimit }.map { "\($0.path) has \($0.lineCount) lines" }
  }

  /// Comments keep to the columns that code has. Drawings and tables may be wider.
  static func columns(_ files: [SourceFile]) -> [String] {
    files.flatMap { file -> [String] in
      let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      return lines.compactMap { number, line in
        guard line.count > columnLimit, let comment = line.firstMatch(of: /^ *\/\/+(.*)$/)?.1 else { return nil }
        let isDrawing = comment.hasPrefix("     ") || comment.hasPrefix(" |")
        return isDrawing ? nil : "\(file.path):\(number + 1) has \(line.count) columns"
      }
    }
  }

  /// Articles are read beside code, and compared line by line. Tables, headings and what is in fences may be wider.
  static func articleColumns(_ files: [SourceFile]) -> [String] {
    files.flatMap { file -> [String] in
      var isInFence = false
      return file.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap {
        number, line in
        if line.contains(/^ *```/) { isInFence.toggle() }
        if isInFence || line.count <= articleLimit || line.contains(/^ *[|#]/) { return nil }
        return "\(file.path):\(number + 1) has \(line.count) columns"
      }
    }
  }

  /// Orderings are labelled, and every label is found at both ends.
  ///
  /// A comment `ORDERING [label]: ...` marks one end of a pairing. The other end carries the same label, or a comment
  /// there names `[label]`. A label with one end alone, a `pairs with [label]` of a label that is nowhere, and an
  /// ORDERING without a label are findings.
  static func orderings(_ files: [SourceFile]) -> [String] {
    var findings: [String] = []
    var ends: [String: Int] = [:]
    var declared: Set<String> = []
    var cited: [(label: String, path: String)] = []
    for file in files {
      for (number, line) in file.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        guard let comment = line.firstRange(of: "//").map({ line[$0.upperBound...] }) else { continue }
        let place = "\(file.path):\(number + 1)"
        for match in comment.matches(of: /\[([a-z0-9]+(?:-[a-z0-9]+)+)\]/) {
          ends[String(match.output.1), default: 0] += 1
        }
        if comment.contains("ORDERING") {
          if let match = comment.firstMatch(of: /ORDERING \[([a-z0-9]+(?:-[a-z0-9]+)+)\]/) {
            declared.insert(String(match.output.1))
          } else {
            findings.append("\(place): an ORDERING without a label")
          }
        }
        for match in comment.matches(of: /\bpairs? with \[([a-z0-9-]+)\]/) {
          cited.append((String(match.output.1), place))
        }
      }
    }
    for citation in cited where !declared.contains(citation.label) {
      findings.append("\(citation.path): pairs with [\(citation.label)], which no ORDERING declares")
    }
    for label in declared.sorted() where ends[label] == 1 {
      findings.append("[\(label)] has one end only")
    }
    return findings
  }

  private static func level(of file: SourceFile) -> Int? {
    file.layer.flatMap { layers.firstIndex(of: $0) }
  }
}
