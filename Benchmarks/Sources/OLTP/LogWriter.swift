import Glibc
import Measuring
import Synchronization
import UserPages

/// The write-ahead log. Agents append records to one of two areas of anonymous memory while the other is written by
/// direct I/O, many pages at once.
///
/// Group commit: the first thread that needs a record on the disk writes all records so far, and the others wait for
/// it. A block that is not full is written again, at the same place, with the records that follow.
final class LogWriter: @unchecked Sendable {
  // Sendable: `state` is reached under the monitor. The area that is being written, and `reservedBlocks`, belong to the
  // thread that set `isFlushing`.
  private struct State {
    /// Records appended in this generation.
    var appended: UInt64 = 0
    /// The area that is appended to, and the number of the block that its first page is.
    var area = 0
    var firstBlock = LogBlock.first
    var failure: Failure?
  }

  static let areaPages = 32
  /// Blocks of disk space that are reserved at once, so that a full disk is met before a record is written half. At the
  /// same moment the blocks before are synchronised. 4 MiB: a killed run leaves little that is not, and a run does not
  /// feel it.
  static let extent = 1024

  /// Reserves disk space up to `reservedBlocks`, and records that the first `fullBlocks` blocks are final.
  typealias Grow = (_ fullBlocks: Int, _ reservedBlocks: Int) throws(Failure) -> Void

  private let space: AddressSpace
  private let storage: Storage
  private let stamp: LogStamp
  private let base: UInt64
  /// Blocks after which a log in memory starts over. A log in a file does not.
  private let wrap: Int
  private let grow: Grow?
  private let monitor = Monitor()
  private let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
  private let isFlushing = Atomic<Bool>(false)
  private var reservedBlocks = extent
  private let durable = Atomic<UInt64>(0)
  /// Log writes and the pages in them.
  let writes = Atomic<Int>(0)
  let pagesWritten = Atomic<Int>(0)

  /// A log in a file, of which the first extent is taken already, grows by `grow`. One without wraps after `wrap`
  /// blocks.
  init(
    _ space: AddressSpace, _ storage: Storage, _ stamp: LogStamp, baseLSN: UInt64, wrap: Int = .max,
    grow: Grow? = nil
  ) throws(Failure) {
    self.space = space
    self.storage = storage
    self.stamp = stamp
    self.wrap = wrap
    self.grow = grow
    base = baseLSN
    state.initialize(to: State())
    let pages = 2 * Self.areaPages
    do {
      try space.map(at: Areas.log, pages: pages, protection: .readWrite)
      try space.advise(at: Areas.log, pages: pages, .populateWrite)
    } catch { throw Failure("cannot map the log's buffers", error) }
  }

  deinit {
    state.deinitialize(count: 1)
    state.deallocate()
  }

  private var flushInProgress: Bool { isFlushing.load(ordering: .relaxed) }

  /// The sequence number of the last record appended.
  var lastLSN: UInt64 {
    monitor.lock()
    defer { monitor.unlock() }
    return base + state.pointee.appended
  }

  /// Gives `record` its sequence number and appends it. The caller holds the latches of the pages that it changes, so
  /// sequence numbers rise in each page.
  func append(_ record: inout LogRecord, _ meter: inout PinMeter) throws(Failure) -> UInt64 {
    monitor.lock()
    while state.pointee.failure == nil, isAreaFull {
      let full = base + state.pointee.appended
      monitor.unlock()
      try flush(upTo: full, &meter)
      monitor.lock()
    }
    defer { monitor.unlock() }
    if let failure = state.pointee.failure { throw failure }
    let (full, slot) = Int(state.pointee.appended).quotientAndRemainder(dividingBy: LogBlock.recordsPerBlock)
    let block = LogBlock.first + full
    let lsn = base + state.pointee.appended + 1
    record.lsn = lsn
    let page = areaAddress(state.pointee.area) + (block - state.pointee.firstBlock) * Page.size
    do {
      try space.store(record.words.span.bytes, at: page + LogBlock.offset(ofSlot: slot))
    } catch { throw Failure("cannot store a log record", error) }
    state.pointee.appended += 1
    return lsn
  }

  private var isAreaFull: Bool {
    LogBlock.first + Int(state.pointee.appended) / LogBlock.recordsPerBlock - state.pointee.firstBlock >= Self.areaPages
  }

  /// Returns once record `lsn` and all before it are written.
  func flush(upTo lsn: UInt64, _ meter: inout PinMeter) throws(Failure) {
    guard lsn > base else { return }
    let wanted = lsn - base
    // The write of another thread may be about to end. A short look is cheaper than a sleep.
    for _ in 0..<200 {
      if durable.load(ordering: .acquiring) >= wanted { return }
      if !flushInProgress { break }
    }
    monitor.lock()
    while durable.load(ordering: .acquiring) < wanted, flushInProgress, state.pointee.failure == nil {
      monitor.wait()
    }
    let failure = state.pointee.failure
    if failure != nil || durable.load(ordering: .acquiring) >= wanted {
      monitor.unlock()
      if let failure { throw failure }
      return
    }
    isFlushing.store(true, ordering: .relaxed)
    do throws(Failure) {
      let batch = try switchAreas()
      monitor.unlock()
      try write(batch, &meter)
      monitor.lock()
      durable.store(batch.end, ordering: .releasing)
      isFlushing.store(false, ordering: .relaxed)
      monitor.wakeAll()
      monitor.unlock()
    } catch {
      monitor.lock()
      state.pointee.failure = error
      isFlushing.store(false, ordering: .relaxed)
      monitor.wakeAll()
      monitor.unlock()
      throw error
    }
  }

