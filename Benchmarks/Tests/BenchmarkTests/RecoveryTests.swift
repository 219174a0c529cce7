import Foundation
import Glibc
import Measuring
import Testing
import UserPages

@testable import oltp

/// What recovery takes for the end of a log, and what for damage.
@Suite struct RecoveryTests {
  static let transactions = 200
  /// The blocks that so many records fill, block 0 among them.
  static let blocks = 1 + transactions / LogBlock.recordsPerBlock

  /// The message with which recovery refuses; nil if it does not refuse.
  func refusal(_ run: InterruptedRun) throws -> String? {
    do {
      try run.recover()
      return nil
    } catch let failure as Failure {
      return failure.description
    }
  }

  /// Recovery refuses, naming what is wrong, and changes nothing. Forced, it goes on.
  func expectDamage(_ run: InterruptedRun, _ parts: String..., transactions: Int) throws {
    let before = [run.path, run.logPath].map { FileManager.default.contents(atPath: $0) }
    let message = try #require(try refusal(run))
    for part in parts { #expect(message.contains(part), "\(message)") }
    #expect(message.contains("--force-recovery"))
    #expect(try run.state() == .running)
    #expect([run.path, run.logPath].map { FileManager.default.contents(atPath: $0) } == before)
    let (outcome, _) = try run.recover(forced: true)
    #expect(outcome?.transactions == transactions)
    #expect(outcome?.damage != nil)
    #expect(try run.state() == .clean)
  }

  @Test(arguments: [64, 1024]) func everyCommittedTransactionIsReplayed(poolPages: Int) throws {
    let run = try InterruptedRun(transactions: Self.transactions, poolPages: poolPages)
    let (outcome, books) = try run.recover()
    #expect(outcome?.transactions == Self.transactions)
    #expect(outcome?.damage == nil)
    #expect(books.imbalance(transactions: Self.transactions) == nil)
    #expect(try run.recover().outcome == nil)
  }

  @Test func damagedBlockBeforeWholeOnes() throws {
    let run = try InterruptedRun(transactions: Self.transactions)
    try run.damageBlock(10)
    try expectDamage(run, "block 10 (offset 40960)", "block 11", run.logPath, transactions: 9 * 8)
  }

  @Test func blockWithFewerRecordsBeforeWholeOnes() throws {
    let run = try InterruptedRun(transactions: Self.transactions)
    try run.editBlock(10) { $0.storeBytes(of: 3, toByteOffset: LogBlock.countOffset, as: UInt32.self) }
    try expectDamage(run, "block 10 (offset 40960)", "only 3 records", transactions: 9 * 8 + 3)
  }

  @Test func logThatWasCutShort() throws {
    let run = try InterruptedRun(transactions: Self.transactions)
    #expect(truncate(run.logPath, 10 * Page.size) == 0)
    try expectDamage(run, "40960 bytes", "\(LogWriter.extent * Page.size)", transactions: 9 * 8)
  }

  @Test func logWithoutAnyBlock() throws {
    let run = try InterruptedRun(transactions: Self.transactions)
    #expect(truncate(run.logPath, 0) == 0)
    try expectDamage(run, "has 0 bytes", transactions: 0)
  }

  @Test func blockMissingBelowTheSynchronisedLength() throws {
    let run = try InterruptedRun(transactions: Self.transactions)
    try run.editHeader { $0.synchronisedBlocks = 20 }
    try run.emptyBlocks(from: 15)
    try expectDamage(run, "block 15 (offset 61440)", "first 20 blocks had been synchronised", transactions: 14 * 8)
  }

  @Test func pageThatTheLogDoesNotReach() throws {
    let run = try InterruptedRun(transactions: Self.transactions, poolPages: 64)
    try run.emptyBlocks(from: 5)
    try expectDamage(run, "was changed by record", "ends with record 32", transactions: 4 * 8)
  }

  @Test func missingLog() throws {
    let run = try InterruptedRun(transactions: Self.transactions)
    unlink(run.logPath)
    let message = try #require(try refusal(run))
    #expect(message.contains("\(run.logPath) is missing"))
    #expect(try run.state() == .running)
    #expect(try run.recover(forced: true).outcome?.transactions == 0)
  }

  @Test func logOfAnotherDatabase() throws {
    let run = try InterruptedRun(transactions: Self.transactions)
    let other = try InterruptedRun(transactions: 8)
    try other.editHeader { $0.identity &+= 1 }
    unlink(other.logPath)
    try FileManager.default.copyItem(atPath: run.logPath, toPath: other.logPath)
    try expectDamage(other, "block 0", "belongs to another database", transactions: 0)
  }

  @Test func logOfAnotherGeneration() throws {
    let run = try InterruptedRun(transactions: Self.transactions)
    try run.editHeader { $0.generation += 1 }
    try expectDamage(run, "block 0", "generation 1", "generation 2", transactions: 0)
  }

  @Test func blockOfAnotherGenerationInTheTail() throws {
    let run = try InterruptedRun(transactions: Self.transactions)
    try run.editBlock(Self.blocks - 1) {
      $0.storeBytes(of: 77, toByteOffset: LogBlock.generationOffset, as: UInt64.self)
    }
    try expectDamage(run, "generation 77", transactions: (Self.blocks - 2) * 8)
  }

  /// The write that the crash interrupted: nothing follows, no page was written back with a later change.
  @Test(arguments: [true, false]) func tornTailEndsRecovery(isDamaged: Bool) throws {
    let run = try InterruptedRun(transactions: Self.transactions)
    if isDamaged { try run.damageBlock(Self.blocks - 1) } else { try run.emptyBlocks(from: Self.blocks - 1) }
    let (outcome, books) = try run.recover()
    #expect(outcome?.transactions == (Self.blocks - 2) * 8)
    #expect(outcome?.damage == nil)
    #expect(books.imbalance(transactions: (Self.blocks - 2) * 8) == nil)
  }

  /// Two blocks damaged at the end, further apart than one write reaches: commits were reported for the first one.
  @Test func damageBeyondTheReachOfOneWrite() throws {
    let run = try InterruptedRun(transactions: 50 * LogBlock.recordsPerBlock)
    for block in 10...50 { try run.damageBlock(block) }
    try expectDamage(run, "block 10 (offset 40960)", "block 42", "later write", transactions: 9 * 8)
  }

  /// The header learns how much of the log is synchronised when the log grows beyond an extent.
  @Test func growingLogIsRecordedInTheHeader() throws {
    let run = try InterruptedRun(transactions: (LogWriter.extent + 2) * LogBlock.recordsPerBlock)
    let superblock = try #require(try Superblock.read(from: LockedFile(run.path)))
    #expect(superblock.reservedBlocks == 2 * LogWriter.extent)
    #expect(superblock.synchronisedBlocks == LogWriter.extent)
    try run.emptyBlocks(from: 1000)
    #expect(try refusal(run)?.contains("had been synchronised") == true)
  }

  @Test func killedLoadBeginsAgain() throws {
    let folder = try TemporaryFolder()
    try InterruptedRun.copyFresh(to: folder)
    do {
      let file = try LockedFile(folder["db"])
      var superblock = try #require(try Superblock.read(from: file))
      superblock.state = .loading
      try superblock.write(to: file)
      try file.truncate(to: 100 * Page.size)
    }
    let database = try DatabaseFile(path: folder["db"], scale: nil) { _ in }
    #expect(database.geometry.scale == DatabaseFile.defaultScale)
    #expect(try Books.read(file: database.file, geometry: database.geometry, historyPages: 1).historyRows == 1)
  }
}
