import Scenario
import Testing
import UserPages

/// Results that do not come from the library, and those of names that are missing at run time.
@Suite struct RunnerTests {
  @Test func aForkThatFailedHasNoChild() throws {
    let text = """
      memory 1
      space A
      map A 0x1000 1 rw private anon
      write A 0x1000 01
      pin p A 0x1000 1 write
      fork A B
      read B 0x1000 1
      fork B C
      exit B
      release p
      fork A B
      read B 0x1000 1
      """
    #expect(
      try results(text).suffix(7) == [
        "fork A B => ENOMEM", "read B 0x1000 1 => EINVAL", "fork B C => EINVAL", "exit B => EINVAL", "release p => ok",
        "fork A B => ok", "read B 0x1000 1 => 01",
      ])
  }

  @Test func aNameInUseIsBusy() throws {
    let text = """
      space A
      map A 0x1000 1 rw private anon
      fork A B
      fork A B
      space B
      pin p A 0x1000 1
      pin p A 0x1000 1
      """
    #expect(
      try results(text).suffix(5) == [
        "fork A B => ok", "fork A B => EBUSY", "space B => EBUSY", "pin p A 0x1000 1 => 1",
        "pin p A 0x1000 1 => EBUSY",
      ])
  }

  @Test func aPinThatFailedLeavesItsNameFree() throws {
    let text = """
      space A
      pin p A 0x1000 1
      peek p 0 1
      poke p 0 00
      map A 0x1000 1 rw private anon
      pin p A 0x1000 1 fast
      peek p 0 1
      peek p 0 0
      release p
      pin p A 0x1000 1
      """
    #expect(
      try results(text).dropFirst() == [
        "pin p A 0x1000 1 => EFAULT", "peek p 0 1 => EINVAL", "poke p 0 00 => EINVAL",
        "map A 0x1000 1 rw private anon => ok", "pin p A 0x1000 1 fast => 0", "peek p 0 1 => EINVAL",
        "peek p 0 0 => ", "release p => ok", "pin p A 0x1000 1 => 1",
      ])
  }

  @Test func peekAndPokeStayInsideThePin() throws {
    let text = """
      space A
      map A 0x1000 2 rw private anon
      pin p A 0x1000 2 write
      poke p 8191 aa
      poke p 8191 aabb
      peek p 8190 2
      peek p 8191 2
      peek p 0x4000000000000000 1
      """
    #expect(
      try results(text).suffix(5) == [
        "poke p 8191 aa => ok", "poke p 8191 aabb => EINVAL", "peek p 8190 2 => 00aa", "peek p 8191 2 => EINVAL",
        "peek p 4611686018427387904 1 => EINVAL",
      ])
  }

  @Test func whatIsNoFileSystemIsEINVAL() throws {
    let text = """
      erofs e bytes
      space A
      map A 0x1000 1 r private mixed:e:/bin/sh
      readfile e:/bin/sh 0 1
      writefile e:/bin/sh 0 00
      """
    let files: [String: [UInt8]] = ["dir/bytes": [1]]
    #expect(
      try results(text, files: files) == [
        "erofs e bytes => EINVAL", "space A => ok", "map A 0x1000 1 r private mixed:e:/bin/sh => EINVAL",
        "readfile e:/bin/sh 0 1 => EINVAL", "writefile e:/bin/sh 0 00 => EINVAL",
      ])
  }

  /// Numbers at the edge of what can be written are answered, whatever the answer is.
  @Test(arguments: [
    "map A 0xfffffffffffff000 1125899906842624 rw private anon", "map A 0 1125899906842624 rw private anon",
    "map A 0x1000 1 rw private file:f 1125899906842624", "map A 0x1000 1 r private mixed:i 1125899906842624",
    "map A 0x1000 1 r private pfn:i 1125899906842624", "map A 0x1000 4 r private pfn:i 3",
    "unmap A 0 1125899906842624", "unmap A 0xfffffffffffff000 2", "protect A 0 1125899906842624 r",
    "protect A 0xfffffffffffff000 1125899906842624 r", "advise A 0 1125899906842624 dontneed",
    "advise A 0xfffffffffffff000 2 populate-read", "remap A 0x1000 1 0xfffffffffffff000 1125899906842624",
    "remap A 0xfffffffffffff000 1125899906842624 0 1125899906842624", "read A 0xffffffffffffffff 67108864",
    "write A 0xffffffffffffffff 00*67108864", "readfile f 4611686018427387904 67108864",
    "readfile i 4611686018427387904 67108864", "writefile f 4611686018427387904 00",
    "writefile i 4611686018427387904 00",
    "pin p A 0xffffffffffffffff 4194304", "pin p A 0 4194304 write", "entry A 0xffffffffffffffff",
    "frame A 0xffffffffffffffff", "read A 0xffff800000000000 1", "read A 0 0", "writefile f 1 00*0",
    "migrate i 1125899906842624 cache", "advise A 0 0 collapse", "advise A 0 0 pageout",
    "rread A 0xffffffffffffffff 67108864", "rwrite A 0xfffffffffffff000 00*8192",
    "mirror m A 0xfffffffffffff000 4194304",
    "truncate f 17179869184", "truncate d 17179869184", "punch f 1125899906842624 1125899906842624",
    "punch d 1125899906842624 1125899906842624", "punch d 0 0", "punch i 0 1", "truncate i 0",
    "ondisk d 4611686018427387904 67108864",
    "readfile d 4611686018427387904 67108864", "writefile d 4611686018427387904 00",
    "map A 0x1000 1 rw shared file:d 1125899906842624",
    "advise A 0 1125899906842624 pageout", "advise A 0xfffffffffffff000 2 pageout",
  ])
  func edgesAreAnswered(statement: String) throws {
    let text =
      "memory 64\nimage i 1\nfile f 1\ndiskfile d 1\nspace A\nmap A 0x1000 1 rw private anon\nwrite A 0x1000 01\n"
    let report = ScenarioRunner().run(try parse(text + statement))
    #expect(report.leak == nil)
    #expect(report.lines.count == 8)
  }

  @Test func oneAlternativeIsEnough() throws {
    let text = """
      space A
      map A 0x1000 1 rw private anon
      read A 0x1000 1 => 01 or 00
      read A 0x1000 16 => SIGSEGV or 00*16
      read A 0x1000 0 => 01 or
      read A 0x1000 1 => 01 or 02
      """
    let report = ScenarioRunner().run(try parse(text))
    #expect(report.lines.map(\.passed) == [true, true, true, true, true, false])
    #expect(report.lines[3].line.description == "read A 0x1000 16 => SIGSEGV or 00*16")
  }

  @Test func everythingIsGivenBackAtTheEnd() throws {
    let text = """
      memory 64
      image i 2
      file f 2
      device d 2
      diskfile k 2 aa
      space A
      map A 0x1000 2 rw private anon
      map A 0x3000 2 rw private mixed:i
      map A 0x5000 2 rw private file:f
      map A 0x7000 2 rw shared file:f
      map A 0x9000 2 rw shared pfn:d
      map A 0xb000 2 rw shared file:k
      write A 0x1000 01*49152
      fork A B
      write B 0x1000 02*40960
      pin p A 0x1000 8 write
      pin q B 0x1000 8
      mirror m B 0x1000 8 write
      mwrite m 0 aa
      exit A
      """
    #expect(ScenarioRunner().run(try parse(text)).leak == nil)
  }
}
