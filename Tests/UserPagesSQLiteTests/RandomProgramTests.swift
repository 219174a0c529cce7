import CSQLite
import Foundation
import Synchronization
import TestSupport
import Testing

/// Random SQL programs over the VFS and over the default one: every answer, every error and the whole database are
/// equal.
///
/// Most of the time goes to syncs of the disk and to files that are made and deleted. So several threads run programs
/// at once, each in a folder of its own.
@Suite(.offThePool) struct RandomProgramTests {
  private static let threads = 6

  @Test func programsDoTheSameAsOnStock() throws {
    let next = Atomic(0)
    let threads = (0..<min(Self.threads, SQLPrograms.count)).map { _ in
      CheckedThread {
        while true {
          let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
          if number >= SQLPrograms.count { return }
          try Tool.withFolder { folder in try Self.compare(number, in: folder) }
        }
      }
    }
    for thread in threads { try thread.join() }
  }

  /// Runs the program of this number on both, up to the first difference.
  private static func compare(_ number: Int, in folder: String) throws {
    let seed = TestSeed.named("sql \(number)")
    var stock = try Database("\(folder)/stock.db", nil)
    var pooled = try Database("\(folder)/pooled.db", "pool=\(number % 2 == 0 ? "256K" : "8M")")
    let uris = ("file:\(folder)/pooled-x.db?vfs=userpages&pool=256K", "file:\(folder)/stock-x.db")
    for statement in RandomProgram(seed: seed).statements {
      func answer(_ database: Database, _ uri: String) -> Database.Answer {
        var answer = database.answer(statement.replacingOccurrences(of: RandomProgram.attached, with: uri))
        // How many pages a log has depends on which ones the cache spilled, and that on which ones the file lends.
        // Stock itself says another number with another `mmap_size`.
        if statement.hasPrefix("PRAGMA wal_checkpoint") { answer.rows = answer.rows.map { Array($0.prefix(1)) } }
        return answer
      }
      let (found, expected) = (answer(pooled, uris.0), answer(stock, uris.1))
      guard found == expected else {
        Issue.record("program \(number), seed \(seed): \(statement): \(found) instead of \(expected)")
        return
      }
    }
    let expected = try stock.dump()
    #expect(try pooled.dump() == expected, "program \(number), seed \(seed)")
    try pooled.expectIntact()
    // What another process finds: while the connection is open, unless that keeps its lock, and after it is closed.
    let other = try Database("\(folder)/pooled.db", nil)
    other.setTimeout(milliseconds: 0)
    let found = other.answer("PRAGMA integrity_check")
    #expect(found.value == "ok" || found.code & 0xff == SQLITE_BUSY, "program \(number), seed \(seed): \(found)")
    pooled = try Database("\(folder)/none.db")
    #expect(try other.dump() == expected, "program \(number), seed \(seed)")
    stock = try Database("\(folder)/none.db")
    let attached = try Database("\(folder)/stock-x.db", nil).dump()
    #expect(try Database("\(folder)/pooled-x.db", nil).dump() == attached, "program \(number), seed \(seed)")
  }
}
