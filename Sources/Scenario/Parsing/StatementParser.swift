/// Parses one statement from its words, without the lines around it.
struct StatementParser {
  private static let machineVerbs = ["memory", "swap", "image", "file", "diskfile", "device", "erofs"]
  private static let spaceVerbs = [
    "space", "fork", "exit", "map", "unmap", "protect", "advise", "seal", "remap", "lock", "unlock",
  ]
  private static let accessVerbs = ["read", "write", "rread", "rwrite", "readfile", "writefile"]
  private static let pinVerbs = ["pin", "get", "release", "peek", "poke"]
  private static let fileVerbs = ["truncate", "punch", "sync", "ondisk", "cached", "reclaim"]
  private static let mirrorVerbs = ["mirror", "mread", "mwrite", "mvalid"]
  private static let blockVerbs = ["par", "and", "repeat", "end"]
  private static let lookVerbs = ["entry", "frame", "counters", "free", "migrate", "dcache"]

  /// The first word of every statement.
  static let verbs =
    machineVerbs + spaceVerbs + accessVerbs + pinVerbs + fileVerbs + mirrorVerbs + blockVerbs + lookVerbs

  /// Reads the bytes of a `from PATH`.
  let copy: (_ path: String) throws(LineError) -> [UInt8]

  func parse(_ words: [String]) throws(LineError) -> Statement {
    var reader = WordReader(words)
    let verb = try reader.word("a statement")
    let statement = try parse(verb, &reader)
    try reader.end()
    return statement
  }

  private func parse(_ verb: String, _ reader: inout WordReader) throws(LineError) -> Statement {
    switch verb {
    case _ where Self.machineVerbs.contains(verb): return .machine(try machine(verb, &reader))
    case _ where Self.spaceVerbs.contains(verb): return .space(try space(verb, &reader))
    case _ where Self.accessVerbs.contains(verb): return .access(try access(verb, &reader))
    case _ where Self.pinVerbs.contains(verb): return .pin(try pin(verb, &reader))
    case _ where Self.fileVerbs.contains(verb): return .file(try file(verb, &reader))
    case _ where Self.mirrorVerbs.contains(verb): return .mirror(try mirror(verb, &reader))
    case _ where Self.blockVerbs.contains(verb): return .block(try block(verb, &reader))
    case _ where Self.lookVerbs.contains(verb): return .look(try look(verb, &reader))
    default:
      let suggestion = Suggestion.text(for: verb, among: Self.verbs)
      throw LineError("no statement is called \(quoted(verb))\(suggestion)")
    }
  }

  // MARK: - The machine

  private func machine(_ verb: String, _ reader: inout WordReader) throws(LineError) -> MachineStatement {
    switch verb {
    case "memory":
      let pages = try reader.number("PAGES", in: 1...Limits.memoryPages)
      guard reader.upcoming == "movable" else { return .memory(pages: pages) }
      _ = reader.optional()
      return .memory(pages: pages, movable: try reader.number("N", in: 0...UInt64(pages)))
    case "swap":
      return .swap(pages: try reader.number("PAGES", in: 0...Limits.memoryPages))
    case "image":
      let name = try reader.name("NAME")
      return .image(name: name, try contents(&reader, smallest: 1))
    case "file":
      let name = try reader.name("NAME")
      return .file(name: name, try contents(&reader, smallest: 0))
    case "diskfile":
      let name = try reader.name("NAME")
      return .diskFile(name: name, try contents(&reader, smallest: 0))
    case "erofs":
      return try erofs(&reader)
    default:
      let name = try reader.name("NAME")
      return .device(name: name, pages: try reader.number("PAGES", in: 1...Limits.memoryPages))
    }
  }

  private func contents(_ reader: inout WordReader, smallest: UInt64) throws(LineError) -> Contents {
    if reader.upcoming == "from" {
      _ = reader.optional()
      let path = try reader.word("PATH")
      let bytes = try copy(path)
      if bytes.isEmpty, smallest > 0 { throw LineError("\(path) is empty; an image holds at least a byte") }
      return .copied(path: path, bytes: bytes)
    }
    let pages = try reader.number("PAGES", in: smallest...Limits.memoryPages)
    guard let byte = reader.optional() else { return .filled(pages: pages, byte: nil) }
    return .filled(pages: pages, byte: try parseFillByte(byte))
  }

