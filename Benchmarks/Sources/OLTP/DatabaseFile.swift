import Measuring
import UserPages

/// The database on disk between runs: opened, made when absent, recovered when its last run was interrupted.
///
/// What is durable: a transaction has committed once its log record was written, by direct I/O where the file system
/// has it. A process that is killed at any moment therefore loses no committed transaction: opening the file replays
/// the log. A power failure is another matter: the log is not opened with `O_DSYNC` unless `--sync` asks for it, so the
/// disk's own cache and the file system's metadata may hold commits back. `Recovery` says what it can tell then.
///
/// ## The header and the log
/// The header (`Superblock`) is written at these moments, and at no other:
///
/// | moment | the log before | the header says | what a crash right after leaves |
/// | --- | --- | --- | --- |
/// | a run begins | emptied, block 0 of the new generation, the first extent taken, synchronised | `running` | an empty log |
/// | the log grows by an extent | the extent taken, every full block synchronised | both lengths | a log at least that long |
/// | a run ends, or was recovered | no longer needed: every page is in the file and synchronised | `clean` | a whole file |
///
/// So a header never promises more of the log than a disk already has. A header that a power failure has kept from the
/// disk promises less, which is true as well. `clean` and the log's new generation exclude each other: while the old
/// header says `clean`, the log may be emptied; once the new one says `running`, the log of its generation exists.
///
/// Each file is locked as soon as it is open and is not looked up by path again (`LockedFile`). What is not this
/// database's own is not written over: a file of that name is refused.
final class DatabaseFile {
  let path: String
  let geometry: Geometry
  /// Changed by the main thread, and during a run by the thread that flushes the log. A run's threads are joined before
  /// the main thread looks again.
  private(set) var superblock: Superblock
  private(set) var file: LockedFile
  private var log: LockedFile?

  var logPath: String { Self.logPath(path) }
  /// Where the next version of the whole file is written before it takes this one's place.
  var replacementPath: String { path + ".new" }

  private static func logPath(_ path: String) -> String { path + "-log" }

  /// Opens `path`. A `scale` that was asked for and that the file does not have is an error.
  init(path: String, scale: Int?, loading: (Int) -> Void) throws(Failure) {
    file = try LockedFile(path, creation: .ifAbsent)
    // Where a symbolic link leads: the log lies beside the file, and a new version takes the place of the file.
    self.path = file.path
    let found = try Superblock.read(from: file)
    if let found, found.state != .loading {
      superblock = found
    } else {
      superblock = try Self.create(file, Geometry(scale: scale ?? Self.defaultScale), loading)
    }
    geometry = Geometry(scale: superblock.scale)
    if let scale, scale != superblock.scale {
      throw Failure("\(path) has scale \(superblock.scale), not \(scale): leave --scale out, or name another --file")
    }
    try checkSize()
  }

  static let defaultScale = 4

  private static func create(
    _ file: LockedFile, _ geometry: Geometry, _ loading: (Int) -> Void
  ) throws(Failure) -> Superblock {
    let logPath = logPath(file.path)
    if FileIdentity(path: logPath) != nil, try LockedFile(logPath).byteCount > 0 {
      if file.isNew { file.remove() }
      throw Failure(
        "cannot create \(file.path): \(logPath) exists, and may hold transactions of another database; "
          + "move it away, or name another --file")
    }
    try Loader(file: file, geometry: geometry).load(progress: loading)
    guard let superblock = try Superblock.read(from: file) else { throw Failure("\(file.path) became empty") }
    return superblock
  }

  private func checkSize() throws(Failure) {
    let size = try file.byteCount
    let pages = superblock.state == .clean ? geometry.historyStart + superblock.historyPages : geometry.historyStart
    if size < pages * Page.size {
      throw Failure("\(path) is truncated: \(size) bytes where \(pages * Page.size) are needed")
    }
  }

  /// Replays the log if the last run did not end; nil if it had ended. Damage is refused before anything is changed,
  /// unless `forced`.
  func recoverIfNeeded(forced: Bool = false) throws(Failure) -> Recovery.Outcome? {
    guard superblock.state == .running else { return nil }
    let log = FileIdentity(path: logPath) == nil ? nil : try openLog(creation: .never)
    let recovery = Recovery(file: file, geometry: geometry, superblock: superblock, log: log, logPath: logPath)
    let outcome = try recovery.run(forced: forced)
    try close(historyPages: outcome.historyPages, lastLSN: outcome.lastLSN, carried: superblock.carried)
    return outcome
  }

  private func openLog(creation: LockedFile.Creation) throws(Failure) -> LockedFile {
    if let log { return log }
    let log = try LockedFile(logPath, creation: creation)
    self.log = log
    return log
  }

