import Glibc
import UserPages

/// Replays the log of an interrupted run with plain file I/O.
///
/// Each record carries whole rows, and each page the sequence number of its last change, so replaying what a page
/// already has does nothing, and replaying twice is replaying once.
struct Recovery {
  struct Outcome {
    var transactions = 0
    var historyPages = 1
    var lastSequence: UInt64
  }

  let file: PlainFile
  let geometry: Geometry
  let superblock: Superblock
  let logPath: String

  func replay() throws(Failure) -> Outcome {
    try firstHistoryPage()
    var outcome = Outcome(lastSequence: superblock.baseSequence)
    guard PlainFile.exists(logPath) else { return outcome }
    let log = try PlainFile(path: logPath, flags: O_RDONLY)
    let blocks = try log.byteCount / Page.size
    let block = AlignedMemory(pages: 1)
    let page = AlignedMemory(pages: 1)
    for number in 0..<blocks {
      try log.read(UnsafeMutableRawBufferPointer(block.bytes), at: number * Page.size)
      guard let count = LogBlock.validCount(block.address, epoch: superblock.epoch, number: number) else { break }
      for slot in 0..<count {
        let record = UnsafeRawPointer(block.address + LogBlock.offset(ofSlot: slot))
        let sequence = record.load(as: UInt64.self)
        guard sequence == outcome.lastSequence + 1 else {
          throw Failure("\(logPath) is corrupted: record \(sequence) follows \(outcome.lastSequence)")
        }
        for change in 0..<LogRecord.changes {
          let page = try apply(LogRecord.change(change, of: record), sequence, through: page)
          outcome.historyPages = max(outcome.historyPages, page - geometry.historyStart + 1)
        }
        outcome.lastSequence = sequence
        outcome.transactions += 1
      }
      if count < LogBlock.recordsPerBlock { break }
    }
    try fillGaps(upTo: outcome.historyPages)
    return outcome
  }

  /// The run may have ended before it cut the old history off.
  private func firstHistoryPage() throws(Failure) {
    let page = AlignedMemory(pages: 1)
    Loader.firstHistoryPage(
      of: geometry, carried: superblock.carried, sequence: superblock.baseSequence, at: page.address)
    try file.write(UnsafeRawBufferPointer(page.bytes), at: geometry.historyStart * Page.size)
  }

  /// Applies one change, returns its page.
  private func apply(
    _ change: (location: RowLocation, row: UnsafeRawPointer)?, _ sequence: UInt64, through page: AlignedMemory
  ) throws(Failure) -> Int {
    guard let (location, row) = change, location.page > 0 else {
      throw Failure("\(logPath) is corrupted: record \(sequence) names no row")
    }
    let address = page.address
    try read(location.page, into: page)
    let changed = address.load(fromByteOffset: PageHeader.sequenceOffset, as: UInt64.self)
    guard changed < sequence else { return location.page }
    (address + location.offset).copyMemory(from: row, byteCount: Geometry.rowSize)
    address.storeBytes(of: sequence, toByteOffset: PageHeader.sequenceOffset, as: UInt64.self)
    let rows = address.load(fromByteOffset: PageHeader.rowsOffset, as: UInt64.self)
    address.storeBytes(
      of: max(rows, UInt64(location.slot + 1)), toByteOffset: PageHeader.rowsOffset, as: UInt64.self)
    PageHeader.seal(address)
    try file.write(UnsafeRawBufferPointer(page.bytes), at: location.page * Page.size)
    return location.page
  }

  private func read(_ number: Int, into page: AlignedMemory) throws(Failure) {
    let kind = geometry.kind(of: number)
    let size = try file.byteCount
    if kind == .history && (number + 1) * Page.size > size {
      PageHeader.format(page.address, kind: kind, number: number)
      return
    }
    try file.read(UnsafeMutableRawBufferPointer(page.bytes), at: number * Page.size)
    let sequence = page.address.load(fromByteOffset: PageHeader.sequenceOffset, as: UInt64.self)
    if let defect = PageHeader.defect(page.address, number: number, kind: kind) {
      // History beyond what was written back: a hole, or a page whose write was cut short. All its rows are in the log.
      guard kind == .history else { throw Failure("\(file.path) is corrupted: \(defect)") }
      PageHeader.format(page.address, kind: kind, number: number)
    } else if kind == .history && number > geometry.historyStart && sequence <= superblock.baseSequence {
      PageHeader.format(page.address, kind: kind, number: number)  // left over from an earlier run
    }
  }

  /// Pages of history that an agent had taken but not yet written a committed row to.
  private func fillGaps(upTo historyPages: Int) throws(Failure) {
    let page = AlignedMemory(pages: 1)
    for number in geometry.historyStart + 1..<geometry.historyStart + max(1, historyPages) {
      try read(number, into: page)
      let rows = page.address.load(fromByteOffset: PageHeader.rowsOffset, as: UInt64.self)
      guard rows == 0 else { continue }
      PageHeader.seal(page.address)
      try file.write(UnsafeRawBufferPointer(page.bytes), at: number * Page.size)
    }
    try file.truncate(to: (geometry.historyStart + historyPages) * Page.size)
  }
}
