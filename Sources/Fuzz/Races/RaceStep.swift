import Scenario

/// A statement of a half, or the part of one that is about a single page.
struct RaceStep {
  var statement: Statement
  /// Whether it goes on with the step before it, so that it is skipped if that one failed.
  var continues = false

  /// The answer of a step that was skipped.
  static let skipped = "skipped"

  /// Whether an answer to this step says that the next part of its statement is skipped.
  func hasFailed(_ answer: String) -> Bool {
    switch statement {
    case .access(.read), .access(.readRemotely), .pin(.peek):
      answer.first?.isUppercase ?? false || answer == Self.skipped
    case .pin(.pin), .pin(.get): answer != "1"
    default: answer != "ok"
    }
  }
}

/// A statement of a half with its steps.
struct DividedStatement {
  var statement: Statement
  /// What an access does first, if that is apart from it: its faults, or the pin of the page. They have no part in its
  /// answer.
  var preludes: [RaceStep] = []
  var steps: [RaceStep]

  /// The answer of the whole statement, from those of its steps.
  func composed(_ answers: [String]) -> String {
    guard steps.count > 1 else { return answers[0] }
    if let access = steps.first, case .pin = access.statement, case .access = statement {
      // A remote access by way of a pin: the copy has the answer, and none could be made without the page.
      return answers[0] == RaceStep.skipped ? "EFAULT" : answers[0]
    }
    let failed = zip(steps, answers).prefix { !$0.hasFailed($1) }.count
    switch statement {
    case .access(.read): return failed == answers.count ? Self.joined(answers) : answers[failed]
    case .access(.readRemotely): return failed == 0 ? answers[0] : Self.joined(Array(answers[..<failed]))
    case .access(.writeRemotely):
      if failed == 0 || failed == answers.count { return answers[0] }
      return "\(steps[..<failed].reduce(0) { $0 + $1.statement.byteCount })"
    case .pin(.pin), .pin(.get): return failed == 0 ? answers[0] : "\(failed)"
    case .pin(.release): return answers.contains("ok") ? "ok" : answers[0]
    default: return answers.first { $0 != "ok" } ?? "ok"
    }
  }

  private static func joined(_ answers: [String]) -> String {
    // Short results are plain hex digits. Longer ones are not divided.
    answers.joined()
  }
}

/// A pair of divided statements: into steps of a single page each, as far as a kernel can do them in parts.
struct DividedPair {
  var setup: [Statement]
  var halves: [[DividedStatement]]
  var looks: [Statement]

  init(_ pair: RacePair) {
    setup = pair.setup
    // A pin of several pages becomes a pin for each of them.
    var pins: [String: Int] = [:]
    halves = pair.halves.map { half in
      half.map { statement in
        if case .pin(.pin(let name, _, let range, _)) = statement, range.pages > 1 { pins[name] = range.pages }
        if case .pin(.get(let name, _, let range, _)) = statement, range.pages > 1 { pins[name] = range.pages }
        return DividedStatement(statement: statement, steps: statement.steps(pins))
      }
    }
    looks = pair.looks.map { $0.steps(pins)[0].statement }
  }

  /// The steps of each half.
  var steps: [[RaceStep]] { halves.map { $0.flatMap { $0.preludes + $0.steps } } }

  /// The same pair for each of its loads and stores, with their faults as steps of their own.
  ///
  /// An access that has taken its fault has not yet accessed: a step of the other half may come in between, find the
  /// page that the fault has mapped, and change it.
  var withFaultsApart: [DividedPair] {
    halves.indices.flatMap { half in
      halves[half].indices.compactMap { index in
        var pair = self
        pair.halves[half][index].preludes = halves[half][index].statement.faults
        return pair.halves[half][index].preludes.isEmpty ? nil : pair
      }
    }
  }

  /// The same pair with each guard of the kernel's in two steps, or nil if it has none.
  ///
  /// The kernel empties the entries, then stores the markers (`madvise_guard_install`). In between a load or a pin
  /// finds zeroes.
  var withGuardsApart: DividedPair? {
    var pair = self
    var hasGuards = false
    for half in halves.indices {
      for index in halves[half].indices {
        guard case .space(.advise(let space, let range, .guardInstall)) = halves[half][index].statement else {
          continue
        }
        hasGuards = true
        pair.halves[half][index].preludes = Self.emptied(range, in: space)
      }
    }
    return hasGuards ? pair : nil
  }

