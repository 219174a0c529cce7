import Measuring
import UserPages

/// Reads the log of an interrupted run and says where it ends and what is wrong with it. Changes nothing.
///
/// A log ends at its first block that is not a whole one of this generation. That is as it should be in one case only:
/// the block is the *torn tail*, the write that the crash interrupted, which no commit was reported for. So it must lie
/// beyond what the header says was synchronised, and no more may follow it than the rest of one write. Everything else
/// is damage:
///
/// - The log file is missing, or shorter than the space that the header says it took.
/// - Block 0 does not name this database and this generation.
/// - A block is invalid below the synchronised length.
/// - A whole block of this generation follows the block at which the log ends. A write goes out after the one before it
///   has returned, so the earlier block had been whole.
/// - Bytes other than zero follow further away than one write reaches.
/// - A block is whole but of another run or database: the log was empty when this run began.
/// - A record does not follow the one before it, or names a row that does not exist.
///
/// A killed process leaves a tail of one block or of none, because the kernel completes a write in order. A power
/// failure may in addition leave the blocks of its last write in any order; without `--sync`, those of several writes.
/// Then a block may be missing before one that is there. The scan calls that damage too: whether commits were reported
/// for it cannot be told.
struct LogScan {
  /// Blocks that can be replayed, block 0 among them.
  private(set) var blocks = 0
  private(set) var transactions = 0
  private(set) var lastLSN: UInt64
  private(set) var historyPages = 1
  /// What is wrong, in words; nil if the log ends as a log may end.
  private(set) var damage: String?

  private let log: LockedFile
  private let superblock: Superblock
  private let geometry: Geometry
  private let block = AlignedMemory(pages: 1)

  init(_ log: LockedFile, _ superblock: Superblock, _ geometry: Geometry) throws(Failure) {
    self.log = log
    self.superblock = superblock
    self.geometry = geometry
    lastLSN = superblock.baseLSN
    let size = try log.byteCount
    if size < superblock.reservedBlocks * Page.size {
      damage = "\(log.path) has \(size) bytes, \(superblock.reservedBlocks * Page.size) were taken for it"
    }
    try scan(size / Page.size)
  }

  private mutating func scan(_ count: Int) throws(Failure) {
    while blocks < count {
      try read(blocks)
      let name = "\(Self.name(blocks)) of \(log.path)"
      switch content(of: blocks) {
      case .records(let records):
        var checked = self
        if let problem = checked.check(records) { return note("\(name) is corrupted: \(problem)") }
        self = checked
        blocks += 1
        if blocks > LogBlock.first && records < LogBlock.recordsPerBlock {
          return try judgeEnd(count, "\(name) has only \(records) records")
        }
      case .foreign(let stamp, let place) where blocks < LogBlock.first:
        note("\(name) is not of this log: \(describe(stamp, place))")
        blocks += 1
      case .invalid where blocks < LogBlock.first:
        note("\(name) is invalid")
        blocks += 1
      case .foreign, .invalid:
        return try judgeEnd(count, "\(name) is invalid")
      }
    }
    try judgeEnd(count, "\(log.path) ends with block \(blocks - 1)")
  }

  /// Decides whether the log may end before block `blocks`, where it ends for the reason `end`.
  private mutating func judgeEnd(_ count: Int, _ end: String) throws(Failure) {
    if blocks < superblock.synchronisedBlocks {
      note("\(end), though its first \(superblock.synchronisedBlocks) blocks had been synchronised")
    }
    var number = blocks
    while damage == nil, let data = try log.firstData(from: number * Page.size) {
      number = data / Page.size
      guard number < count else { return }
      try read(number)
      switch content(of: number) {
      case .invalid where number < blocks + LogWriter.areaPages || block.bytes.allSatisfy({ $0 == 0 }): break
      case .invalid:
        note("\(end), but \(Self.name(number)) has bytes of a later write")
      case .records:
        note("\(end), but \(Self.name(number)) is a whole one of the same generation")
      case .foreign(let stamp, let place):
        note("\(Self.name(number)) of \(log.path) is not of this log: \(describe(stamp, place))")
      }
      number += 1
    }
  }

  private func describe(_ stamp: LogStamp, _ place: UInt64) -> String {
    if stamp.identity != superblock.identity { return "it belongs to another database" }
    if stamp.generation != superblock.generation {
      return "it is of generation \(stamp.generation), the database of generation \(superblock.generation)"
    }
    return "it is block \(place)"
  }

  /// The records of a whole block: consecutive, each for rows that exist. Returns what is wrong.
  private mutating func check(_ records: Int) -> String? {
    for slot in 0..<records {
      let record = UnsafeRawPointer(block.address + LogBlock.offset(ofSlot: slot))
      let lsn = record.load(as: UInt64.self)
      guard lsn == lastLSN + 1 else { return "record \(lsn) follows \(lastLSN)" }
      for change in LogRecord.tables.indices {
        guard let (location, _) = LogRecord.change(change, of: record, geometry) else {
          return "record \(lsn) names no row of the \(LogRecord.tables[change].name)"
        }
        let pages = location.page - geometry.historyStart + 1
        guard pages <= Geometry.historyPages(for: transactions) else {
          return "record \(lsn) names page \(location.page), far beyond the history"
        }
        historyPages = max(historyPages, pages)
      }
      lastLSN = lsn
      transactions += 1
    }
    return nil
  }

  /// Calls `body` with each record that can be replayed.
  func forEachRecord(_ body: (UnsafeRawPointer) throws(Failure) -> Void) throws(Failure) {
    for number in LogBlock.first..<max(LogBlock.first, blocks) {
      try read(number)
      guard case .records(let records) = content(of: number) else {
        throw Failure("\(log.path) changed while it was read")
      }
      for slot in 0..<records { try body(UnsafeRawPointer(block.address + LogBlock.offset(ofSlot: slot))) }
    }
  }

  private func read(_ number: Int) throws(Failure) {
    try log.read(UnsafeMutableRawBufferPointer(block.bytes), at: number * Page.size)
  }

  private func content(of number: Int) -> LogBlock.Content {
    LogBlock.content(block.address, superblock.stamp, number: number)
  }

  /// The first thing that is wrong says most: others follow from it.
  private mutating func note(_ problem: String) {
    if damage == nil { damage = problem }
  }

  private static func name(_ block: Int) -> String { "block \(block) (offset \(block * Page.size))" }
}
