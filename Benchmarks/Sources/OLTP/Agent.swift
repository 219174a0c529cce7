import Histogram
import Measuring
import Synchronization
import UserPages

/// What the threads of one run share besides the pool.
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
  let pool: BufferPool
  let control: RunControl
  var random: XorShift
  var meter = PinMeter()
  var latency = Histogram<UInt64>(highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)
  /// Transactions committed in the measured time, and in the whole run.
  var measured = 0
  var committed = 0
  /// Processor time that this thread used in the measured time, in nanoseconds.
  var processorTime: UInt64 = 0
  private var historyFrame = -1
  private var historyPage = 0
  private var historySlot = Geometry.rowsPerPage

  init(pool: BufferPool, control: RunControl, seed: UInt64) {
    self.pool = pool
    self.control = control
    random = XorShift(seed: seed)
  }

  mutating func run() {
    do throws(Failure) {
      var isMeasuring = false
      var began = Clock.now()
      while !control.stop.isRaised {
        try transact(at: began)
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
    if historyFrame >= 0 { pool.unfix(historyFrame) }
  }

  /// Runs one transaction of TPC-B: an account, a teller and a branch change by one amount, and history gets a row.
  ///
  /// 85 in 100 transactions are for an account of the teller's own branch.
  mutating func transact(at time: UInt64) throws(Failure) {
    let geometry = pool.geometry
    let teller = random.below(geometry.tellers)
    let branch = teller / Geometry.tellersPerBranch
    let isLocal = random.below(100) < 85 || geometry.branches == 1
    let home = isLocal ? branch : (branch + 1 + random.below(geometry.branches - 1)) % geometry.branches
    let account = home * Geometry.accountsPerBranch + random.below(Geometry.accountsPerBranch)
    let amount = Int64(random.below(1_999_999)) - 999_999
    let history = try nextHistoryRow()

    let branchAt = Geometry.location(branch, from: 1)
    let tellerAt = Geometry.location(teller, from: geometry.tellerStart)
    let accountAt = Geometry.location(account, from: geometry.accountStart)
    let accountFrame = try pool.fix(accountAt.page, &meter)
    defer { pool.unfix(accountFrame) }
    let tellerFrame = try pool.fix(tellerAt.page, &meter)
    defer { pool.unfix(tellerFrame) }
    let branchFrame = try pool.fix(branchAt.page, &meter)
    defer { pool.unfix(branchFrame) }

    let lsn = try latched(branchFrame, tellerFrame, accountFrame) { (agent) throws(Failure) in
      var record = LogRecord()
      do throws(PageError) {
        try record.setChange(0, branchAt, agent.pool.add(amount, to: branchFrame, branchAt))
        try record.setChange(1, tellerAt, agent.pool.add(amount, to: tellerFrame, tellerAt))
        try record.setChange(2, accountAt, agent.pool.add(amount, to: accountFrame, accountAt))
        let row = Row(teller: teller, branch: branch, account: account, amount: amount, time: time)
        try agent.pool.put(row, rows: history.slot + 1, into: agent.historyFrame, history)
        record.setChange(3, history, row)
      } catch { throw Failure("cannot reach a row", error) }
      let lsn = try agent.pool.log.append(&record, &agent.meter)
      do throws(PageError) {
        try agent.pool.markChanged(branchFrame, lsn)
        try agent.pool.markChanged(tellerFrame, lsn)
        try agent.pool.markChanged(accountFrame, lsn)
        try agent.pool.markChanged(agent.historyFrame, lsn)
      } catch { throw Failure("cannot reach a page header", error) }
      return lsn
    }
    try pool.log.flush(upTo: lsn, &meter)
  }

  /// The next free row of history. Each agent fills pages of its own, so that agents do not meet on one latch.
  private mutating func nextHistoryRow() throws(Failure) -> RowLocation {
    if historySlot == Geometry.rowsPerPage {
      if historyFrame >= 0 { pool.unfix(historyFrame) }
      historyFrame = -1
      historyPage = control.nextHistoryPage.wrappingAdd(1, ordering: .relaxed).oldValue
      historyFrame = try pool.fixNew(historyPage, &meter)
      historySlot = 0
    }
    defer { historySlot += 1 }
    return RowLocation(page: historyPage, slot: historySlot)
  }

  /// Runs `body` with the latches of the transaction's four pages. Their tables lie in this order in the file, so every agent
  /// latches in the order of page numbers and no two wait for each other.
  @inline(__always)
  private mutating func latched(
    _ branch: Int, _ teller: Int, _ account: Int, _ body: (inout Agent) throws(Failure) -> UInt64
  ) throws(Failure) -> UInt64 {
    let history = historyFrame
    let branchIsValid = pool.latch(branch)
    defer { pool.unlatch(branch) }
    let tellerIsValid = pool.latch(teller)
    defer { pool.unlatch(teller) }
    let accountIsValid = pool.latch(account)
    defer { pool.unlatch(account) }
    let historyIsValid = pool.latch(history)
    defer { pool.unlatch(history) }
    guard branchIsValid && tellerIsValid && accountIsValid && historyIsValid else {
      throw Failure("a page that another agent was reading could not be read")
    }
    return try body(&self)
  }
}

extension BufferPool {
  /// Adds to the balance of a row, and returns the row with the new balance. The caller holds the latch.
  @inline(__always)
  func add(_ amount: Int64, to frame: Int, _ location: RowLocation) throws(PageError) -> Row {
    var row = Row()
    let place = address(of: frame) + location.offset
    do {
      var span = row.words.mutableSpan
      var bytes = span.mutableBytes
      try space.load(at: place, into: &bytes)
    }
    row.balance &+= amount  // Never overflows: opening the database checked the range.
    try space.store(row.words.span.bytes, at: place)
    return row
  }

  /// Writes a new row of history, and the number of rows that its page has now. The caller holds the latch.
  @inline(__always)
  func put(_ row: Row, rows: Int, into frame: Int, _ location: RowLocation) throws(PageError) {
    let start = address(of: frame)
    try space.store(row.words.span.bytes, at: start + location.offset)
    try space.store(UInt64(rows), at: start + PageHeader.rowsOffset)
  }
}
