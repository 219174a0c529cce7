import CSQLite3
import Glibc
import Measuring
import Synchronization

/// A connection with the statements of one kind of work.
final class Client: @unchecked Sendable {
  // Sendable: used by one thread at a time.
  /// A code of SQLite's that it never returns: an answer is not what is in the database.
  static let wrongAnswer: Int32 = -1

  /// The next row of history, for all clients of the process.
  static let nextHistory = Atomic(0)

  let connection: Connection
  private let work: Work
  private let bank: Bank
  private var random: XorShift
  private let begin, beginWriting, commit: Statement
  private let point, scan: Statement
  private let account, balance, teller, branch, history: Statement

  /// - Parameter work: `tpcb` for the client that writes beside readers.
  init(_ connection: Connection, _ bank: Bank, _ work: Work, seed: UInt64) throws(Failure) {
    self.connection = connection
    self.work = work
    self.bank = bank
    random = XorShift(seed: seed)
    begin = try Statement(connection, "BEGIN")
    beginWriting = try Statement(connection, "BEGIN IMMEDIATE")
    commit = try Statement(connection, "COMMIT")
    point = try Statement(connection, "SELECT number FROM account WHERE id=?1")
    scan = try Statement(connection, "SELECT count(*), sum(number) FROM account WHERE id BETWEEN ?1 AND ?2")
    account = try Statement(connection, "UPDATE account SET balance=balance+?2 WHERE id=?1")
    balance = try Statement(connection, "SELECT balance FROM account WHERE id=?1")
    teller = try Statement(connection, "UPDATE teller SET balance=balance+?2 WHERE id=?1")
    branch = try Statement(connection, "UPDATE branch SET balance=balance+?2 WHERE id=?1")
    history = try Statement(
      connection, "INSERT OR REPLACE INTO history VALUES(?1, ?2, ?3, ?4, ?5, zeroblob(22))")
  }

  /// Runs one transaction. Returns SQLite's result code.
  func transact() -> Int32 {
    while true {
      let code = attempt()
      if code == SQLITE_OK { return code }
      if sqlite3_get_autocommit(connection.handle) == 0 { sqlite3_exec(connection.handle, "ROLLBACK", nil, nil, nil) }
      // Another connection of a shared cache has the table. SQLite does not wait for it.
      guard code & 0xff == SQLITE_LOCKED else { return code }
      sched_yield()
    }
  }

  private func attempt() -> Int32 {
    switch work {
    case .points, .besideWriter: return readPoint()
    case .points100:
      var code = begin.run()
      for _ in 0..<Work.pointsOfTransaction where code == SQLITE_OK { code = readPoint() }
      return code == SQLITE_OK ? commit.run() : code
    case .scan: return readRange()
    case .tpcb: return debitCredit()
    }
  }

  private func readPoint() -> Int32 {
    let id = bank.drawAccount(&random)
    point.bind(1, id)
    let code = point.step()
    let isRight = code == SQLITE_ROW && point.column(0) == Bank.number(ofAccount: id)
    let ended = point.reset()
    return isRight ? SQLITE_OK : ended == SQLITE_OK ? Self.wrongAnswer : ended
  }

  private func readRange() -> Int32 {
    let count = min(Work.rowsOfScan, bank.accounts)
    let first = min(bank.drawAccount(&random), bank.accounts - count + 1)
    let last = first + count - 1
    scan.bind(1, first)
    scan.bind(2, last)
    let code = scan.step()
    let expected = count * (Bank.number(ofAccount: first) + Bank.number(ofAccount: last)) / 2
    let isRight = code == SQLITE_ROW && scan.column(0) == count && scan.column(1) == expected
    let ended = scan.reset()
    return isRight ? SQLITE_OK : ended == SQLITE_OK ? Self.wrongAnswer : ended
  }

  private func debitCredit() -> Int32 {
    let id = bank.drawAccount(&random)
    let tellerID = 1 + random.below(bank.branches * Bank.tellersPerBranch)
    let branchID = (tellerID - 1) / Bank.tellersPerBranch + 1
    let amount = random.below(1_999_999) - 999_999
    let row = 1 + Self.nextHistory.wrappingAdd(1, ordering: .relaxed).oldValue % Bank.historyRows
    for (statement, key) in [(account, id), (teller, tellerID), (branch, branchID)] {
      statement.bind(1, key)
      statement.bind(2, amount)
    }
    balance.bind(1, id)
    for (index, value) in [row, tellerID, branchID, id, amount].enumerated() { history.bind(Int32(index + 1), value) }
    for statement in [beginWriting, account, balance, teller, branch, history, commit] {
      let code = statement.run()
      if code != SQLITE_OK { return code }
    }
    return SQLITE_OK
  }
}
