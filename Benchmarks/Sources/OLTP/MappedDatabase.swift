import Measuring
import UserPages

/// Where the program's areas lie in its address space.
enum Areas {
  static let database: VirtualAddress = 0x10_0000_0000
  static let log: VirtualAddress = 0x200_0000_0000
  static let sort: VirtualAddress = 0x300_0000_0000
}

extension Failure {
  /// The library refused what a correct program may ask for.
  init(_ action: String, _ error: PageError) {
    self.init("\(action): \(error.name)")
  }
}

/// The database file behind a mapping. The page cache reads pages, writes them back and evicts them. What is left to a
/// database is to latch pages, and to write the log first.
///
/// ORDERING [log before page]: no change is in the file before its record is in the log.
///
///     a transaction                                write-back of a page
///     1. latches its pages
///     2. appends its record                        a. makes the page read-only, waits for a grace period
///     3. notes the record's number in each latch   b. `willWriteBack`: writes the log up to the latch's number
///     4. stores the rows, then the number          c. writes the page
///     5. unlatches
///
/// What (c) writes of step 4 was stored before (a) was over, and a later store waits until (c) is over
/// (`Stability.waits`). So step 3 came before (b). A page may be written between its row and its number: then recovery
/// stores the row again.
///
/// A thread pins the pages of a transaction before it latches them: it never waits for a page to be read while it has a
/// latch. A store may wait for (c). So neither (b) nor (c) waits for a latch.
final class MappedDatabase: Sendable {
  let space: AddressSpace
  let log: LogWriter
  let geometry: Geometry
  let store: DatabaseStore
  let cache: PageCache
  private let latches: Latches
  private let growth = Monitor()

  /// Pages that the file grows by.
  private static let extent = 256

  init(
    _ space: AddressSpace, _ storage: Storage, _ log: LogWriter, _ geometry: Geometry, pages: Int
  ) throws(Failure) {
    self.space = space
    self.log = log
    self.geometry = geometry
    let (store, latches) = (try DatabaseStore(storage, geometry), Latches(geometry))
    self.store = store
    self.latches = latches
    let hooks = PageCache.Hooks(willWriteBack: { pages throws(PageError) in
      var meter = PinMeter()
      let last = pages.reduce(0) { max($0, latches.lastChange(of: $1)) }
      do throws(Failure) { try log.flush(upTo: last, &meter) } catch { throw store.fail(error, .sync) }
    })
    do throws(PageError) {
      cache = try PageCache(space.memory, store, limit: pages, stability: .waits, hooks: hooks)
      // As far as the file may grow. Beyond its end there is nothing.
      try space.map(
        at: Areas.database, pages: max(cache.pageCount, 1 << 26), protection: .readWrite, sharing: .shared,
        backing: .file(cache))
    } catch { throw Failure("cannot map a database through \(pages) pages", error) }
  }

  @inline(__always)
  func address(of location: RowLocation) -> VirtualAddress {
    Areas.database + location.page &* Page.size + location.offset
  }

  @inline(__always)
  private func address(of page: Int) -> VirtualAddress { Areas.database + page &* Page.size }

  /// Pins `page` for storing, and reads it if it is not in memory. Only a pin that finds its page in memory is timed.
  @inline(__always)
  func pin(_ page: Int, _ meter: inout PinMeter) throws(Failure) -> PinnedPage {
    let began = meter.begin(if: cache.isResident(page: page))
    let pin: PinnedPage
    do { pin = try space.pin(at: address(of: page), .write) } catch {
      try store.check()
      throw Failure("cannot pin page \(page)", error)
    }
    meter.end(began)
    return pin
  }

  @inline(__always)
  func release(_ pin: consuming PinnedPage, _ meter: inout PinMeter) {
    let began = meter.begin()
    pin.release()
    meter.end(began)
  }

  @inline(__always)
  func latch(_ page: Int) { latches.lock(page) }

  @inline(__always)
  func unlatch(_ page: Int) { latches.unlock(page) }

  /// The caller is about to store what record `lsn` says of `page`, and has the latch.
  @inline(__always)
  func willChange(_ page: Int, _ lsn: UInt64) { latches.noteChange(of: page, lsn) }

  /// The word at `offset` of a page.
  func word(of page: Int, at offset: Int) throws(PageError) -> UInt64 {
    try space.load(at: address(of: page) + offset)
  }

  /// The row at `location`.
  @inline(__always)
  func row(at location: RowLocation) throws(PageError) -> Row {
    var row = Row()
    var span = row.words.mutableSpan
    var bytes = span.mutableBytes
    try space.load(at: address(of: location), into: &bytes)
    return row
  }

  /// Stores a row, and then that record `lsn` was the last to change the page.
  @inline(__always)
  func store(_ row: Row, at location: RowLocation, _ lsn: UInt64) throws(PageError) {
    try space.store(row.words.span.bytes, at: address(of: location))
    try space.store(lsn, at: address(of: location.page) + PageHeader.lsnOffset)
  }

  /// Stores the row of history that becomes the last one of its page.
  @inline(__always)
  func append(_ row: Row, at location: RowLocation, _ lsn: UInt64) throws(PageError) {
    try space.store(UInt64(location.slot + 1), at: address(of: location.page) + PageHeader.rowsOffset)
    try store(row, at: location, lsn)
  }

  /// Makes the file long enough for `page`. The caller has no latch.
  func grow(to page: Int) throws(Failure) {
    guard page >= cache.pageCount else { return }
    // One thread at a time: a second one could set a length that the first has passed, and cut the file.
    growth.lock()
    defer { growth.unlock() }
    while page >= cache.pageCount { try setPageCount(cache.pageCount + Self.extent) }
  }

  /// Writes every page back, and cuts the file behind the last one.
  func finish(pages: Int) throws(Failure) {
    try setPageCount(pages)
    do { try cache.sync() } catch {
      try store.check()
      throw Failure("cannot write pages back", error)
    }
  }

  private func setPageCount(_ count: Int) throws(Failure) {
    do { try cache.setByteCount(count * Page.size) } catch {
      try store.check()
      throw Failure("cannot set the length of the database", error)
    }
  }
}
