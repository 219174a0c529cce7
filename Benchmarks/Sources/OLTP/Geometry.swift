import UserPages

/// Where rows are. A database is a superblock, then branches, tellers and accounts, in numbers that follow from the
/// scale as in TPC-B, then history, which grows to the end of the file.
struct Geometry: Equatable, Sendable {
  static let rowSize = 100
  static let rowsPerPage = (Page.size - PageHeader.size) / rowSize
  static let tellersPerBranch = 10
  static let accountsPerBranch = 100_000
  static let largestScale = 10_000
  /// More pages than any file has. A number of pages that a file claims is compared with it, so that sums do not
  /// overflow.
  static let largestFile: UInt64 = 1 << 40
  /// The most agents that a run may have.
  static let largestAgents = 256

  let scale: Int
  let tellerStart: Int
  let accountStart: Int
  let historyStart: Int

  init(scale: Int) {
    self.scale = scale
    func pages(_ rows: Int) -> Int { (rows + Self.rowsPerPage - 1) / Self.rowsPerPage }
    tellerStart = 1 + pages(scale)
    accountStart = tellerStart + pages(scale * Self.tellersPerBranch)
    historyStart = accountStart + pages(scale * Self.accountsPerBranch)
  }

  /// The most pages of history that agents can have begun when `transactions` are in the log: full ones, and two for
  /// each agent. An agent has one page that is not full, and may begin the next one before its row is logged.
  static func historyPages(for transactions: Int) -> Int { 1 + transactions / rowsPerPage + 2 * largestAgents }

  var branches: Int { scale }
  var tellers: Int { scale * Self.tellersPerBranch }
  var accounts: Int { scale * Self.accountsPerBranch }

  /// Row `index` of the table with the first page `start`.
  @inline(__always)
  static func location(_ index: Int, from start: Int) -> RowLocation {
    let (page, slot) = index.quotientAndRemainder(dividingBy: rowsPerPage)
    return RowLocation(page: start + page, slot: slot)
  }

  /// The table that a page belongs to.
  func kind(of page: Int) -> PageKind {
    if page == 0 { return .superblock }
    if page < tellerStart { return .branches }
    if page < accountStart { return .tellers }
    return page < historyStart ? .accounts : .history
  }

  /// How many rows the loader puts into `page` of a table with a fixed number of rows.
  func loadedRows(in page: Int) -> Int {
    switch kind(of: page) {
    case .superblock, .history: 0
    case .branches: min(Self.rowsPerPage, branches - (page - 1) * Self.rowsPerPage)
    case .tellers: min(Self.rowsPerPage, tellers - (page - tellerStart) * Self.rowsPerPage)
    case .accounts: min(Self.rowsPerPage, accounts - (page - accountStart) * Self.rowsPerPage)
    }
  }
}

struct RowLocation: Sendable {
  var page: Int
  var slot: Int

  /// Where the row begins in its page.
  @inline(__always)
  var offset: Int { PageHeader.size + slot * Geometry.rowSize }
}

enum PageKind: UInt32, Sendable {
  case superblock = 0
  case branches, tellers, accounts, history

  var name: String { "\(self)" }
}
