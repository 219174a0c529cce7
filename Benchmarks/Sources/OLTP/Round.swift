import Histogram
import Measuring
import Synchronization
import UserPages

/// What one engine did in one round.
struct RoundResult: Sendable {
  var engine: PinEngine
  var threads: Int
  var seconds: Double
  var transactions: Int
  var latency: Histogram<UInt64>
  var fast: Int
  var slow: Int
  /// The share of the agents' time that pins and releases took, from 0 to 1.
  var pinShare: Double
  /// Processor time of a transaction, which a busy machine changes less than the time that passes.
  var processorMicroseconds: Double
  /// Seconds of warm-up and measured time together. What follows was counted in both.
  var elapsed: Double
  var sortAreas: Int
  var misses: Int
  var writeBacks: Int
  var logWrites: Int
  var logPages: Int
  var committed: Int
  /// The sum of all history after the round.
  var historySum: Int64 = 0
  /// What is off in the books; nil if they balance.
  var imbalance: String?

  var tps: Double { Double(transactions) / seconds }
}

/// One engine's turn: a fresh address space, an empty page cache, a warm-up, the measured time, and the audit of the
/// books.
struct Round {
  let options: Options
  let mode: IOMode
  let database: DatabaseFile
  let machine: PhysicalMemory
  let engine: PinEngine
  let number: Int
  /// The sum of all history before this round.
  let carried: Int64

  /// Blocks of the log's copy in memory before it starts over.
  private static let memoryLogBlocks = 256
  /// Room for history in the database's copy in memory: 32 GiB of addresses, not of memory.
  private static let memoryHistoryPages = 8 << 20

  func run(progress: (String) -> Void) throws(Failure) -> RoundResult {
    let space = AddressSpace(machine, engine: engine)
    defer { space.exit() }
    let logFile = mode == .memory ? nil : try database.beginRun(carried: carried)
    let storage = try openStorage()
    let log = try openLog(space, logFile)
    let mapped = try MappedDatabase(space, storage, log, database.geometry, pages: options.pool)
    let control = RunControl(firstHistoryPage: database.geometry.historyStart + 1)
    do throws(Failure) {
      var result = try measure(mapped, control, progress)
      progress("auditing")
      try audit(mapped, storage, control, &result)
      if result.imbalance != nil { mapped.store.abandon() }
      return result
    } catch {
      mapped.store.abandon()
      throw error
    }
  }

  private func openStorage() throws(Failure) -> Storage {
    guard mode == .memory else { return try Storage(database.file, mode: mode) }
    try database.checkReplacement()
    let geometry = database.geometry
    let storage = try Storage(memoryPages: geometry.historyStart + Self.memoryHistoryPages)
    guard let memory = storage.memory, let base = memory.baseAddress else { throw Failure("no copy in memory") }
    let fixed = memory[..<(geometry.historyStart * Page.size)]
    try database.file.read(UnsafeMutableRawBufferPointer(rebasing: fixed), at: 0)
    Loader.firstHistoryPage(
      of: geometry, carried: carried, lsn: database.superblock.baseLSN,
      at: base + geometry.historyStart * Page.size)
    return storage
  }

  private func openLog(_ space: AddressSpace, _ file: LockedFile?) throws(Failure) -> LogWriter {
    let (stamp, base) = (database.superblock.stamp, database.superblock.baseLSN)
    if let file {
      let storage = try Storage(file, mode: mode, synchronous: options.sync)
      return try LogWriter(space, storage, stamp, baseLSN: base) {
        [database] (fullBlocks, reservedBlocks) throws(Failure) in
        try database.growLog(fullBlocks: fullBlocks, reservedBlocks: reservedBlocks)
      }
    }
    let blocks = Self.memoryLogBlocks
    let storage = try Storage(memoryPages: blocks + LogWriter.areaPages)
    return try LogWriter(space, storage, stamp, baseLSN: base, wrap: blocks)
  }

  private struct Tally {
    var transactions = 0
    var committed = 0
    var latency = Histogram<UInt64>(highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)
    var meter = PinMeter()
    var processorTime: UInt64 = 0
    var sortAreas = 0
  }

