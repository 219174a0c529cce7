import Foundation
import SeededRandom
import Synchronization

/// Everything that a program does to the files of one folder, in order, and what a loss of power may leave of it.
///
/// The model is the one that SQLite is written for:
///
/// - A write is safe if a sync of the same file began after it was over. Of all others any subset is lost. One that is
///   torn loses any of its sectors, and changes no byte beside its own.
/// - A write that is lost may have made the file longer all the same. The bytes there are then zeroes or old ones of
///   another file.
/// - A file's name is safe once the file is synced, and so are all names that were made and deleted before: SQLite
///   syncs the folder with the first sync of a journal. A deletion is safe at once if SQLite asks for that. Of the
///   others the first few are done.
final class RecordedDisk: Sendable {
  static let sectorSize = 512

  /// One step. `file` counts the files, so that a name which is deleted and made again leads to another one.
  private enum Event {
    case create(name: String, file: Int)
    case delete(name: String, isSafe: Bool)
    case write(file: Int, offset: Int, bytes: [UInt8])
    case resize(file: Int, byteCount: Int)
    /// A sync that is over. It began when there were `begin` events.
    case sync(file: Int, begin: Int)
    /// The program was told that a transaction is committed.
    case commit(Int)
  }

  private struct State {
    var events: [Event] = []
    var files: [String: Int] = [:]
    var nextFile = RecordedDisk.database + 1
    var syncs = 0
  }

  private static let database = 0

  private let state = Mutex(State())
  private let base: [UInt8]
  let folder: String
  let name: String

  /// A record of the files in `folder`, where the database `name` is the only one now.
  init(folder: String, name: String) throws {
    self.folder = folder
    self.name = name
    base = try [UInt8](Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
    state.withLock { $0.files = [name: Self.database] }
  }

  /// Steps so far.
  var count: Int { state.withLock { $0.events.count } }
  /// Syncs so far.
  var syncs: Int { state.withLock { $0.syncs } }

  // MARK: What the program does. Each is noted once it is over.

  /// The file with this name, which is made if there is none.
  func open(_ name: String) -> Int {
    state.withLock { state in
      if let file = state.files[name] { return file }
      let file = state.nextFile
      state.nextFile += 1
      state.files[name] = file
      state.events.append(.create(name: name, file: file))
      return file
    }
  }

  func delete(_ name: String, isSafe: Bool) {
    state.withLock { state in
      guard state.files.removeValue(forKey: name) != nil else { return }
      state.events.append(.delete(name: name, isSafe: isSafe))
    }
  }

  func write(_ file: Int, _ offset: Int, _ bytes: [UInt8]) {
    state.withLock { $0.events.append(.write(file: file, offset: offset, bytes: bytes)) }
  }

  func resize(_ file: Int, _ byteCount: Int) {
    state.withLock { $0.events.append(.resize(file: file, byteCount: byteCount)) }
  }

  func sync(_ file: Int, begin: Int) {
    state.withLock { state in
      state.events.append(.sync(file: file, begin: begin))
      state.syncs += 1
    }
  }

  func commit(_ transaction: Int) { state.withLock { $0.events.append(.commit(transaction)) } }

  // MARK: What is left

  /// The files after a loss of power.
  struct Remains {
    /// The last transaction that the program was told of; 0 for none.
    var committed = 0
    /// Writes and resizes that are not there, or not all of them.
    var losses = 0
    var files: [String: [UInt8]] = [:]
  }

  /// What is there if the power fails after the first `end` steps.
  func remains(after end: Int, random: inout SplitMix64) -> Remains {
    let events = state.withLock { Array($0.events[..<end]) }
    var remains = Remains()
    // Per file, and of names, the end of the steps that are safe.
    var safeEnd: [Int: Int] = [:]
    var safeNames = 0
    for (index, event) in events.enumerated() {
      switch event {
      case .sync(let file, let begin):
        // The first sync of a file that was made syncs the folder.
        if file != Self.database, safeEnd[file] == nil { safeNames = max(safeNames, begin) }
        safeEnd[file] = max(safeEnd[file] ?? 0, begin)
      case .delete(_, isSafe: true): safeNames = index + 1
      case .commit(let transaction): remains.committed = transaction
      default: break
      }
    }
    var disk = Contents(fill: random.oneIn(2) ? 0 : UInt8(truncatingIfNeeded: random.next()))
    var names = [name: Self.database]
    disk.files[Self.database] = base
    // How much of what is not safe is there: nothing, all, or a part, so that both ends come up often.
    let share = [0, 10, 50, 90, 100][random.below(5)]
    var namesAreDone = true
    for (index, event) in events.enumerated() {
      switch event {
      case .create(let name, let file):
        namesAreDone = namesAreDone && (index < safeNames || random.below(100) < share)
        if namesAreDone { names[name] = file }
      case .delete(let name, _):
        namesAreDone = namesAreDone && (index < safeNames || random.below(100) < share)
        if namesAreDone { names[name] = nil }
      case .write(let file, let offset, let bytes):
        let isSafe = index < safeEnd[file] ?? 0
        if !disk.write(file, offset, bytes, isSafe: isSafe, share: share, &random) { remains.losses += 1 }
      case .resize(let file, let byteCount):
        guard index < safeEnd[file] ?? 0 || random.below(100) < share else {
          remains.losses += 1
          continue
        }
        disk.resize(file, byteCount)
      case .sync, .commit: break
      }
    }
    for (name, file) in names { remains.files[name] = disk.files[file] ?? [] }
    return remains
  }

  /// Files as they are played back.
  private struct Contents {
    /// What a sector has that was never written.
    let fill: UInt8
    var files: [Int: [UInt8]] = [:]

    init(fill: UInt8) { self.fill = fill }

    /// The bytes between are zeroes, as the file system promises for a resize.
    mutating func resize(_ file: Int, _ byteCount: Int) {
      var bytes = files[file] ?? []
      bytes = Array(bytes.prefix(byteCount))
      bytes += [UInt8](repeating: 0, count: byteCount - bytes.count)
      files[file] = bytes
    }

    /// Plays a write, or a part of it. Returns whether all of it is there.
    mutating func write(
      _ file: Int, _ offset: Int, _ bytes: [UInt8], isSafe: Bool, share: Int, _ random: inout SplitMix64
    ) -> Bool {
      let isTorn = !isSafe && random.oneIn(3)
      if isSafe || (!isTorn && random.below(100) < share) {
        grow(file, offset + bytes.count)
        files[file, default: []].replaceSubrange(offset..<offset + bytes.count, with: bytes)
        return true
      }
      var hasAll = true
      var start = offset
      while start < offset + bytes.count {
        let end = min(offset + bytes.count, (start / RecordedDisk.sectorSize + 1) * RecordedDisk.sectorSize)
        if isTorn && random.below(100) < share {
          grow(file, end)
          files[file, default: []].replaceSubrange(start..<end, with: bytes[start - offset..<end - offset])
        } else {
          hasAll = false
          if random.oneIn(4) { grow(file, end) }
        }
        start = end
      }
      return hasAll
    }

    private mutating func grow(_ file: Int, _ byteCount: Int) {
      let missing = byteCount - (files[file]?.count ?? 0)
      if missing > 0 { files[file, default: []] += [UInt8](repeating: fill, count: missing) }
    }
  }
}
