/// Resolves the names of a file from top to bottom.
///
/// A line above must make each name that a statement uses, and the thing must be of the right kind and not certainly
/// gone. Only a `space` certainly exists after its line. A `fork` or a `pin` may fail, so a file may name its result.
/// If it did fail, the statement answers EINVAL when it runs.
struct NameScope {
  enum Thing: Equatable {
    case image, file, diskFile, device, erofs

    var words: String {
      switch self {
      case .image: "an image"
      case .file: "a file"
      case .diskFile: "a disk file"
      case .device: "a device"
      case .erofs: "an EROFS file system"
      }
    }
  }

  enum Presence: Equatable {
    case certain(line: Int)
    case possible
    /// Exited or released.
    case gone(line: Int)
  }

  private var memoryLine: Int?
  private var swapLine: Int?
  private var firstSpaceLine: Int?
  private var things: [String: (Thing, line: Int)] = [:]
  private var spaces: [String: Presence] = [:]
  private var pins: [String: Presence] = [:]
  private var mirrors: Set<String> = []
  private var blocks = BlockScope()
  /// The number of the line that is admitted.
  private var number = 0

  mutating func admit(_ line: ScenarioLine) throws(LineError) {
    number = line.number
    switch line.statement {
    case .machine(let statement): try admit(statement, line.number)
    case .space(let statement): try admit(statement, line.number)
    case .access(let statement): try admit(statement)
    case .pin(let statement): try admit(statement, line.number)
    case .file(let statement): try admit(statement)
    case .mirror(let statement): try admit(statement)
    case .block(let statement): try blocks.admit(statement, line.number, presentThings)
    case .look(let statement): try admit(statement)
    }
  }

  /// The spaces, pins and mirrors that are there.
  private var presentThings: Set<BlockScope.Thing> {
    func names(_ things: [String: Presence]) -> [String] {
      things.keys.filter { if case .gone? = things[$0] { false } else { true } }
    }
    return Set(names(spaces).map { .space($0) } + names(pins).map { .pin($0) } + mirrors.map { .mirror($0) })
  }

  private mutating func admit(_ statement: MachineStatement, _ line: Int) throws(LineError) {
    if blocks.isOpen { throw LineError("the machine is made outside 'par' and 'repeat'") }
    if let firstSpaceLine {
      throw LineError("the machine is made before the first space, which is on line \(firstSpaceLine)")
    }
    switch statement {
    case .memory:
      if let memoryLine { throw LineError("memory is given already, on line \(memoryLine)") }
      memoryLine = line
    case .swap:
      if let swapLine { throw LineError("swap is given already, on line \(swapLine)") }
      swapLine = line
    case .image(let name, _): try declare(name, .image, line)
    case .erofs(let name, _, _): try declare(name, .erofs, line)
    case .file(let name, _): try declare(name, .file, line)
    case .diskFile(let name, _): try declare(name, .diskFile, line)
    case .device(let name, _): try declare(name, .device, line)
    }
  }

  private mutating func declare(_ name: String, _ thing: Thing, _ line: Int) throws(LineError) {
    if let (earlier, earlierLine) = things[name] {
      throw LineError("'\(name)' is already \(earlier.words), made on line \(earlierLine)")
    }
    things[name] = (thing, line)
  }

  private mutating func admit(_ statement: SpaceStatement, _ line: Int) throws(LineError) {
    switch statement {
    case .space(let name):
      try vacant(name)
      try blocks.use(.space(name), changes: true, number)
      firstSpaceLine = firstSpaceLine ?? line
      spaces[name] = .certain(line: line)
    case .fork(let parent, let child):
      try space(parent)
      try vacant(child)
      try blocks.use(.space(child), changes: true, number)
      spaces[child] = .possible
    case .exit(let name):
      try space(name)
      try blocks.use(.space(name), changes: true, number)
      spaces[name] = .gone(line: line)
    case .map(let map):
      try space(map.space)
      switch map.backing {
      case .anonymous, .secret: break
      case .file(let name): try thing(name, isOneOf: [.file, .diskFile])
      case .mixed(let name): try thing(name, isOneOf: [.image])
      case .erofs(let name, _): try thing(name, isOneOf: [.erofs])
      case .pfn(let name): try thing(name, isOneOf: [.image, .device])
      }
    case .unmap(let name, _), .protect(let name, _, _), .advise(let name, _, _), .seal(let name, _),
      .remap(let name, _, _, _), .lock(let name, _), .unlock(let name, _):
      try space(name)
    }
  }

