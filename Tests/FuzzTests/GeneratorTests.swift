import Fuzz
import Scenario
import Testing

@Suite struct GeneratorTests {
  private func program(seed: UInt64, _ number: Int, mode: ProgramMode? = nil) -> ScenarioFile {
    var generator = ProgramGenerator(seed: seed, program: number, mode: mode)
    return generator.program()
  }

  @Test func isAFunctionOfItsSeed() {
    #expect(program(seed: 1, 2) == program(seed: 1, 2))
    #expect(program(seed: 1, 2).text != program(seed: 1, 3).text)
    #expect(program(seed: 1, 2).text != program(seed: 2, 2).text)
  }

  @Test func writesTheLanguage() throws {
    for number in 0..<200 {
      let text = program(seed: 3, number).text
      #expect(try ScenarioParser().parse(text: text, path: "").text == text)
    }
  }

  @Test func saysEverythingThatItShould() {
    var words: Set<String> = []
    for number in 0..<200 {
      for line in program(seed: 4, number).lines {
        words.formUnion(line.description.split(separator: " ").map(String.init))
      }
    }
    let wanted: Set = [
      "map", "unmap", "protect", "advise", "remap", "fork", "exit", "read", "write", "readfile", "writefile", "pin",
      "get",
      "peek", "poke", "release", "frame", "force", "longterm", "dontneed", "dontfork", "dofork", "wipeonfork",
      "populate-read",
      "populate-write", "none", "shared", "huge", "collapse",
      "file", "diskfile", "truncate", "punch", "sync", "ondisk", "pageout", "rread", "rwrite", "noreplace", "w",
      "dontunmap", "seal", "secret", "free", "lock", "unlock", "guard-install", "guard-remove",
    ]
    #expect(wanted.subtracting(words).isEmpty)
  }

  /// A program that real memory cannot answer is lost time, and the long ones are worth the most.
  @Test func writesWhatRealMemoryCanAnswer() {
    for number in 0..<600 {
      let line = Comparer.firstIncomparable(of: program(seed: 5, number))
      #expect(line == nil, "program \(number)")
    }
  }

  /// What a mode is about is in most of its programs, and real memory can answer all of them.
  @Test(arguments: ProgramMode.allCases) func aModeIsAboutSomething(mode: ProgramMode) {
    let programs = 100
    var about = 0
    for number in 0..<programs {
      let file = program(seed: 6, number, mode: mode)
      #expect(file != program(seed: 6, number))
      #expect(Comparer.firstIncomparable(of: file) == nil, "\(mode.rawValue), program \(number)")
      if Self.isAbout(mode, file.lines.map(\.description)) { about += 1 }
    }
    #expect(about > programs * 7 / 10, "\(mode.rawValue): \(about) of \(programs)")
  }

  /// Memory that is shared goes out, too. Pins for writing it does not compare with, so such a program has none.
  @Test func sharedMemoryIsPagedOut() {
    let programs = (0..<100).map { program(seed: 7, $0, mode: .swap).lines.map(\.description) }
    let sharing = programs.filter { lines in
      lines.contains { $0.hasPrefix("map ") && $0.contains(" shared anon") }
        && lines.contains { $0.hasSuffix(" pageout") }
    }
    #expect(sharing.count > 20)
    #expect(!sharing.contains { lines in lines.contains { $0.hasSuffix(" write longterm") } })
  }

  /// A kernel drops a clean page of shared memory, with what was stored through a pin, whichever came first.
  @Test func sharedMemoryIsNotPagedOutBesidePins() throws {
    let lines = [
      "map A 0x10000 1 rw shared anon", "advise A 0x10000 1 pageout", "pin p A 0x10000 1 write longterm",
    ]
    for first in lines.indices {
      let rest = lines.indices.filter { $0 != first }.map { lines[$0] }
      for order in [[lines[first]] + rest, [lines[first]] + rest.reversed()] {
        let text = "space A\n" + order.joined(separator: "\n")
        let file = try ScenarioParser().parse(text: text, path: "")
        #expect(Comparer.firstIncomparable(of: file)?.number == 4)
      }
    }
  }

  /// A release may say that a device has stored: then memory that was freed lazily stays. No holder of the kernel does.
  @Test func lazilyFreedMemoryIsNotMarkedDirty() throws {
    let text = "space A\nmap A 0x10000 1 rw private anon\nget p A 0x10000 1\nadvise A 0x10000 1 free\nrelease p"
    for (release, line) in [("", nil), (" dirty", 5)] {
      let file = try ScenarioParser().parse(text: text + release, path: "")
      #expect(Comparer.firstIncomparable(of: file)?.number == line)
    }
  }

  private static func isAbout(_ mode: ProgramMode, _ lines: [String]) -> Bool {
    func count(_ words: String...) -> Int { lines.count { line in words.contains { line.hasPrefix($0 + " ") } } }
    switch mode {
    case .disk:
      return count("diskfile") > 0 && count("file") == 0 && count("truncate", "punch", "writefile", "sync") > 3
    case .files: return count("diskfile") == 1 && count("file") == 1 && count("truncate", "punch", "writefile") > 3
    case .swap: return lines.contains { $0.hasSuffix(" pageout") }
    case .huge: return lines.contains { $0.hasSuffix(" huge") } && count("protect", "unmap", "remap") > 3
    case .overlap: return count("map", "remap") > 5
    case .forks: return depth(lines) >= 3
    case .pfn: return count("map") > 2 && lines.contains { $0.hasPrefix("map ") && $0.contains(" pfn:") }
    case .unshare: return count("fork") > 0 && count("frame") > 3
    case .longterm:
      return lines.contains { $0.hasPrefix("pin ") && $0.hasSuffix(" longterm") && !$0.contains(" write ") }
    case .pins:
      return lines.contains { line in
        let words = line.split(separator: " ")
        return ["pin", "get"].contains(words[0]) && words.contains { Int($0).map { $0 >= 8 } ?? false }
      }
    }
  }

  /// Forks from the first space to its deepest descendant: `fork PARENT CHILD`.
  private static func depth(_ lines: [String]) -> Int {
    var depths: [Substring: Int] = [:]
    for words in lines.map({ $0.split(separator: " ") }) where words[0] == "fork" {
      depths[words[2]] = depths[words[1], default: 0] + 1
    }
    return depths.values.max() ?? 0
  }
}
