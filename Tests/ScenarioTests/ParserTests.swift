import Scenario
import Testing

/// The statements that the parser reads, and their normalised form.
@Suite struct ParserTests {
  /// Each statement, written loosely, and as normalised words.
  static let statements: [(String, String)] = [
    ("  memory\t0x10 ", "memory 16"),
    ("swap 0x10", "swap 16"),
    ("swap 0", "swap 0"),
    ("image i 4", "image i 4"),
    ("image i 4 FF", "image i 4 ff"),
    ("image i 4 0x0f", "image i 4 0f"),
    ("image i 4 7", "image i 4 07"),
    ("image i from bytes", "image i from bytes"),
    ("file g 0x2 41", "file g 2 41"),
    ("file g 0", "file g 0"),
    ("file g from bytes", "file g from bytes"),
    ("device e 1", "device e 1"),
    ("erofs e  bytes", "erofs e bytes"),
    ("space B", "space B"),
    ("fork A B", "fork A B"),
    ("exit A", "exit A"),
    ("map A 65536 4 rw private anon", "map A 0x10000 4 rw private anon"),
    ("map A 0X1000 1 none shared file:f 3", "map A 0x1000 1 none shared file:f 3"),
    ("map A 0x1000 1 r private mixed:rom 0 huge", "map A 0x1000 1 r private mixed:rom 0 huge"),
    ("map A 0x1000 1 r private mixed:fs:/bin/a:b 1", "map A 0x1000 1 r private mixed:fs:/bin/a:b 1"),
    ("map A 0x1000 1 r private pfn:rom huge", "map A 0x1000 1 r private pfn:rom huge"),
    ("map A 0x1000 1 r shared pfn:dev", "map A 0x1000 1 r shared pfn:dev"),
    ("unmap A 4096 0x10", "unmap A 0x1000 16"),
    ("protect A 0x1000 1 none", "protect A 0x1000 1 none"),
    ("advise A 0x1000 1 dontneed", "advise A 0x1000 1 dontneed"),
    ("advise A 0x1000 1 pageout", "advise A 0x1000 1 pageout"),
    ("advise A 0x1000 1 dontfork", "advise A 0x1000 1 dontfork"),
    ("advise A 0x1000 1 dofork", "advise A 0x1000 1 dofork"),
    ("advise A 0x1000 1 populate-read", "advise A 0x1000 1 populate-read"),
    ("advise A 0x1000 1 populate-write", "advise A 0x1000 1 populate-write"),
    ("advise A 0x1000 1 collapse", "advise A 0x1000 1 collapse"),
    ("map A 4096 1 rw shared secret", "map A 0x1000 1 rw shared secret"),
    ("lock A 4096 1", "lock A 0x1000 1"),
    ("unlock A 4096 1", "unlock A 0x1000 1"),
    ("seal A 4096 1", "seal A 0x1000 1"),
    ("remap A 4096 1 8192 2", "remap A 0x1000 1 0x2000 2"),
    ("remap A 4096 1 8192 1 dontunmap", "remap A 0x1000 1 0x2000 1 dontunmap"),
    ("read A 0x1000 0x10", "read A 0x1000 16"),
    ("write A 0x1000 C0FFEE", "write A 0x1000 c0ffee"),
    ("write A 0x1000 FF*0x10", "write A 0x1000 ff*16"),
    ("write A 0xffffffffffffffff 00", "write A 0xffffffffffffffff 00"),
    ("readfile f 0x10 2", "readfile f 16 2"),
    ("writefile rom 0 00", "writefile rom 0 00"),
    ("readfile fs:/bin/sh 0x10 2", "readfile fs:/bin/sh 16 2"),
    ("writefile fs:/bin/sh 0 00", "writefile fs:/bin/sh 0 00"),
    ("pin p A 0x1000 1", "pin p A 0x1000 1"),
    ("pin p A 0x1000 1 fast force longterm write", "pin p A 0x1000 1 write longterm force fast"),
    ("get p A 0x1000 1 fast write force", "get p A 0x1000 1 write force fast"),
    ("release q", "release q"),
    ("release q dirty", "release q dirty"),
    ("peek q 0 1", "peek q 0 1"),
    ("poke q 1 00", "poke q 1 00"),
    ("entry A 0x1234", "entry A 0x1234"),
    ("frame A 4096", "frame A 0x1000"),
    ("counters A", "counters A"),
    ("free", "free"),
    ("migrate rom 1 cache", "migrate rom 1 cache"),
    ("migrate rom 0x1 image", "migrate rom 1 image"),
    ("dcache rom", "dcache rom"),
  ]

