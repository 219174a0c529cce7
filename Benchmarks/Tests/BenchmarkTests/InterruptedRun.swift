import Foundation
import Measuring
import UserPages

@testable import oltp

/// A database after an interrupted run: what a killed process leaves, with as many transactions as the test asks
/// for.
struct InterruptedRun {
  /// Where the files are; they are gone when nothing refers to the run any more.
  let folder: TemporaryFolder
  let transactions: Int

  var path: String { folder["db"] }
  var logPath: String { folder["db-log"] }

  /// The bytes of a database of one branch that no run has used yet.
  private static let fresh: Data? = {
    guard let folder = try? TemporaryFolder(inMemory: true) else { return nil }
    _ = try? DatabaseFile(path: folder["db"], scale: 1) { _ in }
    return FileManager.default.contents(atPath: folder["db"])
  }()

  /// Makes such a database in `folder`.
  static func copyFresh(to folder: TemporaryFolder) throws {
    guard let fresh else { throw CocoaError(.fileNoSuchFile) }
    try fresh.write(to: URL(fileURLWithPath: folder["db"]))
  }

  /// Commits transactions and stops there. With a pool of 64 pages many pages are written back meanwhile. With a large
  /// one none is, as long as the transactions are few, and only the log has what was done.
  init(transactions: Int, poolPages: Int = 1024) throws {
    folder = try TemporaryFolder(inMemory: true)
    self.transactions = transactions
    try Self.copyFresh(to: folder)
    let database = try DatabaseFile(path: path, scale: nil) { _ in }
    let log = try database.beginRun(carried: 0)
    let machine = try PhysicalMemory(ramPages: poolPages + 1024)
    let space = AddressSpace(machine)
    defer { space.exit() }
    let writer = try LogWriter(
      space, Storage(log, mode: .buffered), database.superblock.stamp, baseLSN: database.superblock.baseLSN
    ) { (fullBlocks, reservedBlocks) throws(Failure) in
      try database.growLog(fullBlocks: fullBlocks, reservedBlocks: reservedBlocks)
    }
    let mapped = try MappedDatabase(
      space, Storage(database.file, mode: .buffered), writer, database.geometry, pages: poolPages)
    defer { mapped.store.abandon() }
    let control = RunControl(firstHistoryPage: database.geometry.historyStart + 1)
    var agent = Agent(database: mapped, control: control, seed: 1)
    for time in 0..<transactions { try agent.transact(at: UInt64(time)) }
  }

  /// Opens the database and recovers it, then reads the books from the file. Returns what recovery did.
  @discardableResult
  func recover(forced: Bool = false) throws -> (outcome: Recovery.Outcome?, books: Books) {
    let database = try DatabaseFile(path: path, scale: nil) { _ in }
    let outcome = try database.recoverIfNeeded(forced: forced)
    let books = try Books.read(
      file: database.file, geometry: database.geometry, historyPages: database.superblock.historyPages)
    return (outcome, books)
  }

  /// The state in which the header says the database was left.
  func state() throws -> Superblock.State? { try Superblock.read(from: LockedFile(path))?.state }

  /// Changes the header.
  func editHeader(_ edit: (inout Superblock) -> Void) throws {
    let file = try LockedFile(path)
    guard var superblock = try Superblock.read(from: file) else { return }
    edit(&superblock)
    try superblock.write(to: file)
  }

  /// Changes page `number` of the file at `path`.
  static func editPage(_ number: Int, of path: String, _ edit: (UnsafeMutableRawPointer) -> Void) throws {
    let file = try LockedFile(path)
    let page = AlignedMemory(pages: 1)
    try file.read(UnsafeMutableRawBufferPointer(page.bytes), at: number * Page.size)
    edit(page.address)
    try file.write(UnsafeRawBufferPointer(page.bytes), at: number * Page.size)
  }

  /// Changes four bytes in the middle of a block of the log.
  func damageBlock(_ number: Int) throws {
    try Self.editPage(number, of: logPath) { $0.storeBytes(of: 0xdead_beef, toByteOffset: 100, as: UInt32.self) }
  }

  /// Makes the log's pages from block `number` on empty.
  func emptyBlocks(from number: Int) throws {
    let file = try LockedFile(logPath)
    let size = try file.byteCount
    try file.truncate(to: number * Page.size)
    try file.truncate(to: size)
  }

  /// Changes block `number` of the log and gives it the right checksum.
  func editBlock(_ number: Int, _ edit: (UnsafeMutableRawPointer) -> Void) throws {
    try Self.editPage(number, of: logPath) { block in
      edit(block)
      let count = min(
        Int(block.load(fromByteOffset: LogBlock.countOffset, as: UInt32.self)), LogBlock.recordsPerBlock)
      block.storeBytes(of: LogBlock.checksum(block, records: count), as: UInt32.self)
    }
  }
}