  private static func emptied(_ range: PageRange, in space: String) -> [RaceStep] {
    Statement.space(.advise(space: space, range, .dontNeed)).steps([:])
  }

  /// The same pair for each of its remote accesses to one page, divided into pinning the page and copying.
  ///
  /// The other half may unmap, replace or share the page in between; what was pinned is copied all the same. So it is
  /// on the kernel (`process_vm_rw_single_vec`). No statement there pins for so short, so these orders are run in the
  /// library alone.
  var withPinsApart: [DividedPair] {
    halves.indices.flatMap { half in
      halves[half].indices.compactMap { index in
        let name = "remote.\(half).\(index)"
        guard let (pin, rest) = halves[half][index].statement.pinAndCopy(name) else { return nil }
        var pair = self
        pair.halves[half][index].preludes = [pin]
        pair.halves[half][index].steps = rest
        return pair
      }
    }
  }

  /// Every order of the two halves' steps. A number is that of the half that has its turn.
  var orders: [[Int]] {
    func orders(_ first: Int, _ second: Int) -> [[Int]] {
      if first == 0 || second == 0 {
        return [Array(repeating: 0, count: first) + Array(repeating: 1, count: second)]
      }
      return orders(first - 1, second).map { [0] + $0 } + orders(first, second - 1).map { [1] + $0 }
    }
    return orders(steps[0].count, steps[1].count)
  }

  /// Whether each statement is a step that nothing else can come into, so that whole outcomes can be compared.
  ///
  /// An access to several pages makes its steps in order. Other statements that are about several pages or addresses do
  /// not.
  var isJoint: Bool {
    halves.flatMap { $0 }.allSatisfy { divided in
      switch divided.statement {
      case .access(.read), .access(.write): true
      case .space(.fork), .space(.remap), .space(.exit), .file(.truncate), .file(.punch): false
      case .space(.map(let map)): map.range.pages == 1
      case .space(.unmap(_, let range)), .space(.lock(_, let range)), .space(.unlock(_, let range)): range.pages == 1
      default: divided.steps.count == 1
      }
    }
  }
}

extension Statement {
  /// How many bytes the statement accesses.
  fileprivate var byteCount: Int {
    switch self {
    case .access(.write(_, _, let bytes)), .access(.writeRemotely(_, _, let bytes)): bytes.bytes.count
    case .access(.read(_, _, let count)), .access(.readRemotely(_, _, let count)): count
    default: 0
    }
  }

  /// What an access does first on pages that are not mapped as it needs them: a step for each page.
  fileprivate var faults: [RaceStep] {
    switch self {
    case .access(.read(let space, let address, let count)):
      Self.steps(address, count) { address, _ in
        .space(.advise(space: space, PageRange(address: address & ~4095, pages: 1), .populateRead))
      }.map { RaceStep(statement: $0.statement) }
    case .access(.write(let space, let address, let bytes)):
      Self.steps(address, bytes.bytes.count) { address, _ in
        .space(.advise(space: space, PageRange(address: address & ~4095, pages: 1), .populateWrite))
      }.map { RaceStep(statement: $0.statement) }
    default: []
    }
  }

  /// What a remote access to one page does in turn: it pins the page, copies, and gives the page back. Nil for other
  /// statements.
  fileprivate func pinAndCopy(_ name: String) -> (pin: RaceStep, rest: [RaceStep])? {
    func pin(_ space: String, _ address: UInt64, _ options: Set<PinOption>) -> RaceStep {
      RaceStep(
        statement: .pin(.pin(name: name, space: space, PageRange(address: address & ~4095, pages: 1), options)))
    }
    func rest(_ copy: Statement, dirty: Bool) -> [RaceStep] {
      [
        RaceStep(statement: copy, continues: true),
        RaceStep(statement: .pin(.release(name: name, dirty: dirty)), continues: true),
      ]
    }
    switch self {
    case .access(.readRemotely(let space, let address, let count)) where Int(address % 4096) + count <= 4096:
      let copy = Statement.pin(.peek(name: name, offset: Int(address % 4096), count: count))
      return (pin(space, address, []), rest(copy, dirty: false))
    case .access(.writeRemotely(let space, let address, let bytes))
    where Int(address % 4096) + bytes.bytes.count <= 4096:
      let copy = Statement.pin(.poke(name: name, offset: Int(address % 4096), bytes))
      return (pin(space, address, [.write]), rest(copy, dirty: true))
    default: return nil
    }
  }

