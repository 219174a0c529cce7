import Scenario

/// What an outcome says about each page.
///
/// If a statement over several pages is no single step, each page of it may be in another order. Then what one page shows must be
/// what some order could do to that page. A page is known by its address, or by its number in a file.
struct RacePieces: Hashable {
  enum Page: Hashable {
    case address(UInt64)
    case file(String, Int)
    /// The result of a statement that is done as a whole.
    case whole(Int)
  }

  /// The answers about each page, in the order of the statements. Nil: the statement failed, and does not say at which page.
  private(set) var pages: [Page: [String?]] = [:]

  /// - Parameter answers: one for each statement of `statements`.
  init(_ statements: [Statement], _ answers: [String], pins: [String: UInt64]) {
    for (index, (statement, answer)) in zip(statements, answers).enumerated() {
      for (page, piece) in Self.pieces(statement, answer, index, pins) { pages[page, default: []].append(piece) }
    }
  }

  /// Whether what this outcome says about `page` agrees with what `other` says.
  func agrees(with other: RacePieces, about page: Page) -> Bool {
    let (mine, theirs) = (pages[page] ?? [], other.pages[page] ?? [])
    return mine.count == theirs.count && zip(mine, theirs).allSatisfy { $0 == nil || $1 == nil || $0 == $1 }
  }

  /// The address of the first page of each pin of a pair.
  static func pins(of pair: RacePair) -> [String: UInt64] {
    var pins: [String: UInt64] = [:]
    for statement in pair.setup + pair.halves.flatMap({ $0 }) {
      switch statement {
      case .pin(.pin(let name, _, let range, _)), .pin(.get(let name, _, let range, _)): pins[name] = range.address
      default: break
      }
    }
    return pins
  }

  private static func pieces(
    _ statement: Statement, _ answer: String, _ index: Int, _ pins: [String: UInt64]
  ) -> [(Page, String?)] {
    switch statement {
    case .access(.read(_, let address, let count)), .access(.readRemotely(_, let address, let count)):
      split(address, count, answer)
    case .access(.write(_, let address, let bytes)), .access(.writeRemotely(_, let address, let bytes)):
      spread(PageRange(address: address, pages: pages(address, bytes.bytes.count)), answer)
    case .space(.protect(_, let range, _)), .space(.advise(_, let range, _)): spread(range, answer)
    case .space(.unmap(_, let range)) where range.pages == 1: spread(range, answer)
    case .space(.map(let map)) where map.range.pages == 1: spread(map.range, answer)
    case .pin(.pin(_, _, let range, _)), .pin(.get(_, _, let range, _)): granted(range, answer)
    case .pin(.peek(let name, let offset, let count)) where pins[name] != nil:
      split((pins[name] ?? 0) + UInt64(offset), count, answer)
    case .pin(.poke(let name, let offset, _)) where pins[name] != nil:
      [(.address(((pins[name] ?? 0) + UInt64(offset)) / 4096), answer)]
    case .access(.readFile(let name, let offset, _)), .access(.writeFile(let name, let offset, _)):
      [(.file(name, offset / 4096), answer)]
    default: [(.whole(index), answer)]
    }
  }

  private static func pages(_ address: UInt64, _ count: Int) -> Int {
    (Int(address % 4096) + max(count, 1) + 4095) / 4096
  }

  /// The same answer for each page, if it is known to be that.
  private static func spread(_ range: PageRange, _ answer: String) -> [(Page, String?)] {
    let isKnown = range.pages == 1 || answer == "ok"
    return (0..<range.pages).map { (.address(range.address / 4096 + UInt64($0)), isKnown ? answer : nil) }
  }

  /// The bytes of each page, if there are as many as wanted.
  private static func split(_ address: UInt64, _ count: Int, _ answer: String) -> [(Page, String?)] {
    let pages = pages(address, count)
    if pages == 1 { return [(.address(address / 4096), answer)] }
    let isWhole = answer.count == count * 2
    var rest = answer[...]
    return (0..<pages).map { page in
      let start = page == 0 ? address : (address / 4096 + UInt64(page)) * 4096
      let length = min(Int(4096 - start % 4096), Int(address) + count - Int(start)) * 2
      defer { rest = rest.dropFirst(length) }
      return (.address(start / 4096), isWhole ? String(rest.prefix(length)) : nil)
    }
  }

  /// Which pages a pin has, of which only the number is told.
  private static func granted(_ range: PageRange, _ answer: String) -> [(Page, String?)] {
    let number = Int(answer) ?? 0
    return (0..<range.pages).map { page in
      let piece = page < number ? "pinned" : page == number ? "refused" : nil
      return (.address(range.address / 4096 + UInt64(page)), piece)
    }
  }
}
