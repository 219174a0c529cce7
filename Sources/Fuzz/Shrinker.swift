import Scenario

/// Makes a scenario that shows a difference as small as it gets.
public struct Shrinker {
  private let comparer: Comparer

  public init(_ comparer: Comparer) { self.comparer = comparer }

  /// The smallest scenario found that still shows a difference, not necessarily the same one.
  public func shrink(_ difference: Difference) throws(KernelOracle.Problem) -> Difference {
    var best = difference
    // What comes after the difference does not matter, unless only the end shows it.
    if best.leak == nil, let shorter = try attempt(Array(best.file.lines.prefix(best.place + 1))) { best = shorter }
    var improved = true
    while improved {
      improved = false
      var piece = max(best.file.lines.count / 2, 1)
      while piece >= 1 {
        if try removePieces(of: piece, from: &best) { improved = true }
        piece /= 2
      }
      if try simplifyLines(of: &best) { improved = true }
    }
    return best
  }

  /// Tries to leave out each run of `count` lines. Returns whether one could go.
  private func removePieces(of count: Int, from best: inout Difference) throws(KernelOracle.Problem) -> Bool {
    var improved = false
    var end = best.file.lines.count
    while end > 0 {
      let start = max(end - count, 0)
      var lines = best.file.lines
      lines.removeSubrange(start..<min(end, lines.count))
      if lines.count < best.file.lines.count, let smaller = try attempt(lines) {
        best = smaller
        improved = true
        end = min(start, best.file.lines.count)
      } else {
        end -= count
      }
    }
    return improved
  }

  private func simplifyLines(of best: inout Difference) throws(KernelOracle.Problem) -> Bool {
    var improved = false
    for index in best.file.lines.indices {
      for simpler in best.file.lines[index].statement.simplifications {
        var lines = best.file.lines
        guard lines.indices.contains(index) else { break }
        lines[index].statement = simpler
        guard let smaller = try attempt(lines), smaller.file.lines.count == lines.count else { continue }
        best = smaller
        improved = true
        break
      }
    }
    return improved
  }

  /// The difference that these lines show, if they are a scenario and show one.
  private func attempt(_ lines: [ScenarioLine]) throws(KernelOracle.Problem) -> Difference? {
    let text = lines.map { "\($0.statement)\n" }.joined()
    // Names may have lost what made them.
    guard let file = try? ScenarioParser().parse(text: text, path: "shrunk") else { return nil }
    if case .different(let difference) = try comparer.compare(file) { return difference }
    return nil
  }
}

extension Statement {
  /// Statements that say less, the simplest first.
  fileprivate var simplifications: [Statement] {
    switch self {
    case .access(.write(let space, let address, let bytes)) where bytes.bytes.count > 1:
      [.access(.write(space: space, address: address, ByteString([bytes.bytes[0]])))]
    case .access(.read(let space, let address, let count)) where count > 1:
      [.access(.read(space: space, address: address, count: 1))]
    case .pin(.poke(let name, let offset, let bytes)) where bytes.bytes.count > 1:
      [.pin(.poke(name: name, offset: offset, ByteString([bytes.bytes[0]])))]
    case .pin(.peek(let name, let offset, let count)) where count > 1:
      [.pin(.peek(name: name, offset: offset, count: 1))]
    case .pin(.pin(let name, let space, let range, let options)):
      range.shorter.map { .pin(.pin(name: name, space: space, $0, options)) }
    case .pin(.get(let name, let space, let range, let options)):
      range.shorter.map { .pin(.get(name: name, space: space, $0, options)) }
    case .space(.map(let map)):
      map.range.shorter.map { range in
        var shorter = map
        shorter.range = range
        return .space(.map(shorter))
      }
    case .space(.protect(let space, let range, let permission)):
      range.shorter.map { .space(.protect(space: space, $0, permission)) }
    case .space(.advise(let space, let range, let advice)):
      range.shorter.map { .space(.advise(space: space, $0, advice)) }
    case .space(.unmap(let space, let range)):
      range.shorter.map { .space(.unmap(space: space, $0)) }
    case .space(.remap(let space, let range, let target)) where range.pages == target.pages:
      range.shorter.map {
        .space(.remap(space: space, $0, to: PageRange(address: target.address, pages: $0.pages)))
      }
    default: []
    }
  }
}

extension PageRange {
  fileprivate var shorter: [PageRange] {
    guard pages > 1 else { return [] }
    // Halves, for a range may be very long.
    return [1, pages / 2, pages - 1].prefix(pages > 32 ? 2 : 3).map { PageRange(address: address, pages: $0) }
  }
}
