/// A part of a scenario that runs as a whole. Numbers are indices of lines.
enum Block: Equatable {
  case line(Int)
  /// The two halves of a `par`. All their lines are plain statements.
  case halves(Range<Int>, Range<Int>)
  /// The blocks of a `repeat`, none of which is a `repeat`.
  case repeated(times: Int, [Block])

  /// The blocks of `lines` in order.
  ///
  /// - Throws: the first line that stands in a wrong place, or the beginning of a block without an `end`.
  static func blocks(of lines: [ScenarioLine]) throws(BlockError) -> [Block] {
    var reader = BlockReader()
    for (index, line) in lines.enumerated() { try reader.read(line, index) }
    return try reader.finish()
  }
}

/// The line that has a wrong place in its block, and why.
struct BlockError: Error, Equatable {
  var line: Int
  var message: String
}

/// Reads the lines of a file from top to bottom and gathers its blocks.
private struct BlockReader {
  private struct Repeat {
    var line: Int
    var times: Int
    var blocks: [Block] = []
  }

  private struct Par {
    var line: Int
    /// The index of the first half's first line.
    var first: Int
    /// The index of the second half's first line, once there was an `and`.
    var second: Int?
  }

  private var blocks: [Block] = []
  private var openRepeat: Repeat?
  private var openPar: Par?

  mutating func read(_ line: ScenarioLine, _ index: Int) throws(BlockError) {
    func refusal(_ message: String) -> BlockError { BlockError(line: line.number, message: message) }
    guard case .block(let statement) = line.statement else {
      if openPar == nil { append(.line(index)) }
      return
    }
    switch statement {
    case .par:
      if let openPar { throw refusal("a par cannot stand in the par of line \(openPar.line)") }
      openPar = Par(line: line.number, first: index + 1)
    case .and:
      guard let openPar else { throw refusal("'and' stands outside a par") }
      if openPar.second != nil { throw refusal("the par of line \(openPar.line) has two halves already") }
      self.openPar?.second = index + 1
    case .repeat(let times):
      if let openPar { throw refusal("a repeat cannot stand in the par of line \(openPar.line)") }
      if let openRepeat { throw refusal("a repeat cannot stand in the repeat of line \(openRepeat.line)") }
      openRepeat = Repeat(line: line.number, times: times)
    case .end:
      if let par = openPar {
        guard let second = par.second else { throw refusal("the par of line \(par.line) has no 'and'") }
        openPar = nil
        append(.halves(par.first..<second - 1, second..<index))
      } else if let whole = openRepeat {
        openRepeat = nil
        append(.repeated(times: whole.times, whole.blocks))
      } else {
        throw refusal("'end' ends nothing")
      }
    }
  }

  func finish() throws(BlockError) -> [Block] {
    if let openPar { throw BlockError(line: openPar.line, message: "the par has no 'end'") }
    if let openRepeat { throw BlockError(line: openRepeat.line, message: "the repeat has no 'end'") }
    return blocks
  }

  private mutating func append(_ block: Block) {
    if openRepeat != nil { openRepeat?.blocks.append(block) } else { blocks.append(block) }
  }
}
