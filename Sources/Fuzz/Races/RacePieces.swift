import Scenario

/// What an outcome, or one order, says about each page.
///
/// If a statement over several pages is no single step, each page of it may be in another order. Then what one page
/// shows must be what some order could do to that page. A page is known by its address, or by its number in a file.
struct RacePieces: Hashable {
  enum Page: Hashable {
    case address(UInt64, space: String)
    case file(String, Int)
    /// The result of a statement that is done as a whole.
    case whole(Int)
  }

  /// What a statement did at one page.
  enum Piece: Hashable {
    case done(String)
    /// It failed with this error. Nil: the statement's answer does not tell with which.
    case failed(String?)
  }

  /// What was done at each page, in the order of the statements. Nil in an outcome: the statement failed, and does not
  /// say whether it came to this page. Nil in an order: the step was skipped.
  private(set) var pages: [Page: [Piece?]] = [:]
  /// The errors of an outcome's statements that failed at their first page, or do not say at which, by the statements'
  /// numbers.
  private(set) var errors: [Int: String] = [:]

  /// An outcome.
  ///
  /// - Parameter answers: one for each statement of `statements`.
  init(_ statements: [Statement], _ answers: [String], _ places: RacePlaces) {
    for (number, (statement, answer)) in zip(statements, answers).enumerated() {
      let pieces = places.pieces(statement, answer, number)
      switch pieces.first {
      case (_, .failed(.some))?, (_, nil)?: errors[number] = answer
      default: break
      }
      append(pieces)
    }
  }

  /// One order: the answers of its steps, and of the looks.
  init(_ halves: [(DividedStatement, steps: [String])], _ looks: [(Statement, String)], _ places: RacePlaces) {
    for (number, (statement, steps)) in halves.enumerated() { append(places.pieces(statement, steps, number)) }
    for (number, (look, answer)) in looks.enumerated() { append(places.pieces(look, answer, halves.count + number)) }
  }

  private mutating func append(_ pieces: RacePlaces.Pieces) {
    for (page, piece) in pieces { pages[page, default: []].append(piece) }
  }

  /// Whether what this outcome says about `page` is what `order` did there.
  ///
  /// A step that the order skipped did nothing. It agrees with no statement that came to the page.
  func agrees(with order: RacePieces, about page: Page) -> Bool {
    let (shown, done) = (pages[page] ?? [], order.pages[page] ?? [])
    return shown.count == done.count
      && zip(shown, done).allSatisfy { shown, done in
        switch (shown, done) {
        case (nil, _), (.failed(nil), .failed): true
        default: shown == done
        }
      }
  }
}

/// Where the statements of a pair are: the pages of each, and what its answer says about them.
struct RacePlaces {
  typealias Pieces = [(RacePieces.Page, RacePieces.Piece?)]

  /// The first page of each pin.
  private var pins: [String: (space: String, address: UInt64)] = [:]
  /// A cut of a file empties the entries of one space after another. In a pair with a cut the same address in two
  /// spaces is two pages.
  private let hasCut: Bool

  init(_ pair: RacePair) {
    let statements = pair.halves.flatMap { $0 }
    hasCut = (statements + pair.looks).contains(where: \.cutsFile)
    for statement in pair.setup + statements {
      switch statement {
      case .pin(.pin(let name, let space, let range, _)), .pin(.get(let name, let space, let range, _)):
        pins[name] = (space, range.address)
      default: break
      }
    }
  }

  /// The page of an address.
  func page(of address: UInt64, in space: String) -> RacePieces.Page {
    .address(address / 4096, space: hasCut ? space : "")
  }

  /// What the steps of a statement did in one order, at each page.
  func pieces(_ divided: DividedStatement, _ answers: [String], _ number: Int) -> Pieces {
    let whole = pieces(divided.statement, divided.composed(answers), number)
    guard whole.count > 1, whole.count == divided.steps.count else { return whole }
    return zip(divided.steps, answers).flatMap { step, answer in
      pieces(step.statement, answer, number).map { ($0.0, answer == RaceStep.skipped ? nil : $0.1) }
    }
  }

  /// What a statement's answer says about each of its pages.
  func pieces(_ statement: Statement, _ answer: String, _ number: Int) -> Pieces {
    switch statement {
    case .access(.read(let space, let address, let count)):
      return split(address, count, in: space, statement, answer)
    case .access(.readRemotely(let space, let address, let count)):
      return split(address, count, in: space, statement, answer)
    case .access(.write(let space, let address, let bytes)):
      return spread(Self.lengths(address, bytes.bytes.count).map(\.address), in: space, statement, answer)
    case .access(.writeRemotely(let space, let address, let bytes)):
      return counted(address, bytes.bytes.count, in: space, statement, answer)
    case .space(.protect(let space, let range, _)), .space(.advise(let space, let range, _)):
      return spread(Self.addresses(range), in: space, statement, answer)
    case .space(.unmap(let space, let range)) where range.pages == 1:
      return spread([range.address], in: space, statement, answer)
    case .space(.map(let map)) where map.range.pages == 1:
      return spread([map.range.address], in: map.space, statement, answer)
    case .pin(.pin(_, let space, let range, _)), .pin(.get(_, let space, let range, _)):
      return granted(range, in: space, answer)
    case .pin(.peek(let name, let offset, let count)):
      if let pin = pins[name] { return split(pin.address + UInt64(offset), count, in: pin.space, statement, answer) }
    case .pin(.poke(let name, let offset, _)):
      if let pin = pins[name] { return spread([pin.address + UInt64(offset)], in: pin.space, statement, answer) }
    case .access(.readFile(let name, let offset, _)), .access(.writeFile(let name, let offset, _)):
      return [(.file(name, offset / 4096), Self.piece(statement, answer))]
    default: break
    }
    return [(.whole(number), Self.piece(statement, answer))]
  }

