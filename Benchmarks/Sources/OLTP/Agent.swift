import Histogram
import Measuring
import Synchronization
import UserPages

/// What the threads of one run share besides the database.
final class RunControl: Sendable {
  let stop = StopFlag()
  /// Raised when the warm-up is over.
  let measuring = StopFlag()
  let nextHistoryPage: Atomic<Int>
  private let failure = Mutex<Failure?>(nil)

  init(firstHistoryPage: Int) {
    nextHistoryPage = Atomic(firstHistoryPage)
  }

  /// Keeps the first failure, as later ones follow from it, and stops the run.
  func fail(_ error: Failure) {
    failure.withLock { if $0 == nil { $0 = error } }
    stop.raise()
  }

  func check() throws(Failure) {
    if let error = failure.withLock({ $0 }) { throw error }
  }
}

/// One of the database's agents: it runs debit/credit transactions, one after the other.
struct Agent: ~Copyable {
  let database: MappedDatabase
  let control: RunControl
  var random: XorShift
  var meter = PinMeter()
  var latency = Histogram<UInt64>(highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)
  /// Transactions committed in the measured time, and in the whole run.
  var measured = 0
  var committed = 0
  /// Processor time that this thread used in the measured time, in nanoseconds.
  var processorTime: UInt64 = 0
  private var historyPage = 0
  private var historySlot = Geometry.rowsPerPage

  init(database: MappedDatabase, control: RunControl, seed: UInt64) {
    self.database = database
    self.control = control
    random = XorShift(seed: seed)
  }

  mutating func run() {
    do throws(Failure) {
      var isMeasuring = false
      var began = Clock.now()
      while !control.stop.isRaised {
        try transact(at: began)
        try database.store.check()
        committed += 1
        let ended = Clock.now()
        if isMeasuring {
          _ = latency.record(ended - began)
          measured += 1
        } else if control.measuring.isRaised {
          isMeasuring = true
          processorTime = Clock.processorTime()
          meter.reset()
        }
        began = ended
      }
      if isMeasuring { processorTime = Clock.processorTime() - processorTime }
    } catch {
      control.fail(error)
    }
  }

  /// Runs one transaction of TPC-B: an account, a teller and a branch change by one amount, and history gets a row.
  ///
  /// 85 in 100 transactions are for an account of the teller's own branch.
  mutating func transact(at time: UInt64) throws(Failure) {
    let geometry = database.geometry
    let teller = random.below(geometry.tellers)
    let branch = teller / Geometry.tellersPerBranch
    let isLocal = random.below(100) < 85 || geometry.branches == 1
    let home = isLocal ? branch : (branch + 1 + random.below(geometry.branches - 1)) % geometry.branches
    let account = home * Geometry.accountsPerBranch + random.below(Geometry.accountsPerBranch)
    let amount = Int64(random.below(1_999_999)) - 999_999

    // The account first: it is the one that is seldom in memory, and the others are pinned for less time.
    let accountAt = Geometry.location(account, from: geometry.accountStart)
    let tellerAt = Geometry.location(teller, from: geometry.tellerStart)
    let branchAt = Geometry.location(branch, from: 1)
    let historyAt = try nextHistoryRow()
    let accountPin = try database.pin(accountAt.page, &meter)
    let tellerPin = try database.pin(tellerAt.page, &meter)
    let branchPin = try database.pin(branchAt.page, &meter)
    let historyPin = try database.pin(historyAt.page, &meter)
    let row = Row(teller: teller, branch: branch, account: account, amount: amount, time: time)
    let lsn = try change((branchAt, tellerAt, accountAt), by: amount, historyAt, row)
    database.release(historyPin, &meter)
    database.release(branchPin, &meter)
    database.release(tellerPin, &meter)
    database.release(accountPin, &meter)
    try database.log.flush(upTo: lsn, &meter)
  }

  /// The next free row of history. Each agent fills pages of its own, so that agents do not meet on one latch.
  private mutating func nextHistoryRow() throws(Failure) -> RowLocation {
    if historySlot == Geometry.rowsPerPage {
      historyPage = control.nextHistoryPage.wrappingAdd(1, ordering: .relaxed).oldValue
      try database.grow(to: historyPage)
      historySlot = 0
    }
    defer { historySlot += 1 }
    return RowLocation(page: historyPage, slot: historySlot)
  }

  /// Changes the rows of branch, teller and account, and appends `row` to history: the record first. Returns the
  /// record's number.
  ///
  /// The caller has pinned the four pages. Tables lie in this order in the file, so every agent latches in the order of
  /// page numbers, and no two wait for each other.
  @inline(__always)
  private mutating func change(
    _ places: (branch: RowLocation, teller: RowLocation, account: RowLocation), by amount: Int64,
    _ history: RowLocation, _ row: Row
  ) throws(Failure) -> UInt64 {
    database.latch(places.branch.page)
    defer { database.unlatch(places.branch.page) }
    database.latch(places.teller.page)
    defer { database.unlatch(places.teller.page) }
    database.latch(places.account.page)
    defer { database.unlatch(places.account.page) }
    database.latch(history.page)
    defer { database.unlatch(history.page) }
    do throws(PageError) {
      var (branch, teller) = (try database.row(at: places.branch), try database.row(at: places.teller))
      var account = try database.row(at: places.account)
      // Never overflows: opening the database checked the range.
      branch.balance &+= amount
      teller.balance &+= amount
      account.balance &+= amount
      var record = LogRecord()
      record.setChange(0, places.branch, branch)
      record.setChange(1, places.teller, teller)
      record.setChange(2, places.account, account)
      record.setChange(3, history, row)
      let lsn: UInt64
      do throws(Failure) { lsn = try database.log.append(&record, &meter) } catch {
        throw database.store.fail(error, .write)
      }
      database.willChange(places.branch.page, lsn)
      database.willChange(places.teller.page, lsn)
      database.willChange(places.account.page, lsn)
      database.willChange(history.page, lsn)
      try database.store(branch, at: places.branch, lsn)
      try database.store(teller, at: places.teller, lsn)
      try database.store(account, at: places.account, lsn)
      try database.append(row, at: history, lsn)
      return lsn
    } catch {
      try database.store.check()
      throw Failure("cannot reach a row", error)
    }
  }
}