  @Test(arguments: statements)
  func normalises(written: String, normalised: String) throws {
    let machine = ["memory", "swap", "image", "file", "device", "erofs"]
    let isMachine = machine.contains { written.drop { $0 == " " }.hasPrefix($0 + " ") || written.contains($0 + "\t") }
    let before =
      isMachine ? "" : "image rom 4\nerofs fs bytes\nfile f 4\ndevice dev 4\nspace A\npin q A 0 1\n"
    let file = try parse(before + written, files: ["dir/bytes": [1, 2, 3]])
    let statement = try #require(file.lines.last).statement
    #expect(statement.description == normalised)
    // What is printed reads as what was written.
    let again = try parse(before + normalised, files: ["dir/bytes": [1, 2, 3]])
    #expect(again.lines.last?.statement == statement)
  }

  @Test func linesCommentsAndBlanks() throws {
    let file = try parse("# a comment\r\n\r\n\tspace   A # one\r\n  free=>#\n".replacing("free=>", with: "free"))
    #expect(file.lines.map(\.number) == [3, 4])
    #expect(file.lines.map(\.statement.description) == ["space A", "free"])
    #expect(try parse("").lines.isEmpty)
    #expect(try parse("# no newline at the end").lines.isEmpty)
  }

  @Test func aByteOrderMarkIsSkipped() throws {
    #expect(try parse("\u{feff}space A\n").lines.map(\.statement.description) == ["space A"])
    #expect(errors("space A\n\u{feff}free") == ["2: no statement is called '\u{feff}free'; did you mean 'free'?"])
  }

  @Test func memoryIsWhatTheFileSays() throws {
    #expect(try parse("space A").memoryPages == 4096)
    #expect(try parse("image i 1\nmemory 7\nspace A").memoryPages == 7)
    #expect(try parse("space A").swapPages == 4096)
    #expect(try parse("memory 7\nspace A").swapPages == 7)
    #expect(try parse("swap 0\nmemory 7\nspace A").swapPages == 0)
  }

  @Test func copiesFilesFromTheScenariosFolder() throws {
    let files: [String: [UInt8]] = ["dir/sub/bytes": [1, 2], "/abs": [3]]
    let file = try parse("file f from sub/bytes\nimage i from /abs", files: files)
    #expect(file.lines[0].statement == .machine(.file(name: "f", .copied(path: "sub/bytes", bytes: [1, 2]))))
    #expect(file.lines[1].statement == .machine(.image(name: "i", .copied(path: "/abs", bytes: [3]))))
  }

  @Test func expectationsAreReadAsResults() throws {
    func expectation(_ line: String) throws -> String? {
      try parse("space A\npin q A 0 1\n" + line).lines.last?.expectation?.text
    }
    #expect(try expectation("free") == nil)
    #expect(try expectation("free => 0x10") == "16")
    #expect(try expectation("pin p A 0 1 =>  EFAULT") == "EFAULT")
    #expect(try expectation("read A 0 2 => FF*2") == "ffff")
    #expect(try expectation("read A 0 2 => \("AB".repeated(16))") == "ab*16")
    #expect(try expectation("read A 0 2 => SIGSEGV") == "SIGSEGV")
    #expect(try expectation("read A 0 0 =>") == "")
    #expect(try expectation("peek q 0 2 => EFAULT") == "EFAULT")
    #expect(try expectation("entry A 0 => normal   rw dirty # yes") == "normal rw dirty")
    #expect(try expectation("free => 1 2") == "1 2")
  }

  @Test(arguments: ScenarioFolder.names)
  func everyScenarioPrintsAsItself(name: String) throws {
    let file = try ScenarioParser().parse(path: ScenarioFolder.path(of: name))
    let again = try ScenarioParser().parse(text: file.text, path: file.path)
    #expect(again.lines.map(\.statement) == file.lines.map(\.statement))
    #expect(again.lines.map(\.expectation) == file.lines.map(\.expectation))
    #expect(again.text == file.text)
  }

  @Test func bytesPrintAsResults() {
    #expect(ByteString.result([]) == "")
    #expect(ByteString.result([UInt8](repeating: 0, count: 15)) == "00".repeated(15))
    #expect(ByteString.result([UInt8](repeating: 0, count: 16)) == "00*16")
    #expect(ByteString.result([UInt8](repeating: 0xfe, count: 16) + [0]) == "fe".repeated(16) + "00")
  }
}

extension String {
  func repeated(_ count: Int) -> String { String(repeating: self, count: count) }
}
