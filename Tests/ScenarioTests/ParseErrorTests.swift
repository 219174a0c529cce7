import Scenario
import Testing

/// The lines that the parser refuses, with its messages.
@Suite struct ParseErrorTests {
  /// One line that cannot be parsed, and its message.
  static let badLines: [(String, String)] = [
    ("frob A", "no statement is called 'frob'"),
    ("=> ok", "a statement is missing"),
    ("space A => ok => ok", "'=>' stands twice"),
    ("space A =>", "no result after '=>'"),
    ("memory", "PAGES is missing"),
    ("memory 0", "PAGES: 0 is less than 1"),
    ("memory 4194305", "PAGES: 4194305 is more than 4194304"),
    ("memory many", "PAGES: 'many' is not a number"),
    ("memory -1", "PAGES: '-1' is not a number"),
    ("memory +1", "PAGES: '+1' is not a number"),
    ("memory 1_0", "PAGES: '1_0' is not a number"),
    ("memory 0x", "PAGES: '0x' is not a number"),
    ("memory 1f", "PAGES: '1f' is not a number"),
    ("memory 99999999999999999999", "PAGES: '99999999999999999999' does not fit in 64 bits"),
    ("memory 1 2", "'2' is one word too many"),
    ("swap", "PAGES is missing"),
    ("swap -1", "PAGES: '-1' is not a number"),
    ("swap 4194305", "PAGES: 4194305 is more than 4194304"),
    ("image", "NAME is missing"),
    ("image a:b 1", "NAME: 'a:b' is no name (letters, digits, '_', '-' and '.')"),
    ("image i 0", "PAGES: 0 is less than 1"),
    ("image i 1 fff", "BYTE: 'fff' is not one byte of two hex digits"),
    ("image i 1 0x", "BYTE: '0x' is not one byte of two hex digits"),
    ("image i 1 gg", "BYTE: 'gg' is not one byte of two hex digits"),
    ("image i 1 00 00", "'00' is one word too many"),
    ("image i from", "PATH is missing"),
    ("image i from nowhere", "cannot read dir/nowhere: no such file"),
    ("image i from empty", "empty is empty; an image holds at least a byte"),
    ("file f from nowhere", "cannot read dir/nowhere: no such file"),
    ("file f from bytes 1", "'1' is one word too many"),
    ("file f", "PAGES is missing"),
    ("diskfile d", "PAGES is missing"),
    ("diskfile d 4194305", "PAGES: 4194305 is more than 4194304"),
    ("diskfile d 1 100", "BYTE: '100' is not one byte of two hex digits"),
    ("diskfile d from nowhere", "cannot read dir/nowhere: no such file"),
    ("diskfile d from bytes 1", "'1' is one word too many"),
    ("device d 0", "PAGES: 0 is less than 1"),
    ("erofs e", "PATH is missing"),
    ("erofs e nowhere", "cannot read dir/nowhere: no such file"),
    ("erofs e empty", "empty is empty; an image holds at least a byte"),
    ("erofs e bytes bin/sh", "'bin/sh' is one word too many"),
    ("space", "A is missing"),
    ("space A B", "'B' is one word too many"),
    ("fork A", "B is missing"),
    ("exit", "A is missing"),
    ("map A 0x1000", "PAGES is missing"),
    ("map A here 1 rw private anon", "ADDR: 'here' is not a number"),
    ("map A 0x1000 0x4000000000001 rw private anon", "PAGES: 0x4000000000001 is more than 1125899906842624"),
    ("map A 0x1000 1 rwx private anon", "PROT: 'rwx' is none of none, r, w, rw; did you mean 'rw'?"),
    ("map A 0x1000 1 rw mine anon", "SHARING: 'mine' is none of private, shared"),
    ("map A 0x1000 1 rw private", "BACKING is missing"),
    (
      "map A 0x1000 1 rw private swap",
      "BACKING: 'swap' is none of anon, file:NAME, mixed:NAME, mixed:NAME:/PATH, pfn:NAME, secret"
    ),
    (
      "map A 0x1000 1 rw private anno",
      "BACKING: 'anno' is none of anon, file:NAME, mixed:NAME, mixed:NAME:/PATH, pfn:NAME, secret; did you mean 'anon'?"
    ),
    (
      "map A 0x1000 1 rw private fiel:x",
      "BACKING: 'fiel:x' is none of anon, file:NAME, mixed:NAME, mixed:NAME:/PATH, pfn:NAME, secret; did you mean 'file'?"
    ),
    (
      "map A 0x1000 1 rw private swap:f",
      "BACKING: 'swap:f' is none of anon, file:NAME, mixed:NAME, mixed:NAME:/PATH, pfn:NAME, secret"
    ),
    ("map A 0x1000 1 r private mixed:rom:sh", "PATH: 'sh' does not begin with '/'"),
    ("map A 0x1000 1 rw private file:", "NAME: '' is no name (letters, digits, '_', '-' and '.')"),
    ("map A 0x1000 1 rw private anon here", "OFFSET: 'here' is not a number"),
    ("map A 0x1000 1 rw private anon huge 0", "'0' is one word too many"),
    ("unmap A 0x1000", "PAGES is missing"),
    ("protect A 0x1000 1", "PROT is missing"),
    ("protect A 0x1000 1 x", "PROT: 'x' is none of none, r, w, rw"),
    ("map A 0x1000 1 rw private anon noreplace huge", "'huge' is one word too many"),
    ("rread A 0x1000", "COUNT is missing"),
    ("rwrite A 0x1000 1", "BYTES: '1' has an odd number of hex digits"),
    ("mirror M A 0x1000", "PAGES is missing"),
    ("mirror M A 0x1000 1 writ", "'writ' is not 'write'; did you mean 'write'?"),
    ("mirror M A 0x1000 1 write write", "'write' is one word too many"),
    ("mread M 0", "COUNT is missing"),
    ("mwrite M 0", "BYTES is missing"),
    ("mvalid M", "PAGE is missing"),
    ("free => 1 or", "no result beside 'or'"),
    ("free => or 1", "no result beside 'or'"),
    ("advise A 0x1000 1", "ADVICE is missing"),
    (
      "advise A 0x1000 1 please",
      "ADVICE: 'please' is none of dontneed, pageout, dontfork, dofork, wipeonfork, keeponfork, free, cold, populate-read, populate-write, collapse, guard-install, guard-remove"
    ),
    ("remap A 0x1000 1 0x2000", "NEWPAGES is missing"),
    ("remap A 0x1000 1 0x2000 1 unmap", "'unmap' is not 'dontunmap'"),
    ("remap A 0x1000 1 0x10000000000000000 1", "NEWADDR: '0x10000000000000000' does not fit in 64 bits"),
    ("read A 0x1000", "COUNT is missing"),
    ("read A 0x1000 67108865", "COUNT: 67108865 is more than 67108864"),
    ("write A 0x1000", "BYTES is missing"),
    ("write A 0x1000 abc", "BYTES: 'abc' has an odd number of hex digits"),
    ("write A 0x1000 0x11", "BYTES: '0x11' is not hex digits"),
    ("write A 0x1000 f*4", "BYTES: 'f' has an odd number of hex digits"),
    ("write A 0x1000 abcd*4", "BYTES: 'abcd' before '*' is not one byte of two hex digits"),
    ("write A 0x1000 *4", "BYTES: no hex digits"),
    ("write A 0x1000 ff*", "COUNT: '' is not a number"),
    ("write A 0x1000 ff*2*2", "BYTES: 'ff*2*2' has more than one '*'"),
    ("write A 0x1000 ff*67108865", "COUNT: 67108865 is more than 67108864"),
    ("readfile f", "OFFSETBYTES is missing"),
    ("readfile f 0x4000000000000001 1", "OFFSETBYTES: 0x4000000000000001 is more than 4611686018427387904"),
    ("writefile f 0", "BYTES is missing"),
    ("pin p A 0x1000", "PAGES is missing"),
    ("pin p A 0x1000 4194305", "PAGES: 4194305 is more than 4194304"),
    ("pin p A 0x1000 1 hard", "option: 'hard' is none of write, longterm, force, fast"),
    ("pin p A 0x1000 1 write write", "'write' stands twice"),
    ("get p A 0x1000 1 longterm", "a get cannot be longterm: only a pin tells the memory's owner that it stays"),
    ("release", "P is missing"),
    ("release p clean", "'clean' is not 'dirty'"),
    ("peek p 0", "COUNT is missing"),
    ("poke p 0", "BYTES is missing"),
    ("truncate f", "COUNT is missing"),
    ("truncate f ff", "COUNT: 'ff' is not a number"),
    ("truncate f 17179869185", "COUNT: 17179869185 is more than 17179869184"),
    ("truncate f 0 0", "'0' is one word too many"),
    ("punch f 0", "PAGES is missing"),
    ("punch f -1 1", "PAGE: '-1' is not a number"),
    ("punch f 0x4000000000001 1", "PAGE: 0x4000000000001 is more than 1125899906842624"),
    ("sync", "NAME is missing"),
    ("sync f now", "'now' is one word too many"),
    ("synk f", "no statement is called 'synk'; did you mean 'sync'?"),
    ("ondisk f 0", "COUNT is missing"),
    ("ondisk f 0 67108865", "COUNT: 67108865 is more than 67108864"),
    ("cached", "NAME is missing"),
    ("reclaim", "PAGES is missing"),
    ("reclaim 1 2", "'2' is one word too many"),
    ("memory 4 movable", "N is missing"),
    ("cached f 1", "'1' is one word too many"),
    ("entry A", "ADDR is missing"),
    ("frame A", "ADDR is missing"),
    ("counters", "A is missing"),
    ("free A", "'A' is one word too many"),
    ("migrate rom 0", "target is missing"),
    ("migrate rom 0 ram", "target: 'ram' is none of cache, image"),
    ("dcache", "NAME is missing"),
  ]