  private func measure(
    _ mapped: MappedDatabase, _ control: RunControl, _ progress: (String) -> Void
  ) throws(Failure) -> RoundResult {
    let tally = MutexBox(Tally())
    let (options, number) = (options, number)
    let threads = try ThreadGroup(options.threads + options.writers + 1) { index in
      if index < options.threads {
        let seed = options.seed &+ UInt64(number) << 32 &+ UInt64(index) << 16
        var agent = Agent(database: mapped, control: control, seed: seed)
        agent.run()
        let (measured, committed, latency, meter) = (agent.measured, agent.committed, agent.latency, agent.meter)
        let processorTime = agent.processorTime
        tally.withLock {
          $0.transactions += measured
          $0.committed += committed
          $0.latency.add(latency)
          $0.meter.add(meter)
          $0.processorTime += processorTime
        }
      } else if index == options.threads + options.writers {
        Cleaner(cache: mapped.cache).run(control)
      } else {
        let slot = index - options.threads
        var writer = SortWriter(space: mapped.space, index: slot, pages: options.sortPages, rate: options.sortRate)
        writer.run(control)
        let areas = writer.areas
        tally.withLock { $0.sortAreas += areas }
      }
    }
    let opened = Clock.now()
    threads.open()
    Self.wait(options.warmup, control) { progress("warming up") }
    let before = mapped.space.counters
    control.measuring.raise()
    let began = Clock.now()
    Self.wait(options.seconds, control) { progress("\((Double(Clock.now() - began) / 1e9).fixed(1)) s") }
    let ended = Clock.now()
    let after = mapped.space.counters
    control.stop.raise()
    threads.join()
    try control.check()
    let total = tally.withLock { $0 }
    let seconds = Double(ended - began) / 1e9
    return RoundResult(
      engine: engine, threads: options.threads, seconds: seconds, transactions: total.transactions,
      latency: total.latency, fast: after.fast - before.fast, slow: after.slow - before.slow,
      pinShare: total.meter.estimated / (seconds * 1e9 * Double(options.threads)),
      processorMicroseconds: Double(total.processorTime) / 1000 / Double(max(1, total.transactions)),
      elapsed: Double(ended - opened) / 1e9, sortAreas: total.sortAreas,
      misses: mapped.store.misses.load(ordering: .relaxed),
      writeBacks: mapped.store.writeBacks.load(ordering: .relaxed),
      logWrites: mapped.log.writes.load(ordering: .relaxed), logPages: mapped.log.pagesWritten.load(ordering: .relaxed),
      committed: total.committed)
  }

  /// Sleeps in short steps, so that a failing run ends soon and the progress line moves.
  private static func wait(_ seconds: Double, _ control: RunControl, _ step: () -> Void) {
    let end = Clock.now() + UInt64(seconds * 1e9)
    while !control.stop.isRaised {
      let now = Clock.now()
      if now >= end { return }
      step()
      Clock.sleep(nanoseconds: min(100_000_000, end - now))
    }
  }

  /// Reads the books in memory, flushes, and reads them back from the file.
  private func audit(
    _ mapped: MappedDatabase, _ storage: Storage, _ control: RunControl, _ result: inout RoundResult
  ) throws(Failure) {
    let committed = result.committed
    let historyPages = control.nextHistoryPage.load(ordering: .relaxed) - database.geometry.historyStart
    let inMemory = try Books.read(mapped, historyPages: historyPages)
    result.historySum = inMemory.history
    result.imbalance = inMemory.imbalance(transactions: committed).map { "in memory: \($0)" }
    // If the books are off, the file stays as it is: `clean` in its header would be a lie.
    guard result.imbalance == nil else { return }
    try mapped.finish(pages: database.geometry.historyStart + historyPages)
    try writeOut(storage, historyPages: historyPages, lastLSN: mapped.log.lastLSN)
    database.file.dropCache()
    let inFile = try Books.read(file: database.file, geometry: database.geometry, historyPages: historyPages)
    result.imbalance = inFile.imbalance(transactions: committed).map { "in \(database.path): \($0)" }
    if result.imbalance == nil && inFile != inMemory {
      result.imbalance = "\(database.path) and memory balance, but not to the same sums"
    }
  }

  private func writeOut(_ storage: Storage, historyPages: Int, lastLSN: UInt64) throws(Failure) {
    guard let memory = storage.memory else {
      return try database.close(historyPages: historyPages, lastLSN: lastLSN, carried: carried)
    }
    let size = (database.geometry.historyStart + historyPages) * Page.size
    try database.replace(historyPages: historyPages, lastLSN: lastLSN, carried: carried) {
      (file) throws(Failure) in
      try file.write(UnsafeRawBufferPointer(rebasing: memory[..<size]), at: 0)
    }
  }
}

/// A value behind a lock, as a class that threads share.
final class MutexBox<Value: Sendable>: Sendable {
  private let mutex: Mutex<Value>

  init(_ value: Value) {
    mutex = Mutex(value)
  }

  func withLock<R: Sendable>(_ body: @Sendable (inout Value) -> R) -> R {
    mutex.withLock { body(&$0) }
  }
}