  private mutating func admit(_ statement: AccessStatement) throws(LineError) {
    switch statement {
    case .read(let name, _, _), .write(let name, _, _), .readRemotely(let name, _, _), .writeRemotely(let name, _, _):
      try space(name)
    case .readFile(let name, _, _), .writeFile(let name, _, _): try thing(name, isOneOf: [.file, .diskFile, .image])
    case .readErofs(let name, _, _, _), .writeErofs(let name, _, _, _): try thing(name, isOneOf: [.erofs])
    }
  }

  private mutating func admit(_ statement: PinStatement, _ line: Int) throws(LineError) {
    switch statement {
    case .pin(let name, let owner, _, _), .get(let name, let owner, _, _):
      try space(owner)
      try blocks.use(.pin(name), changes: true, number)
      pins[name] = .possible
    case .release(let name, _):
      try pin(name)
      try blocks.use(.pin(name), changes: true, number)
      pins[name] = .gone(line: line)
    case .peek(let name, _, _), .poke(let name, _, _): try pin(name)
    }
  }

  private func admit(_ statement: FileStatement) throws(LineError) {
    switch statement {
    case .truncate(let name, _), .punch(let name, _, _): try thing(name, isOneOf: [.file, .diskFile, .image])
    case .cached(let name): try thing(name, isOneOf: [.file, .diskFile])
    case .reclaim: break
    case .sync(let name), .onDisk(let name, _, _): try thing(name, isOneOf: [.diskFile])
    }
  }

  private mutating func admit(_ statement: MirrorStatement) throws(LineError) {
    switch statement {
    case .mirror(let name, let owner, _, _):
      try space(owner)
      try blocks.use(.mirror(name), changes: true, number)
      mirrors.insert(name)
    case .read(let name, _, _), .write(let name, _, _), .valid(let name, _):
      guard mirrors.contains(name) else {
        throw LineError("no mirror is called '\(name)'\(Suggestion.text(for: name, among: mirrors.sorted()))")
      }
      try blocks.use(.mirror(name), changes: false, number)
    }
  }

  private mutating func admit(_ statement: LookStatement) throws(LineError) {
    switch statement {
    case .entry(let name, _), .frame(let name, _), .counters(let name): try space(name)
    case .free: break
    case .migrate(let name, _, _): try thing(name, isOneOf: [.image])
    case .dataCache(let name): try thing(name, isOneOf: [.image, .file, .device, .erofs])
    }
  }

  // MARK: - Looking names up

  private mutating func space(_ name: String) throws(LineError) {
    try blocks.use(.space(name), changes: false, number)
    switch spaces[name] {
    case nil: throw LineError("no space is called '\(name)'\(Suggestion.text(for: name, among: spaces.keys.sorted()))")
    case .gone(let line)?: throw LineError("space '\(name)' has exited, on line \(line)")
    case .certain?, .possible?: break
    }
  }

  private func vacant(_ name: String) throws(LineError) {
    if case .certain(let line)? = spaces[name] {
      throw LineError("'\(name)' is already a space, made on line \(line)")
    }
  }

  private mutating func pin(_ name: String) throws(LineError) {
    try blocks.use(.pin(name), changes: false, number)
    switch pins[name] {
    case nil: throw LineError("no pin is called '\(name)'\(Suggestion.text(for: name, among: pins.keys.sorted()))")
    case .gone(let line)?: throw LineError("pin '\(name)' is released, on line \(line)")
    case .certain?, .possible?: break
    }
  }

  private func thing(_ name: String, isOneOf kinds: [Thing]) throws(LineError) {
    let wanted = kinds.map(\.words).joined(separator: " or ")
    guard let (kind, _) = things[name] else {
      let suggestion = Suggestion.text(for: name, among: things.keys.sorted())
      throw LineError("nothing is called '\(name)' (\(wanted) is needed)\(suggestion)")
    }
    guard kinds.contains(kind) else { throw LineError("'\(name)' is \(kind.words); \(wanted) is needed") }
  }
}
