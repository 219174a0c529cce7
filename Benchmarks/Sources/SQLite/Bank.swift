import CSQLite3
import Glibc
import Measuring

/// The tables of TPC-B in a database file. Readers know what each account's `number` is.
struct Bank: Codable, Sendable {
  static let tellersPerBranch = 10
  static let accountsPerBranch = 100_000
  /// History is a ring of so many rows. So the file stays as long as it is, whatever a subject's rate.
  static let historyRows = 10_000
  /// 80 of 100 accounts are drawn from the last of 20: as in a database where the newest rows are used most.
  private static let hotShare = 20

  let path: String
  var accounts = 0

  var branches: Int { (accounts + Self.accountsPerBranch - 1) / Self.accountsPerBranch }

  static func number(ofAccount id: Int) -> Int { 3 * id + 1 }

  /// Makes a database of about `mebibytes` at `path`, with stock SQLite.
  init(creating path: String, mebibytes: Int) throws(Failure) {
    self.path = path
    let connection = try Connection("file:\(path)")
    try connection.run(
      """
      PRAGMA page_size=4096; PRAGMA synchronous=OFF; PRAGMA journal_mode=OFF;
      CREATE TABLE account(id INTEGER PRIMARY KEY, number, branch, balance, filler);
      CREATE TABLE teller(id INTEGER PRIMARY KEY, branch, balance, filler);
      CREATE TABLE branch(id INTEGER PRIMARY KEY, balance, filler);
      CREATE TABLE history(id INTEGER PRIMARY KEY, teller, branch, account, amount, filler);
      """)
    let chunk = 20_000
    while try connection.number("PRAGMA page_count") < mebibytes << 8 {
      try connection.run(
        """
        WITH RECURSIVE n(i) AS (SELECT \(accounts + 1) UNION ALL SELECT i+1 FROM n WHERE i<\(accounts + chunk))
        INSERT INTO account SELECT i, 3*i+1, (i-1)/\(Self.accountsPerBranch)+1, 0, zeroblob(84) FROM n
        """)
      accounts += chunk
    }
    func fill(_ table: String, _ count: Int, _ columns: String) throws(Failure) {
      try connection.run(
        """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<\(count)) INSERT INTO \(table) SELECT \(columns) FROM n
        """)
    }
    try fill("branch", branches, "i, 0, zeroblob(88)")
    try fill("teller", branches * Self.tellersPerBranch, "i, (i-1)/\(Self.tellersPerBranch)+1, 0, zeroblob(84)")
    try fill("history", Self.historyRows, "i, 0, 0, 0, 0, zeroblob(22)")
  }

  /// An account that a transaction is for.
  @inline(__always)
  func drawAccount(_ random: inout XorShift) -> Int {
    let hot = max(accounts / Self.hotShare, 1)
    return random.below(100) < 80 ? accounts - random.below(hot) : 1 + random.below(accounts)
  }

  /// Has the kernel forget the file's pages, so that each turn begins with none.
  func dropSystemCache() throws(Failure) {
    for end in ["", "-wal"] {
      let file = open(path + end, O_RDWR | O_CLOEXEC)
      if file < 0 { continue }
      defer { close(file) }
      if fdatasync(file) != 0 { throw Failure("synchronise", path + end, errno: errno) }
      posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)
    }
  }

  /// Compares the sums of all balances, and has SQLite look over the file.
  func check() throws(Failure) {
    let connection = try Connection("file:\(path)")
    let sums = try ["account", "teller", "branch"].map { (table) throws(Failure) in
      try connection.number("SELECT sum(balance) FROM \(table)")
    }
    guard Set(sums).count == 1 else { throw Failure("\(path): the balances have the sums \(sums)") }
    guard try connection.number("SELECT count(*) FROM pragma_quick_check() WHERE quick_check<>'ok'") == 0 else {
      throw Failure("\(path): quick_check finds the database damaged")
    }
  }
}