  /// `erofs NAME PATH`.
  private func erofs(_ reader: inout WordReader) throws(LineError) -> MachineStatement {
    let name = try reader.name("NAME")
    let path = try reader.word("PATH")
    let bytes = try copy(path)
    if bytes.isEmpty { throw LineError("\(path) is empty; an image holds at least a byte") }
    return .erofs(name: name, path: path, bytes: bytes)
  }

  // MARK: - Address spaces and mappings

  private func space(_ verb: String, _ reader: inout WordReader) throws(LineError) -> SpaceStatement {
    let space = try reader.name("A")
    switch verb {
    case "space": return .space(name: space)
    case "fork": return .fork(parent: space, child: try reader.name("B"))
    case "exit": return .exit(space: space)
    case "map": return .map(try map(space, &reader))
    case "unmap": return .unmap(space: space, try reader.range())
    case "protect":
      let range = try reader.range()
      return .protect(space: space, range, try reader.choice("PROT", of: Permission.self))
    case "advise":
      let range = try reader.range()
      return .advise(space: space, range, try reader.choice("ADVICE", of: AdviceWord.self))
    case "seal": return .seal(space: space, try reader.range())
    case "lock": return .lock(space: space, try reader.range())
    case "unlock": return .unlock(space: space, try reader.range())
    default:
      let range = try reader.range()
      let target = try reader.range(address: "NEWADDR", pages: "NEWPAGES")
      return .remap(space: space, range, to: target, dontUnmap: try reader.flag("dontunmap"))
    }
  }

  private func map(_ space: String, _ reader: inout WordReader) throws(LineError) -> MapStatement {
    var statement = MapStatement(
      space: space,
      range: try reader.range(),
      permission: try reader.choice("PROT", of: Permission.self),
      sharing: try reader.choice("SHARING", of: SharingWord.self),
      backing: try backing(try reader.word("BACKING")))
    if let word = reader.upcoming, word != "huge", word != "noreplace" {
      statement.offset = try reader.number("OFFSET", in: 0...Limits.mappingPages)
    }
    if reader.upcoming == "huge" {
      _ = reader.optional()
      statement.huge = true
    }
    if reader.upcoming == "noreplace" {
      _ = reader.optional()
      statement.noReplace = true
    }
    return statement
  }

  private func backing(_ word: String) throws(LineError) -> BackingWord {
    if word == "anon" { return .anonymous }
    if word == "secret" { return .secret }
    let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, ["file", "mixed", "pfn"].contains(parts[0]) else {
      let suggestion = Suggestion.text(for: String(parts[0]), among: ["anon", "file", "mixed", "pfn", "secret"])
      throw LineError(
        "BACKING: \(quoted(word)) is none of anon, file:NAME, mixed:NAME, mixed:NAME:/PATH, pfn:NAME, secret\(suggestion)"
      )
    }
    if parts[0] == "mixed", let (name, path) = try erofsFile(parts[1]) { return .erofs(name, path: path) }
    let name = try checkedName(String(parts[1]), "NAME")
    switch parts[0] {
    case "file": return .file(name)
    case "mixed": return .mixed(name)
    default: return .pfn(name)
    }
  }

  /// `NAME:/PATH`, a file of an EROFS file system. Nil if the word has no colon.
  private func erofsFile(_ word: Substring) throws(LineError) -> (name: String, path: String)? {
    let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { return nil }
    let name = try checkedName(String(parts[0]), "NAME")
    guard parts[1].hasPrefix("/") else { throw LineError("PATH: \(quoted(String(parts[1]))) does not begin with '/'") }
    return (name, String(parts[1]))
  }

  // MARK: - Access

  private func access(_ verb: String, _ reader: inout WordReader) throws(LineError) -> AccessStatement {
    switch verb {
    case "read":
      .read(space: try reader.name("A"), address: try reader.address(), count: try reader.count())
    case "write":
      .write(space: try reader.name("A"), address: try reader.address(), try reader.bytes())
    case "rread":
      .readRemotely(space: try reader.name("A"), address: try reader.address(), count: try reader.count())
    case "rwrite":
      .writeRemotely(space: try reader.name("A"), address: try reader.address(), try reader.bytes())
    default:
      try fileAccess(verb, &reader)
    }
  }

