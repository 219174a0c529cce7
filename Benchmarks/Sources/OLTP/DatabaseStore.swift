import Glibc
import Measuring
import Synchronization
import UserPages

/// The database's file as the page cache sees it. A page gets its checksum when it is written, and is compared with it
/// when it is read.
final class DatabaseStore: PageStore {
  private let storage: Storage
  /// nil for a copy in memory.
  private let file: DirectFile?
  private let geometry: Geometry
  private let length: Atomic<Int>
  private let hasFailed = StopFlag()
  private let failure = Mutex<Failure?>(nil)
  /// Pages read and written.
  let misses = Atomic<Int>(0)
  let writeBacks = Atomic<Int>(0)

  /// The tables, and the first page of history.
  init(_ storage: Storage, _ geometry: Geometry) throws(Failure) {
    self.storage = storage
    self.geometry = geometry
    file = try storage.openPages()
    length = Atomic((geometry.historyStart + 1) * Page.size)
  }

  /// Throws what went wrong first. A page that cannot be read is a bus error for its reader, one that cannot be written
  /// stays in memory: both end the run.
  func check() throws(Failure) {
    guard hasFailed.isRaised else { return }
    if let failure = failure.withLock({ $0 }) { throw failure }
  }

  /// Keeps the first failure. Returns what the cache is told.
  func fail(_ error: Failure, _ step: PageError.FileStep) -> PageError {
    failure.withLock { if $0 == nil { $0 = error } }
    hasFailed.raise()
    return .file(step, errno: EIO)
  }

  /// Nothing more is written: what a run leaves that was killed.
  func abandon() { _ = fail(Failure("the run was given up"), .write) }

  // MARK: PageStore

  var byteCount: Int { length.load(ordering: .acquiring) }

  func read(from page: Int, into pages: borrowing LentPages) throws(PageError) {
    for case let error? in read(into: pages, at: Array(page..<page + pages.count)) { throw error }
  }

  func read(into pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    var errors = [PageError?](repeating: nil, count: numbers.count)
    if let file { errors = file.read(into: pages, at: numbers) }
    for (index, number) in numbers.enumerated() {
      if let error = errors[index] {
        errors[index] = fail(storage.failure("read", 1, number, error), .read)
        continue
      }
      let bytes = pages[index].withUnsafeMutableBytes { $0 }
      do throws(Failure) {
        if file == nil { try storage.copy(number, into: bytes) }
        try verify(number, at: bytes.baseAddress!)
      } catch { errors[index] = fail(error, .read) }
    }
    return errors
  }

  /// A page of history that was never written is empty.
  private func verify(_ number: Int, at address: UnsafeMutableRawPointer) throws(Failure) {
    let kind = geometry.kind(of: number)
    if kind == .history, UnsafeRawBufferPointer(start: address, count: Page.size).allSatisfy({ $0 == 0 }) {
      return PageHeader.format(address, kind: kind, number: number)
    }
    misses.wrappingAdd(1, ordering: .relaxed)
    if let defect = PageHeader.defect(address, number: number, kind: kind) {
      throw Failure("the database is corrupted: \(defect)")
    }
  }

  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) {
    for case let error? in write(pages, at: Array(page..<page + pages.count)) { throw error }
  }

  /// The cache is stable: a page is sealed where it lies, and nothing changes it until it is written.
  func write(_ pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    if hasFailed.isRaised { return Array(repeating: .file(.write, errno: EIO), count: numbers.count) }
    var errors = [PageError?](repeating: nil, count: numbers.count)
    for (index, number) in numbers.enumerated() {
      let bytes = pages[index].withUnsafeMutableBytes { $0 }
      PageHeader.seal(bytes.baseAddress!)
      guard file == nil else { continue }
      do throws(Failure) { try storage.copy(bytes, to: number) } catch { errors[index] = fail(error, .write) }
    }
    if let file { errors = file.write(pages, at: numbers) }
    for (index, error) in errors.enumerated() {
      if let error { errors[index] = fail(storage.failure("write", 1, numbers[index], error), .write) }
    }
    writeBacks.wrappingAdd(numbers.count, ordering: .relaxed)
    return errors
  }

  /// What is added has its disk space: a page that was stored to can be written.
  func setByteCount(_ count: Int) throws(PageError) {
    do throws(Failure) {
      try check()
      if count > byteCount { try storage.reserve(count) }
      do throws(PageError) { try file?.setByteCount(count) } catch {
        throw storage.failure("resize", 1, count / Page.size, error)
      }
    } catch { throw fail(error, .resize) }
    length.store(count, ordering: .releasing)
  }

  func punchHole(_ pages: Range<Int>) throws(PageError) { throw fail(Failure("a database has no holes"), .punch) }

  func sync() throws(PageError) {
    do throws(PageError) { try file?.sync() } catch { throw fail(storage.failure("synchronise", 1, 0, error), .sync) }
  }
}
