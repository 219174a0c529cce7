import Foundation
import Glibc
import Measuring
import Testing
import UserPages

@testable import oltp

/// `oltp` as a program: started twice, with a full disk, and with paths that are something else.
@Suite struct OLTPCommandTests {
  let folder: TemporaryFolder
  static let short = ["--scale", "1", "--seconds", "0.1", "--warmup", "0", "--rounds", "1", "--engine", "slot"]

  init() throws {
    folder = try TemporaryFolder(inMemory: true)
  }

  func oltp(_ arguments: String..., setup: String = "", redirections: String = "") throws -> Command.Result {
    try Command("oltp", ["--file", folder["db"]] + Self.short + arguments, setup: setup, redirections: redirections)
      .wait()
  }

  func contents(_ name: String) -> Data? { FileManager.default.contents(atPath: folder[name]) }

  /// Two instances that find no database: one creates it and runs, the other one is told.
  @Test func twoInstancesCreateOneDatabase() throws {
    for round in 0..<2 {
      let path = folder["db\(round)"]
      let commands = try (0..<2).map { _ in try Command("oltp", ["--file", path] + Self.short + ["--seconds", "0.5"]) }
      let results = commands.map { $0.wait() }
      #expect(results.map(\.status).sorted() == [0, 1], "\(results)")
      #expect(results.contains { $0.errors.contains("in use by another process") })
      let after = try Command("oltp", ["--file", path] + Self.short).wait()
      #expect(after.status == 0, "\(after)")
    }
  }

  /// The same in memory, where each run puts a new file in place of the old one.
  @Test func twoInstancesReplaceOneDatabase() throws {
    #expect(try oltp("--io", "memory").status == 0)
    let arguments = ["--file", folder["db"]] + Self.short + ["--io", "memory", "--rounds", "4"]
    let commands = try (0..<2).map { _ in try Command("oltp", arguments) }
    #expect(commands.map { $0.wait().status }.sorted() == [0, 1])
  }