  /// `readfile NAME OFFSETBYTES COUNT` and `writefile NAME OFFSETBYTES BYTES`. NAME may be `NAME:/PATH`.
  private func fileAccess(_ verb: String, _ reader: inout WordReader) throws(LineError) -> AccessStatement {
    let word = try reader.word("NAME")
    let file = try erofsFile(word[...])
    let name = if let file { file.name } else { try checkedName(word, "NAME") }
    let offset = try reader.byteOffset()
    if verb == "readfile" {
      let count = try reader.count()
      guard let file else { return .readFile(name: name, offset: offset, count: count) }
      return .readErofs(name: name, path: file.path, offset: offset, count: count)
    }
    let bytes = try reader.bytes()
    guard let file else { return .writeFile(name: name, offset: offset, bytes) }
    return .writeErofs(name: name, path: file.path, offset: offset, bytes)
  }

  // MARK: - Pinning

  private func pin(_ verb: String, _ reader: inout WordReader) throws(LineError) -> PinStatement {
    let name = try reader.name("P")
    switch verb {
    case "pin", "get":
      let space = try reader.name("A")
      let range = try reader.range(limit: Limits.pinPages)
      let options = try pinOptions(verb, &reader)
      return verb == "pin"
        ? .pin(name: name, space: space, range, options) : .get(name: name, space: space, range, options)
    case "release":
      return .release(name: name, dirty: try reader.flag("dirty"))
    case "peek":
      return .peek(name: name, offset: try reader.byteOffset(), count: try reader.count())
    default:
      return .poke(name: name, offset: try reader.byteOffset(), try reader.bytes())
    }
  }

  private func pinOptions(_ verb: String, _ reader: inout WordReader) throws(LineError) -> Set<PinOption> {
    var options: Set<PinOption> = []
    while reader.upcoming != nil {
      let option = try reader.choice("option", of: PinOption.self)
      if option == .longTerm, verb == "get" {
        throw LineError("a get cannot be longterm: only a pin tells the memory's owner that it stays")
      }
      guard options.insert(option).inserted else { throw LineError("'\(option.rawValue)' stands twice") }
    }
    return options
  }

  // MARK: - Files that change

  private func file(_ verb: String, _ reader: inout WordReader) throws(LineError) -> FileStatement {
    if verb == "reclaim" { return .reclaim(pages: try reader.number("PAGES", in: 0...Limits.memoryPages)) }
    let name = try reader.name("NAME")
    switch verb {
    case "truncate": return .truncate(name: name, byteCount: try reader.number("COUNT", in: 0...Limits.byteCount))
    case "punch":
      let page = try reader.number("PAGE", in: 0...Limits.mappingPages)
      return .punch(name: name, page: page, pages: try reader.number("PAGES", in: 0...Limits.mappingPages))
    case "sync": return .sync(name: name)
    case "ondisk": return .onDisk(name: name, offset: try reader.byteOffset(), count: try reader.count())
    default: return .cached(name: name)
    }
  }

  // MARK: - Mirrors

  private func mirror(_ verb: String, _ reader: inout WordReader) throws(LineError) -> MirrorStatement {
    let name = try reader.name("M")
    switch verb {
    case "mirror":
      let space = try reader.name("A")
      let range = try reader.range(limit: Limits.pinPages)
      return .mirror(name: name, space: space, range, writes: try reader.flag("write"))
    case "mread": return .read(name: name, offset: try reader.byteOffset(), count: try reader.count())
    case "mwrite": return .write(name: name, offset: try reader.byteOffset(), try reader.bytes())
    default: return .valid(name: name, page: try reader.number("PAGE", in: 0...Limits.mappingPages))
    }
  }

  // MARK: - Two at once

  private func block(_ verb: String, _ reader: inout WordReader) throws(LineError) -> BlockStatement {
    switch verb {
    case "par": .par
    case "and": .and
    case "repeat": .repeat(times: try reader.number("N", in: 1...Limits.times))
    default: .end
    }
  }

  // MARK: - Looking

  private func look(_ verb: String, _ reader: inout WordReader) throws(LineError) -> LookStatement {
    switch verb {
    case "entry": return .entry(space: try reader.name("A"), address: try reader.address())
    case "frame": return .frame(space: try reader.name("A"), address: try reader.address())
    case "counters": return .counters(space: try reader.name("A"))
    case "free": return .free
    case "migrate":
      let name = try reader.name("NAME")
      let page = try reader.number("PAGE", in: 0...Limits.mappingPages)
      return .migrate(name: name, page: page, try reader.choice("target", of: MigrationTarget.self))
    default: return .dataCache(name: try reader.name("NAME"))
    }
  }
}
