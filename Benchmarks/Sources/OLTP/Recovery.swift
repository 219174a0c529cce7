import Measuring
import UserPages

/// Replays the log of an interrupted run with plain file I/O.
///
/// Each record carries whole rows, and each page the sequence number of its last change, so replaying what a page
/// already has does nothing, and replaying twice is replaying once.
///
/// First everything is read and judged, then everything is written. Damage ends recovery before the first write, so
/// that what was found is still there to be looked at. `LogScan` says what damage to a log is. Two kinds need the
/// pages:
///
/// - There is no log: a database that is not marked clean has one.
/// - A page was changed by a record that the log does not have. A page is written back after its log, so the log had
///   it.
///
/// If recovery is forced, it replays what `LogScan` accepts and keeps what the pages have.
struct Recovery {
  struct Outcome {
    var transactions = 0
    var historyPages = 1
    var lastLSN: UInt64
    /// What was passed over because recovery was forced.
    var damage: String?
  }

  let file: LockedFile
  let geometry: Geometry
  let superblock: Superblock
  /// nil if there is none.
  let log: LockedFile?
  let logPath: String

  func run(forced: Bool) throws(Failure) -> Outcome {
    let scan = try log.map { (log) throws(Failure) in try LogScan(log, superblock, geometry) }
    var outcome = Outcome(lastLSN: superblock.baseLSN)
    if let scan {
      outcome = Outcome(
        transactions: scan.transactions, historyPages: scan.historyPages, lastLSN: scan.lastLSN,
        damage: scan.damage)
    } else {
      outcome.damage = "\(file.path) was not closed, and its log \(logPath) is missing (ENOENT)"
    }
    try judgePages(&outcome)
    if let damage = outcome.damage, !forced {
      throw Failure(
        """
        \(damage)
        Committed transactions may be lost, so \(file.path) is left as it is. --force-recovery goes on with what is there.
        """)
    }
    try writeFirstHistoryPage()
    let page = AlignedMemory(pages: 1)
    try scan?.forEachRecord { (record) throws(Failure) in
      for change in LogRecord.tables.indices {
        guard let change = LogRecord.change(change, of: record, geometry) else { continue }
        try apply(change, record.load(as: UInt64.self), through: page)
      }
    }
    try fillGaps(upTo: outcome.historyPages)
    return outcome
  }

  /// Looks at every page: whether it is whole, and whether the log has its last change.
  private func judgePages(_ outcome: inout Outcome) throws(Failure) {
    let end = outcome.lastLSN
    let count = try file.byteCount / Page.size
    let chunk = AlignedMemory(pages: Loader.pagesPerWrite)
    for start in stride(from: 1, to: count, by: Loader.pagesPerWrite) {
      let pages = min(Loader.pagesPerWrite, count - start)
      try file.read(
        UnsafeMutableRawBufferPointer(rebasing: chunk.bytes[..<(pages * Page.size)]), at: start * Page.size)
      for number in start..<start + pages {
        let address = UnsafeRawPointer(chunk.address + (number - start) * Page.size)
        let kind = geometry.kind(of: number)
        if let defect = PageHeader.defect(address, number: number, kind: kind) {
          if isInTheLog(number) { continue }
          throw Failure("\(file.path) is corrupted: \(defect)")
        }
        let lsn = address.load(fromByteOffset: PageHeader.lsnOffset, as: UInt64.self)
        if lsn > end {
          if outcome.damage == nil {
            outcome.damage =
              "page \(number) (offset \(number * Page.size)) of \(file.path) was changed by record \(lsn), "
              + "but \(logPath) ends with record \(end)"
          }
          outcome.lastLSN = max(outcome.lastLSN, min(lsn, Superblock.largestLSN))
        }
        if kind == .history && lsn > superblock.baseLSN {
          outcome.historyPages = max(outcome.historyPages, number - geometry.historyStart + 1)
        }
      }
    }
  }

  /// Whether the log has every row of `page`, which is so for history. If such a page is a hole, or its write was cut
  /// short, it is made anew: the first one from the header, the others from the log.
  private func isInTheLog(_ page: Int) -> Bool { geometry.kind(of: page) == .history }

  /// Writes the row that carries the history forward: the run may have ended before it did.
  private func writeFirstHistoryPage() throws(Failure) {
    let page = AlignedMemory(pages: 1)
    Loader.firstHistoryPage(
      of: geometry, carried: superblock.carried, lsn: superblock.baseLSN, at: page.address)
    try file.write(UnsafeRawBufferPointer(page.bytes), at: geometry.historyStart * Page.size)
  }

  private func apply(
    _ change: (location: RowLocation, row: UnsafeRawPointer), _ lsn: UInt64, through page: AlignedMemory
  ) throws(Failure) {
    let (location, row) = change
    let address = page.address
    try read(location.page, into: page)
    let changed = address.load(fromByteOffset: PageHeader.lsnOffset, as: UInt64.self)
    guard changed < lsn else { return }
    (address + location.offset).copyMemory(from: row, byteCount: Geometry.rowSize)
    address.storeBytes(of: lsn, toByteOffset: PageHeader.lsnOffset, as: UInt64.self)
    let rows = address.load(fromByteOffset: PageHeader.rowsOffset, as: UInt64.self)
    address.storeBytes(
      of: max(rows, UInt64(location.slot + 1)), toByteOffset: PageHeader.rowsOffset, as: UInt64.self)
    PageHeader.seal(address)
    try file.write(UnsafeRawBufferPointer(page.bytes), at: location.page * Page.size)
  }

  private func read(_ number: Int, into page: AlignedMemory) throws(Failure) {
    let kind = geometry.kind(of: number)
    let size = try file.byteCount
    if kind == .history && (number + 1) * Page.size > size {
      PageHeader.format(page.address, kind: kind, number: number)
      return
    }
    try file.read(UnsafeMutableRawBufferPointer(page.bytes), at: number * Page.size)
    let lsn = page.address.load(fromByteOffset: PageHeader.lsnOffset, as: UInt64.self)
    if let defect = PageHeader.defect(page.address, number: number, kind: kind) {
      guard isInTheLog(number) else { throw Failure("\(file.path) is corrupted: \(defect)") }
      PageHeader.format(page.address, kind: kind, number: number)
    } else if kind == .history && number > geometry.historyStart && lsn <= superblock.baseLSN {
      PageHeader.format(page.address, kind: kind, number: number)  // Left over from an earlier run.
    }
  }

  /// Makes the pages of history that an agent had begun without committing a row, and cuts the file to its length.
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