  /// A database that is reached by a link is written where the link leads, with its log beside it, and the link stays.
  @Test(arguments: ["memory", "direct"]) func aDatabaseBehindALink(io: String) throws {
    try FileManager.default.createDirectory(atPath: folder["disk"], withIntermediateDirectories: true)
    symlink("disk/file", folder["db"])
    for _ in 0..<2 {
      let result = try oltp("--io", io)
      #expect(result.status == 0, "\(result)")
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: folder["db"]) == "disk/file")
      #expect(FileIdentity(path: folder["disk/file"]) != nil)
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(names == ["db", "disk"])
  }

  /// Only one of its names would lead to the new file. That is said before anything is measured.
  @Test func aDatabaseWithTwoNamesIsNotReplaced() throws {
    #expect(try oltp().status == 0)
    link(folder["db"], folder["hard"])
    let result = try oltp("--io", "memory")
    #expect(result.status == 1)
    #expect(result.errors.contains("hard links"), "\(result)")
    #expect(FileIdentity.areSame(folder["db"], folder["hard"]))
  }

  @Test(arguments: [">&-", ">&- 2>&-", "<&- >&-", ">/dev/full"])
  func reportThatCannotBeWritten(redirections: String) throws {
    let result = try oltp(redirections: redirections)
    #expect(result.status == 1)
    if !redirections.contains("2>&-") { #expect(result.errors.contains("cannot write standard output"), "\(result)") }
    let after = try oltp()
    #expect(after.status == 0, "\(after)")
  }

  @Test(arguments: ["db", "db-log", "db.new", "./db", "link", "dangling"])
  func reportThatIsOneOfTheDatabasesFiles(name: String) throws {
    #expect(try oltp().status == 0)
    symlink(folder["db"], folder["link"])
    symlink(folder["db-log"], folder["dangling"])
    if name == "dangling" { unlink(folder["db-log"]) }
    let (database, log) = (contents("db"), contents("db-log"))
    let result = try oltp("--json", folder[name])
    #expect(result.status == 1)
    #expect(result.errors.contains("--json") || result.errors.contains("in use"), "\(result)")
    #expect(contents("db") == database)
    if name != "dangling" { #expect(contents("db-log") == log) }
    #expect(try oltp().status == 0)
  }

  @Test func reportBesideANewDatabase() throws {
    let result = try oltp("--json", folder["db"])
    #expect(result.status == 1)
    #expect(result.errors.contains("is the database"), "\(result)")
  }

  @Test func logBesideANewDatabaseIsKept() throws {
    try Data("precious".utf8).write(to: URL(fileURLWithPath: folder["db-log"]))
    let result = try oltp()
    #expect(result.status == 1)
    #expect(result.errors.contains(folder["db-log"]))
    #expect(contents("db-log") == Data("precious".utf8))
    #expect(contents("db") == nil)
  }

  @Test func foreignFilesBesideADatabaseAreKept() throws {
    try InterruptedRun.copyFresh(to: folder)
    for (name, options) in [("db-log", ["--io", "direct"]), ("db.new", ["--io", "memory"])] {
      let precious = Data(repeating: 0x70, count: 5000)
      try precious.write(to: URL(fileURLWithPath: folder[name]))
      let result = try Command("oltp", ["--file", folder["db"]] + Self.short + options).wait()
      #expect(result.status == 1)
      #expect(result.errors.contains("\(folder[name]) is not"), "\(result)")
      #expect(contents(name) == precious)
    }
  }

  @Test func pathsThatCannotBeUsed() throws {
    #expect(mkfifo(folder["fifo"], 0o600) == 0)
    try Data("text\n".utf8).write(to: URL(fileURLWithPath: folder["text"]))
    for (path, part) in [
      (folder["absent/db"], "ENOENT"), (folder.path, "EISDIR"), (folder["fifo"], "EINVAL"), ("/dev/null", "EINVAL"),
      (folder["text"], "is not a database"), (folder["text"] + "/db", "ENOTDIR"),
    ] {
      let result = try Command("oltp", ["--file", path] + Self.short).wait()
      #expect(result.status == 1)
      #expect(result.errors.contains(path) && result.errors.contains(part), "\(result)")
      #expect(result.output.isEmpty)
    }
    #expect(contents("text") == Data("text\n".utf8))
  }

  /// A load that fails leaves nothing that looks like a database.
  @Test func fileThatMayNotGrow() throws {
    let load = try oltp(setup: "ulimit -f 4096")
    #expect(load.status == 1)
    #expect(load.errors.contains("\(folder["db"]): the file would exceed the largest size allowed (EFBIG)"), "\(load)")
    #expect(contents("db") == nil)
  }

  /// How this process may mount a file system that only its children see; nil if it may not.
  static let mounting: [String]? = [["unshare", "-m"], ["unshare", "-rm"]].first { wrapper in
    let result = try? Command("oltp", ["--help"], wrapper: wrapper, setup: "mount -t tmpfs none /mnt || exit 2").wait()
    return result?.status == 0
  }

  /// A disk that has room for the database and an empty log: the run ends in words, and the next one, with more room,
  /// replays what was committed.
  @Test(.enabled(if: mounting != nil, "this process may not mount a file system"), arguments: [15, 19])
  func fullDisk(megabytes: Int) throws {
    let result = try Command(
      "oltp", ["--file", folder["db"]] + Self.short, wrapper: Self.mounting ?? [],
      setup: """
        mount -t tmpfs -o size=\(megabytes)m none \(folder.path) || exit 2
        "$0" "$@" --seconds 30; echo "status $?"
        mount -o remount,size=100m \(folder.path) || exit 2
        """
    ).wait()
    #expect(result.status == 0, "\(result)")
    #expect(result.output.contains("status 1"), "\(result)")
    #expect(
      result.errors.contains("\(folder["db"])") && result.errors.contains("the disk is full (ENOSPC)"), "\(result)")
    #expect(result.output.contains("transactions were replayed"), "\(result)")
  }

  /// The limits at which programs begin to load, up to one that suffices.
  @Test(arguments: 4...9) func fewDescriptors(limit: Int) throws {
    let result = try oltp(setup: "ulimit -n \(limit)")
    if result.status != 0 {
      #expect(result.status == 1, "\(result)")
      #expect(result.errors.contains("EMFILE") && result.errors.contains(folder.path), "\(result)")
    }
  }
}