  @Test(arguments: badLines)
  func refuses(line: String, message: String) {
    #expect(errors("\n" + line, files: ["dir/bytes": [1], "dir/empty": []]) == ["2: \(message)"])
  }

  /// Lines that are right alone and wrong after the lines above them.
  static let badNames: [(String, String)] = [
    ("space A\nmemory 4", "2: the machine is made before the first space, which is on line 1"),
    ("space A\nimage i 4", "2: the machine is made before the first space, which is on line 1"),
    ("memory 4\nmemory 4", "2: memory is given already, on line 1"),
    ("swap 4\nswap 0", "2: swap is given already, on line 1"),
    ("space A\nswap 4", "2: the machine is made before the first space, which is on line 1"),
    ("image i 4\nfile i 4", "2: 'i' is already an image, made on line 1"),
    ("space A\nspace A", "2: 'A' is already a space, made on line 1"),
    ("space A\nfork A A", "2: 'A' is already a space, made on line 1"),
    ("exit A", "1: no space is called 'A'"),
    ("fork A B", "1: no space is called 'A'"),
    ("space A\nexit A\nread A 0 1", "3: space 'A' has exited, on line 2"),
    ("space A\nexit A\nexit A", "3: space 'A' has exited, on line 2"),
    ("read A 0 1", "1: no space is called 'A'"),
    ("write A 0 00", "1: no space is called 'A'"),
    ("map A 0 1 r private anon", "1: no space is called 'A'"),
    ("unmap A 0 1", "1: no space is called 'A'"),
    ("protect A 0 1 r", "1: no space is called 'A'"),
    ("advise A 0 1 dontneed", "1: no space is called 'A'"),
    ("remap A 0 1 0 1", "1: no space is called 'A'"),
    ("pin p A 0 1", "1: no space is called 'A'"),
    ("get p A 0 1", "1: no space is called 'A'"),
    ("entry A 0", "1: no space is called 'A'"),
    ("frame A 0", "1: no space is called 'A'"),
    ("counters A", "1: no space is called 'A'"),
    ("space A\nmap A 0 1 r private file:f", "2: nothing is called 'f' (a file or a disk file is needed)"),
    ("image f 1\nspace A\nmap A 0 1 r private file:f", "3: 'f' is an image; a file or a disk file is needed"),
    ("diskfile f 1\nspace A\nmap A 0 1 r private mixed:f", "3: 'f' is a disk file; an image is needed"),
    ("diskfile f 1\nfile f 1", "2: 'f' is already a disk file, made on line 1"),
    ("space A\ndiskfile f 1", "2: the machine is made before the first space, which is on line 1"),
    ("file f 1\nspace A\nmap A 0 1 r private mixed:f", "3: 'f' is a file; an image is needed"),
    ("file f 1\nspace A\nmap A 0 1 r private pfn:f", "3: 'f' is a file; an image or a device is needed"),
    ("readfile f 0 1", "1: nothing is called 'f' (a file or a disk file or an image is needed)"),
    ("image f 1\nreadfile f:/a 0 1", "2: 'f' is an image; an EROFS file system is needed"),
    ("device d 1\nwritefile d 0 00", "2: 'd' is a device; a file or a disk file or an image is needed"),
    ("truncate f 0", "1: nothing is called 'f' (a file or a disk file or an image is needed)"),
    ("device f 1\npunch f 0 1", "2: 'f' is a device; a file or a disk file or an image is needed"),
    ("file f 1\nsync f", "2: 'f' is a file; a disk file is needed"),
    ("file f 1\nondisk f 0 1", "2: 'f' is a file; a disk file is needed"),
    ("image f 1\ncached f", "2: 'f' is an image; a file or a disk file is needed"),
    ("diskfile f 1\nmigrate f 0 cache", "2: 'f' is a disk file; an image is needed"),
    (
      "diskfile f 1\ndcache f",
      "2: 'f' is a disk file; an image or a file or a device or an EROFS file system is needed"
    ),
    ("release p", "1: no pin is called 'p'"),
    ("peek p 0 1", "1: no pin is called 'p'"),
    ("poke p 0 00", "1: no pin is called 'p'"),
    ("space A\npin p A 0 1\nrelease p\npeek p 0 1", "4: pin 'p' is released, on line 3"),
    ("space A\nmread m 0 1", "2: no mirror is called 'm'"),
    ("mirror m A 0 1", "1: no space is called 'A'"),
    ("rread A 0 1", "1: no space is called 'A'"),
    ("rwrite A 0 00", "1: no space is called 'A'"),
    ("file f 1\nmigrate f 0 cache", "2: 'f' is a file; an image is needed"),
    ("dcache f", "1: nothing is called 'f' (an image or a file or a device or an EROFS file system is needed)"),
  ]