  /// Starts a generation: from here until `close` the file is only whole together with its log, which is returned.
  func beginRun(carried: Int64) throws(Failure) -> LockedFile {
    let log = try openLog(creation: .ifAbsent)
    try checkOwner(of: log)
    var next = superblock
    next.state = .running
    next.generation += 1
    next.carried = carried
    next.historyPages = 1
    next.reservedBlocks = LogWriter.extent
    next.synchronisedBlocks = LogBlock.first
    // The log first: see the table above.
    let block = AlignedMemory(pages: 1)
    LogBlock.formatHeader(block.address, next.stamp)
    try log.truncate(to: 0)
    try log.write(UnsafeRawBufferPointer(block.bytes), at: 0)
    try log.reserve(LogWriter.extent * Page.size)
    try log.synchronize()
    try log.synchronizeDirectory()
    try writeSuperblock(next)
    try file.synchronize()
    try startHistory()
    return log
  }

  /// A log may be emptied if it is this database's, or empty already.
  private func checkOwner(of log: LockedFile) throws(Failure) {
    if try log.byteCount == 0 { return }
    var isOwn = false
    if try log.byteCount >= Page.size {
      let block = AlignedMemory(pages: 1)
      try log.read(UnsafeMutableRawBufferPointer(block.bytes), at: 0)
      isOwn =
        switch LogBlock.content(block.address, superblock.stamp, number: 0) {
        case .records: true
        case .foreign(let stamp, _): stamp.identity == superblock.identity
        case .invalid: false
        }
    }
    guard isOwn else { throw Failure("\(logPath) is not the log of \(path); move it away, or name another --file") }
  }

  /// Called by the thread that flushes the log, before it writes beyond the blocks reserved: takes an extent more and
  /// records that the first `fullBlocks` blocks are on the disk.
  func growLog(fullBlocks: Int, reservedBlocks: Int) throws(Failure) {
    guard let log else { throw Failure("\(path) has no log open") }
    try log.reserve(reservedBlocks * Page.size)
    try log.synchronize()
    var next = superblock
    next.reservedBlocks = reservedBlocks
    next.synchronisedBlocks = fullBlocks
    try writeSuperblock(next)
  }

  /// Cuts the history down to the row that carries it forward.
  private func startHistory() throws(Failure) {
    let page = AlignedMemory(pages: 1)
    Loader.firstHistoryPage(
      of: geometry, carried: superblock.carried, lsn: superblock.baseLSN, at: page.address)
    try file.truncate(to: geometry.historyStart * Page.size)
    try file.write(UnsafeRawBufferPointer(page.bytes), at: geometry.historyStart * Page.size)
  }

  /// Ends a generation: every page is in the file.
  func close(historyPages: Int, lastLSN: UInt64, carried: Int64) throws(Failure) {
    try file.synchronize()
    var next = superblock
    next.state = .clean
    next.historyPages = historyPages
    next.baseLSN = lastLSN
    next.carried = carried
    next.reservedBlocks = 0
    next.synchronisedBlocks = 0
    try writeSuperblock(next)
    try file.synchronize()
  }

  /// Puts a whole new file in place of this one: it becomes the database at once or not at all.
  func replace(
    historyPages: Int, lastLSN: UInt64, carried: Int64, writePages: (LockedFile) throws(Failure) -> Void
  ) throws(Failure) {
    let fresh = try openReplacement(creation: .ifAbsent)
    var next = superblock
    next.generation += 1
    next.historyPages = historyPages
    next.baseLSN = lastLSN
    next.carried = carried
    do throws(Failure) {
      try fresh.truncate(to: 0)
      try writePages(fresh)
      try next.write(to: fresh)
      try fresh.synchronize()
      try fresh.rename(over: file)
      try fresh.synchronizeDirectory()
    } catch {
      if fresh.path != path { fresh.remove() }
      throw error
    }
    superblock = next
    file = fresh
  }

  /// Refuses a file that stands where `replace` is going to write, and one that it cannot replace. Better now than
  /// after a run.
  func checkReplacement() throws(Failure) {
    try file.requireOneName()
    if FileIdentity(path: replacementPath) != nil { _ = try openReplacement(creation: .never) }
  }

  /// What a killed process left there is used again; any other file is not this database's to write over.
  private func openReplacement(creation: LockedFile.Creation) throws(Failure) -> LockedFile {
    let fresh = try LockedFile(replacementPath, creation: creation)
    let isOwn: Bool
    do throws(Failure) {
      let left = try Superblock.read(from: fresh)
      isOwn = left == nil || left?.identity == superblock.identity
    } catch {
      isOwn = false
    }
    guard isOwn else {
      throw Failure("\(replacementPath) is not a copy of \(path); move it away, or name another --file")
    }
    return fresh
  }

  private func writeSuperblock(_ next: Superblock) throws(Failure) {
    try next.write(to: file)
    superblock = next
  }
}
