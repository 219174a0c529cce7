import Glibc
import UserPages

/// The database on disk between runs: opened, made when absent, recovered when its last run was interrupted.
///
/// What is durable: a transaction has committed once its log record was written, by direct I/O where the file system
/// has it. A process that is killed at any moment therefore loses no committed transaction: opening the file replays
/// the log. A power failure is another matter: the log is not opened with `O_DSYNC` unless `--sync` asks for it, so
/// what the disk's own cache and the file system's metadata held back may be missing; the checksums tell.
final class DatabaseFile {
  let path: String
  let geometry: Geometry
  private(set) var superblock: Superblock
  private(set) var file: PlainFile

  var logPath: String { path + "-log" }

  /// Opens `path`. A `scale` that was asked for and that the file does not have is an error.
  init(path: String, scale: Int?, loading: (Int) -> Void) throws(Failure) {
    self.path = path
    if !PlainFile.exists(path) {
      try Loader(path: path, geometry: Geometry(scale: scale ?? Self.defaultScale)).load(progress: loading)
      unlink(path + "-log")
    }
    file = try PlainFile(path: path, flags: O_RDWR)
    try file.lockAlone()
    let page = AlignedMemory(pages: 1)
    try file.read(UnsafeMutableRawBufferPointer(page.bytes), at: 0)
    superblock = try Superblock(decoding: page.address, path: path)
    geometry = Geometry(scale: superblock.scale)
    if let scale, scale != superblock.scale {
      throw Failure("\(path) has scale \(superblock.scale), not \(scale): leave --scale out, or name another --file")
    }
    try checkSize()
  }

  static let defaultScale = 4

  private func checkSize() throws(Failure) {
    let size = try file.byteCount
    let pages = superblock.state == .clean ? geometry.historyStart + superblock.historyPages : geometry.historyStart
    if size < pages * Page.size {
      throw Failure("\(path) is truncated: \(size) bytes where \(pages * Page.size) are needed")
    }
  }

  /// Replays the log if the last run did not end. Returns how many transactions were replayed; nil: it had ended.
  func recoverIfNeeded() throws(Failure) -> Int? {
    guard superblock.state == .running else { return nil }
    let recovery = Recovery(file: file, geometry: geometry, superblock: superblock, logPath: logPath)
    let outcome = try recovery.replay()
    try close(historyPages: outcome.historyPages, lastSequence: outcome.lastSequence, carried: superblock.carried)
    return outcome.transactions
  }

  /// Starts an epoch: from here until `close` the file is only whole together with its log.
  func beginRun(carried: Int64) throws(Failure) {
    superblock.state = .running
    superblock.epoch += 1
    superblock.carried = carried
    superblock.historyPages = 1
    try writeSuperblock(superblock)
    try file.synchronize()
    try Self.startHistory(in: file, geometry: geometry, superblock: superblock)
  }

  /// Cuts the history down to the row that carries it forward.
  static func startHistory(in file: PlainFile, geometry: Geometry, superblock: Superblock) throws(Failure) {
    let page = AlignedMemory(pages: 1)
    let sequence = superblock.baseSequence
    Loader.firstHistoryPage(of: geometry, carried: superblock.carried, sequence: sequence, at: page.address)
    try file.truncate(to: geometry.historyStart * Page.size)
    try file.write(UnsafeRawBufferPointer(page.bytes), at: geometry.historyStart * Page.size)
  }

  /// Ends an epoch: every page is in the file.
  func close(historyPages: Int, lastSequence: UInt64, carried: Int64) throws(Failure) {
    try file.synchronize()
    superblock.state = .clean
    superblock.historyPages = historyPages
    superblock.baseSequence = lastSequence
    superblock.carried = carried
    try writeSuperblock(superblock)
    try file.synchronize()
  }

  /// Puts a whole new file in place of this one: it becomes the database at once or not at all.
  func replace(
    historyPages: Int, lastSequence: UInt64, carried: Int64, writePages: (PlainFile) throws(Failure) -> Void
  ) throws(Failure) {
    let name = path + ".new"
    let fresh = try PlainFile(path: name, flags: O_RDWR | O_CREAT | O_TRUNC)
    var next = superblock
    next.epoch += 1
    next.historyPages = historyPages
    next.baseSequence = lastSequence
    next.carried = carried
    do throws(Failure) {
      try fresh.lockAlone()
      try writePages(fresh)
      try Self.write(next, to: fresh)
      try fresh.synchronize()
      if rename(name, path) != 0 { throw Failure("rename", name, errno: errno) }
    } catch {
      unlink(name)
      throw error
    }
    superblock = next
    file = fresh
  }

  private func writeSuperblock(_ superblock: Superblock) throws(Failure) {
    try Self.write(superblock, to: file)
  }

  private static func write(_ superblock: Superblock, to file: PlainFile) throws(Failure) {
    let page = AlignedMemory(pages: 1)
    superblock.encode(into: page.address)
    try file.write(UnsafeRawBufferPointer(page.bytes), at: 0)
  }
}