  /// The steps of the statement, with `pins` divided into their pages.
  fileprivate func steps(_ pins: [String: Int]) -> [RaceStep] {
    switch self {
    case .access(.read(let space, let address, let count)):
      Self.steps(address, count) { .access(.read(space: space, address: $0, count: $1.count)) }
    case .access(.readRemotely(let space, let address, let count)):
      Self.steps(address, count) { .access(.readRemotely(space: space, address: $0, count: $1.count)) }
    case .access(.write(let space, let address, let bytes)):
      Self.steps(address, bytes.bytes.count) {
        .access(.write(space: space, address: $0, ByteString(Array(bytes.bytes[$1]))))
      }
    case .access(.writeRemotely(let space, let address, let bytes)):
      Self.steps(address, bytes.bytes.count) {
        .access(.writeRemotely(space: space, address: $0, ByteString(Array(bytes.bytes[$1]))))
      }
    case .space(.protect(let space, let range, let permission)):
      Self.steps(range, stopsAtFailure: true) { .space(.protect(space: space, $0, permission)) }
    case .space(.advise(let space, let range, let advice)):
      Self.steps(range, stopsAtFailure: advice == .populateRead || advice == .populateWrite) {
        .space(.advise(space: space, $0, advice))
      }
    case .pin(.pin(let name, let space, let range, let options)) where range.pages > 1:
      Self.steps(range, stopsAtFailure: true, numbered: name) {
        .pin(.pin(name: $1, space: space, $0, options))
      }
    case .pin(.get(let name, let space, let range, let options)) where range.pages > 1:
      Self.steps(range, stopsAtFailure: true, numbered: name) {
        .pin(.get(name: $1, space: space, $0, options))
      }
    case .pin(.release(let name, let dirty)):
      if let pages = pins[name] {
        (0..<pages).map { RaceStep(statement: .pin(.release(name: "\(name).\($0)", dirty: dirty))) }
      } else {
        [RaceStep(statement: self)]
      }
    case .pin(.peek(let name, let offset, let count)) where pins[name] != nil:
      [RaceStep(statement: .pin(.peek(name: "\(name).\(offset / 4096)", offset: offset % 4096, count: count)))]
    case .pin(.poke(let name, let offset, let bytes)) where pins[name] != nil:
      [RaceStep(statement: .pin(.poke(name: "\(name).\(offset / 4096)", offset: offset % 4096, bytes)))]
    default: [RaceStep(statement: self)]
    }
  }

  /// A step for each page of an access.
  private static func steps(
    _ address: UInt64, _ count: Int, part: (UInt64, Range<Int>) -> Statement
  ) -> [RaceStep] {
    var steps: [RaceStep] = []
    var done = 0
    repeat {
      let start = address + UInt64(done)
      let length = min(count - done, 4096 - Int(start % 4096))
      steps.append(RaceStep(statement: part(start, done..<done + length), continues: done > 0))
      done += length
    } while done < count
    return steps
  }

  /// A step for each page of a range. `numbered` is the name that each step has with its page's number.
  private static func steps(
    _ range: PageRange, stopsAtFailure: Bool, numbered name: String = "", part: (PageRange, String) -> Statement
  ) -> [RaceStep] {
    if range.pages <= 1 { return [RaceStep(statement: part(range, name))] }
    return (0..<range.pages).map { page in
      let address = range.address + UInt64(page) * 4096
      return RaceStep(
        statement: part(PageRange(address: address, pages: 1), "\(name).\(page)"), continues: stopsAtFailure && page > 0
      )
    }
  }

  private static func steps(
    _ range: PageRange, stopsAtFailure: Bool, part: (PageRange) -> Statement
  ) -> [RaceStep] {
    steps(range, stopsAtFailure: stopsAtFailure) { range, _ in part(range) }
  }
}
