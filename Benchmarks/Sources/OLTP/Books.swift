import Measuring
import UserPages

/// The sums of the four tables, which agree if no transaction was lost, repeated or torn.
struct Books: Equatable {
  var branches: Int64 = 0
  var tellers: Int64 = 0
  var accounts: Int64 = 0
  var history: Int64 = 0
  var historyRows = 0
  /// Whether a balance or a sum is larger than any that transactions can have made.
  private var isOutOfRange = false

  mutating func add(_ balance: Int64, _ kind: PageKind) {
    switch kind {
    case .branches: isOutOfRange = Self.add(balance, to: &branches) || isOutOfRange
    case .tellers: isOutOfRange = Self.add(balance, to: &tellers) || isOutOfRange
    case .accounts: isOutOfRange = Self.add(balance, to: &accounts) || isOutOfRange
    case .history:
      isOutOfRange = Self.add(balance, to: &history) || isOutOfRange
      historyRows += 1
    case .superblock: break
    }
  }

  /// Adds without trapping, as a file with valid checksums may hold any number. Returns whether one is out of range.
  private static func add(_ balance: Int64, to sum: inout Int64) -> Bool {
    let limit = UInt64(Superblock.largestBalance)
    let (total, overflowed) = sum.addingReportingOverflow(balance)
    sum = total
    return overflowed || balance.magnitude > limit || total.magnitude > limit
  }

  /// What is off, in words; nil if the books balance. `transactions`, if known, is how many rows history got.
  func imbalance(transactions: Int?) -> String? {
    var problems: [String] = []
    if isOutOfRange { problems.append("a balance or a sum of them is beyond \(Superblock.largestBalance)") }
    let sums = [("tellers", tellers), ("branches", branches), ("history", history)]
    for (name, sum) in sums where sum != accounts {
      problems.append("accounts sum to \(accounts) but \(name) to \(sum) (off by \(sum &- accounts))")
    }
    if let transactions, historyRows != transactions + 1 {
      problems.append(
        "history has \(historyRows - 1) rows of this run but \(transactions) transactions committed")
    }
    return problems.isEmpty ? nil : problems.joined(separator: "; ")
  }

  /// Adds the rows of the page at `address`, in ordinary memory.
  mutating func add(page address: UnsafeRawPointer, _ kind: PageKind) {
    let rows = Int(address.load(fromByteOffset: PageHeader.rowsOffset, as: UInt64.self))
    for slot in 0..<min(rows, Geometry.rowsPerPage) {
      add(Row.balance(at: address + RowLocation(page: 0, slot: slot).offset), kind)
    }
  }

  /// Reads the whole database with plain file I/O, and verifies the checksum, number and kind of each page.
  static func read(file: LockedFile, geometry: Geometry, historyPages: Int) throws(Failure) -> Books {
    let end = geometry.historyStart + historyPages
    let size = try file.byteCount
    if size != end * Page.size {
      throw Failure("\(file.path) has \(size) bytes where \(end * Page.size) are expected")
    }
    var books = Books()
    let chunk = AlignedMemory(pages: Loader.pagesPerWrite)
    var page = 0
    while page < end {
      let count = min(Loader.pagesPerWrite, end - page)
      try file.read(UnsafeMutableRawBufferPointer(rebasing: chunk.bytes[..<(count * Page.size)]), at: page * Page.size)
      for index in 0..<count {
        let address = UnsafeRawPointer(chunk.address + index * Page.size)
        let kind = geometry.kind(of: page + index)
        if let defect = PageHeader.defect(address, number: page + index, kind: kind) {
          throw Failure("\(file.path) is corrupted: \(defect)")
        }
        if kind != .superblock { books.add(page: address, kind) }
      }
      page += count
    }
    return books
  }

  /// Reads the whole database through its mapping. No other thread may use it meanwhile.
  static func read(_ database: MappedDatabase, historyPages: Int) throws(Failure) -> Books {
    var books = Books()
    for page in 1..<database.geometry.historyStart + historyPages { try books.add(page, of: database) }
    return books
  }

  private mutating func add(_ page: Int, of database: MappedDatabase) throws(Failure) {
    let kind = database.geometry.kind(of: page)
    do throws(PageError) {
      let rows = Int(clamping: try database.word(of: page, at: PageHeader.rowsOffset))
      for slot in 0..<min(rows, Geometry.rowsPerPage) {
        add(try database.row(at: RowLocation(page: page, slot: slot)).balance, kind)
      }
      let named = try database.word(of: page, at: PageHeader.numberOffset)
      if named == UInt64(page) { return }
    } catch {
      try database.store.check()
      throw Failure("cannot read page \(page) in memory", error)
    }
    throw Failure("in memory, page \(page) says that it is another one")
  }
}
