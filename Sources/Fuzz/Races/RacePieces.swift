import Scenario

/// What an outcome says about each page.
///
/// If a statement over several pages is no single step, each page of it may be in another order. Then what one page
/// shows must be what some order could do to that page. A page is known by its address, or by its number in a file.
///
/// A cut of a file empties the entries of one space after another. In a pair with a cut the same address in two spaces
/// is two pages.
struct RacePieces: Hashable {
  enum Page: Hashable {
    case address(UInt64, space: String)
    case file(String, Int)
    /// The result of a statement that is done as a whole.
    case whole(Int)
  }

  /// The answers about each page, in the order of the statements. Nil: the statement failed, and does not say at which
  /// page.
  private(set) var pages: [Page: [String?]] = [:]

  /// Where the pages of a pin are.
  struct PinnedPlace {
    var address: UInt64
    var space: String
  }

  /// - Parameter answers: one for each statement of `statements`.
  init(_ statements: [Statement], _ answers: [String], pins: [String: PinnedPlace]) {
    let isCut = statements.contains(where: \.cutsFile)
    for (index, (statement, answer)) in zip(statements, answers).enumerated() {
      for (page, piece) in Self.pieces(statement, answer, index, pins) {
        if !isCut, case .address(let number, _) = page {
          pages[.address(number, space: ""), default: []].append(piece)
        } else {
          pages[page, default: []].append(piece)
        }
      }
    }
  }

  /// Whether what this outcome says about `page` agrees with what `other` says.
  func agrees(with other: RacePieces, about page: Page) -> Bool {
    let (mine, theirs) = (pages[page] ?? [], other.pages[page] ?? [])
    return mine.count == theirs.count && zip(mine, theirs).allSatisfy { $0 == nil || $1 == nil || $0 == $1 }
  }

  /// The first page of each pin of a pair.
  static func pins(of pair: RacePair) -> [String: PinnedPlace] {
    var pins: [String: PinnedPlace] = [:]
    for statement in pair.setup + pair.halves.flatMap({ $0 }) {
      switch statement {
      case .pin(.pin(let name, let space, let range, _)), .pin(.get(let name, let space, let range, _)):
        pins[name] = PinnedPlace(address: range.address, space: space)
      default: break
      }
    }
    return pins
  }

  private static func pieces(
    _ statement: Statement, _ answer: String, _ index: Int, _ pins: [String: PinnedPlace]
  ) -> [(Page, String?)] {
    switch statement {
    case .access(.read(let space, let address, let count)), .access(.readRemotely(let space, let address, let count)):
      split(address, count, in: space, answer)
    case .access(.write(let space, let address, let bytes)), .access(.writeRemotely(let space, let address, let bytes)):
      spread(PageRange(address: address, pages: pages(address, bytes.bytes.count)), in: space, answer)
    case .space(.protect(let space, let range, _)), .space(.advise(let space, let range, _)):
      spread(range, in: space, answer)
    case .space(.unmap(let space, let range)) where range.pages == 1: spread(range, in: space, answer)
    case .space(.map(let map)) where map.range.pages == 1: spread(map.range, in: map.space, answer)
    case .pin(.pin(_, let space, let range, _)), .pin(.get(_, let space, let range, _)):
      granted(range, in: space, answer)
    case .pin(.peek(let name, let offset, let count)):
      if let pin = pins[name] {
        split(pin.address + UInt64(offset), count, in: pin.space, answer)
      } else {
        [(.whole(index), answer)]
      }
    case .pin(.poke(let name, let offset, _)):
      if let pin = pins[name] {
        [(.address((pin.address + UInt64(offset)) / 4096, space: pin.space), answer)]
      } else {
        [(.whole(index), answer)]
      }
    case .access(.readFile(let name, let offset, _)), .access(.writeFile(let name, let offset, _)):
      [(.file(name, offset / 4096), answer)]
    default: [(.whole(index), answer)]
    }
  }

  private static func pages(_ address: UInt64, _ count: Int) -> Int {
    (Int(address % 4096) + max(count, 1) + 4095) / 4096
  }

  /// The same answer for each page, if it is known to be that.
  private static func spread(_ range: PageRange, in space: String, _ answer: String) -> [(Page, String?)] {
    let isKnown = range.pages == 1 || answer == "ok"
    return (0..<range.pages).map { (.address(range.address / 4096 + UInt64($0), space: space), isKnown ? answer : nil) }
  }

  /// The bytes of each page, if there are as many as wanted.
  private static func split(_ address: UInt64, _ count: Int, in space: String, _ answer: String) -> [(Page, String?)] {
    let pages = pages(address, count)
    if pages == 1 { return [(.address(address / 4096, space: space), answer)] }
    let isWhole = answer.count == count * 2
    var rest = answer[...]
    return (0..<pages).map { page in
      let start = page == 0 ? address : (address / 4096 + UInt64(page)) * 4096
      let length = min(Int(4096 - start % 4096), Int(address) + count - Int(start)) * 2
      defer { rest = rest.dropFirst(length) }
      return (.address(start / 4096, space: space), isWhole ? String(rest.prefix(length)) : nil)
    }
  }

  /// Which pages a pin has, of which only the number is told.
  private static func granted(_ range: PageRange, in space: String, _ answer: String) -> [(Page, String?)] {
    let number = Int(answer) ?? 0
    return (0..<range.pages).map { page in
      let piece = page < number ? "pinned" : page == number ? "refused" : nil
      return (.address(range.address / 4096 + UInt64(page), space: space), piece)
    }
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