  /// What the answer of a statement about one page says.
  private static func piece(_ statement: Statement, _ answer: String) -> RacePieces.Piece {
    RaceStep(statement: statement).hasFailed(answer) ? .failed(answer) : .done(answer)
  }

  /// The same at each page, if it is known to be that.
  private func spread(
    _ addresses: [UInt64], in space: String, _ statement: Statement, _ answer: String
  ) -> Pieces {
    let isKnown = addresses.count == 1 || answer == "ok"
    return addresses.map { (page(of: $0, in: space), isKnown ? Self.piece(statement, answer) : nil) }
  }

  /// The bytes of each page. A remote access reads up to the page at which it fails, others read all or nothing.
  private func split(
    _ address: UInt64, _ count: Int, in space: String, _ statement: Statement, _ answer: String
  ) -> Pieces {
    let lengths = Self.lengths(address, count)
    let hasFailed = RaceStep(statement: statement).hasFailed(answer)
    if lengths.count == 1 || hasFailed {
      return failed(lengths.map(\.address), in: space, statement, answer)
    }
    var rest = answer[...]
    return stopping(lengths, in: space) { length in
      defer { rest = rest.dropFirst(length * 2) }
      return rest.isEmpty ? nil : String(rest.prefix(length * 2))
    }
  }

  /// How far a remote store came: its answer is a number of bytes, unless it stored all or none.
  private func counted(
    _ address: UInt64, _ count: Int, in space: String, _ statement: Statement, _ answer: String
  ) -> Pieces {
    let lengths = Self.lengths(address, count)
    guard lengths.count > 1, var rest = answer == "ok" ? count : Int(answer) else {
      return failed(lengths.map(\.address), in: space, statement, answer)
    }
    return stopping(lengths, in: space) { length in
      defer { rest -= length }
      return rest <= 0 ? nil : rest >= length ? "ok" : "\(rest) bytes"
    }
  }

  /// Which pages a pin has. Its answer is their number, or an error if it has none.
  private func granted(_ range: PageRange, in space: String, _ answer: String) -> Pieces {
    let number = Int(answer) ?? 0
    return Self.addresses(range).enumerated().map { index, address in
      let piece: RacePieces.Piece? =
        index < number ? .done("1") : index == number ? .failed(number == 0 ? answer : nil) : nil
      return (page(of: address, in: space), piece)
    }
  }

  /// A statement that failed. A load does not say at which page; a remote access would have come further beyond the
  /// first.
  private func failed(
    _ addresses: [UInt64], in space: String, _ statement: Statement, _ answer: String
  ) -> Pieces {
    let isLoad = if case .access(.read) = statement { addresses.count > 1 } else { false }
    return addresses.enumerated().map { index, address in
      (page(of: address, in: space), index == 0 && !isLoad ? Self.piece(statement, answer) : nil)
    }
  }

  /// Pages in turn, up to the one at which `part` has no more answer: there the statement failed.
  private func stopping(
    _ lengths: [(address: UInt64, count: Int)], in space: String, part: (Int) -> String?
  ) -> Pieces {
    var hasStopped = false
    return lengths.map { address, count in
      if hasStopped { return (page(of: address, in: space), nil) }
      let answer = part(count)
      hasStopped = answer == nil
      return (page(of: address, in: space), answer.map { .done($0) } ?? .failed(nil))
    }
  }

  private static func addresses(_ range: PageRange) -> [UInt64] {
    (0..<max(range.pages, 0)).map { range.address + UInt64($0) * 4096 }
  }

  /// The parts of an access: where each begins, and how many bytes it has in its page.
  private static func lengths(_ address: UInt64, _ count: Int) -> [(address: UInt64, count: Int)] {
    var (parts, done): ([(UInt64, Int)], Int) = ([], 0)
    repeat {
      let start = address + UInt64(done)
      let length = min(count - done, 4096 - Int(start % 4096))
      parts.append((start, length))
      done += length
    } while done < count
    return parts
  }
}

extension Statement {
  fileprivate var cutsFile: Bool {
    switch self {
    case .file(.truncate), .file(.punch): true
    default: false
    }
  }
}