  private struct Batch {
    var area: Int
    var firstBlock: Int
    var blocks: Int
    var end: UInt64
  }

  /// Switches areas: the one with the records so far is to be written, and agents append to the other one. It starts
  /// with a copy of the block that is not full.
  private func switchAreas() throws(Failure) -> Batch {
    let perBlock = LogBlock.recordsPerBlock
    let full = LogBlock.first + Int(state.pointee.appended) / perBlock
    let rest = Int(state.pointee.appended) % perBlock
    let blocks = full - state.pointee.firstBlock + (rest > 0 ? 1 : 0)
    let batch = Batch(
      area: state.pointee.area, firstBlock: state.pointee.firstBlock, blocks: blocks, end: state.pointee.appended)
    let other = 1 - state.pointee.area
    if rest > 0 {
      let source = areaAddress(state.pointee.area) + (full - state.pointee.firstBlock) * Page.size
      try copyRecords(rest, from: source, to: areaAddress(other))
    }
    state.pointee.area = other
    state.pointee.firstBlock = full
    return batch
  }

  private func copyRecords(_ count: Int, from source: VirtualAddress, to target: VirtualAddress) throws(Failure) {
    var record = LogRecord()
    do {
      for slot in 0..<count {
        let offset = LogBlock.offset(ofSlot: slot)
        var span = record.words.mutableSpan
        var bytes = span.mutableBytes
        try space.load(at: source + offset, into: &bytes)
        try space.store(record.words.span.bytes, at: target + offset)
      }
    } catch { throw Failure("cannot copy log records", error) }
  }

  /// Writes a batch, with one system call for each run of pages that one pin yields. The log's own direct I/O: the
  /// frames are pinned while the disk transfers.
  private func write(_ batch: Batch, _ meter: inout PinMeter) throws(Failure) {
    try reserve(batch)
    let place = wrap == .max ? batch.firstBlock : batch.firstBlock % wrap
    var done = 0
    while done < batch.blocks {
      let began = meter.begin()
      let pins: PinnedPages
      do {
        // The header is stored through the pin.
        pins = try space.pin(at: areaAddress(batch.area) + done * Page.size, pages: batch.blocks - done, .write)
      } catch { throw Failure("cannot pin \(batch.blocks - done) pages of the log", error) }
      meter.end(began)
      if pins.count == 0 { throw Failure("cannot pin any of \(batch.blocks - done) pages of the log") }
      var vectors: [iovec] = []
      for index in 0..<pins.count {
        let bytes = pins.withUnsafeMutableBytes(at: index) { $0.baseAddress! }
        do { try seal(batch, done + index, bytes) } catch { throw Failure("cannot seal a block of the log", error) }
        vectors.append(iovec(iov_base: bytes, iov_len: Page.size))
      }
      try storage.write(vectors, pins.count, to: place + done)
      done += pins.count
      let ended = meter.begin()
      pins.release()
      meter.end(ended)
    }
    writes.wrappingAdd(1, ordering: .relaxed)
    pagesWritten.wrappingAdd(batch.blocks, ordering: .relaxed)
  }

  /// Grows the log before a batch that does not fit. The blocks before the batch's first are full and were written by
  /// earlier batches; nothing writes them again.
  private func reserve(_ batch: Batch) throws(Failure) {
    guard let grow, batch.firstBlock + batch.blocks > reservedBlocks else { return }
    try grow(batch.firstBlock, reservedBlocks + Self.extent)
    reservedBlocks += Self.extent
  }

  /// Fills in the header of block `index` of a batch. Its pinned bytes are at `bytes`.
  private func seal(_ batch: Batch, _ index: Int, _ bytes: UnsafeMutableRawPointer) throws(PageError) {
    let number = batch.firstBlock + index
    let before = (number - LogBlock.first) * LogBlock.recordsPerBlock
    let count = min(Int(batch.end) - before, LogBlock.recordsPerBlock)
    let page = areaAddress(batch.area) + index * Page.size
    try space.store(UInt32(count), at: page + LogBlock.countOffset)
    try space.store(stamp.generation, at: page + LogBlock.generationOffset)
    try space.store(stamp.identity, at: page + LogBlock.identityOffset)
    try space.store(UInt64(number), at: page + LogBlock.numberOffset)
    try space.store(LogBlock.checksum(bytes, records: count), at: page)
  }

  private func areaAddress(_ area: Int) -> VirtualAddress {
    Areas.log + area * Self.areaPages * Page.size
  }
}