  @Test(arguments: badNames)
  func refusesNames(text: String, error: String) {
    #expect(errors(text) == [error])
  }

  @Test func everyBadLineIsTold() {
    #expect(errors("frob\nspace\nfree") == ["1: no statement is called 'frob'", "2: A is missing"])
  }

  /// A misspelt line is reported once, and not again for each line that uses its name.
  @Test func namesAreResolvedOnlyWhereEveryLineCouldBeRead() {
    #expect(errors("spce A\nread A 0 1") == ["1: no statement is called 'spce'; did you mean 'space'?"])
  }

  @Test func longWordsAreCut() {
    let message = errors("write A 0 " + "x".repeated(1000)).first ?? ""
    #expect(message == "1: BYTES: '\("x".repeated(40))...' is not hex digits")
  }

  @Test func bytesThatAreNoTextAreRefused() {
    let parser = ScenarioParser(source: source(["t.gup": [0xff, 0xfe, 0x0a]]))
    #expect(throws: ParseFailure.self) { try parser.parse(path: "t.gup") }
  }

  @Test func aFileThatIsNotThereIsAnErrorWithoutALine() {
    let parser = ScenarioParser(source: source([:]))
    #expect(
      throws: ParseFailure([ParseError(path: "no.gup", line: nil, message: "cannot read no.gup: no such file")])
    ) { try parser.parse(path: "no.gup") }
  }

  @Test func theFileSystemSaysWhatIsWrong() {
    #expect(throws: FileSourceError("cannot read /: Is a directory (EISDIR)")) {
      try FileSource.fileSystem.bytes(at: "/", limit: 1)
    }
    #expect(throws: FileSourceError("cannot read /dev/zero: it is not a regular file")) {
      try FileSource.fileSystem.bytes(at: "/dev/zero", limit: 1)
    }
    #expect(throws: FileSourceError("cannot read /no/such/file: No such file or directory (ENOENT)")) {
      try FileSource.fileSystem.bytes(at: "/no/such/file", limit: 1)
    }
    #expect(throws: FileSourceError("cannot read \(#filePath): it holds more than 4 bytes")) {
      try FileSource.fileSystem.bytes(at: #filePath, limit: 4)
    }
  }
}
