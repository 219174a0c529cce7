import Glibc
import Measuring
import Testing
import UserPages

@testable import oltp

/// `oltp` on a real disk, ended by `kill -9`.
@Suite struct KilledRunTests {
  let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
  }

  func oltp(_ arguments: String...) throws -> Command.Result {
    try Command("oltp", ["--file", folder["db"]] + OLTPCommandTests.short + arguments).wait()
  }

  /// Starts a run, and kills it once its log has so many blocks.
  func killRun(after blocks: Int) throws {
    let run = try Command("oltp", ["--file", folder["db"]] + OLTPCommandTests.short + ["--seconds", "50"])
    var header = [UInt8](repeating: 0, count: LogBlock.headerSize)
    for _ in 0..<3000 where header.allSatisfy({ $0 == 0 }) {
      usleep(10_000)
      let log = open(folder["db-log"], O_RDONLY)
      _ = pread(log, &header, header.count, blocks * Page.size)
      close(log)
    }
    run.kill()
    #expect(run.wait().status == -SIGKILL)
    try folder.waitUntilUnlocked("db")
  }

  @Test func killedRunLosesNothing() throws {
    try killRun(after: 60)
    let result = try oltp()
    #expect(result.status == 0, "\(result)")
    let replayed = result.output.split(separator: " ").compactMap { Int($0) }.first ?? 0
    #expect(result.output.contains("transactions were replayed"))
    #expect(replayed >= 59 * LogBlock.recordsPerBlock)
    #expect(result.output.contains("The books balanced after every run"))
  }

  @Test func damagedLogOfAKilledRunIsRefused() throws {
    try killRun(after: 60)
    try InterruptedRun.editPage(20, of: folder["db-log"]) {
      $0.storeBytes(of: 0xdead_beef, toByteOffset: 200, as: UInt32.self)
    }
    let result = try oltp()
    #expect(result.status == 1)
    #expect(result.errors.contains("block 20 (offset 81920) of \(folder["db-log"]) is invalid"), "\(result)")
    #expect(try Superblock.read(from: LockedFile(folder["db"]))?.state == .running)
    let forced = try oltp("--force-recovery")
    #expect(forced.output.contains("Damage is passed over"), "\(forced)")
    #expect(forced.output.contains("\(19 * LogBlock.recordsPerBlock) transactions were replayed"), "\(forced)")
  }
}
