import Glibc
import Synchronization

/// A real file as a ``PageStore``: the disk transfers straight into and out of frames (`O_DIRECT`).
///
/// The file is locked (`flock(2)`) as long as the object lives. A second user, of this process or another, gets `busy`.
/// The lock is advice: a program that does not ask for it can still change the file. A page that the file has then lost
/// cannot be read: `file(.readWhole, errno: EIO)`. If the process is killed, the lock lasts until the kernel is done
/// with its writes. So none of them overwrites a page that the next user has written.
///
/// A process that is killed while it writes the last page may leave the file longer, up to that page's end, by zeroes.
public final class DirectFile: PageStore {
  private let file: FrameFile
  private let writesByRing: Bool
  private let lengthInBytes: Atomic<Int>
  /// Held while the length changes: also for a moment by a write of the last page, see `write`.
  private let overlong = Guarded<Overlong?>(nil)

  /// What a write of the last page has added to the file, and could not take back.
  private struct Overlong {
    /// How long the file is to be.
    let length: Int
    /// How long the write has left it.
    let found: Int
  }

  /// How pages that are not consecutive are transferred.
  public enum Transfers: Sendable {
    /// Side by side, up to 64 stretches with one system call (io_uring).
    case ring
    /// Reads as `ring`, writes as `calls`. For a file with locks that end with their process (`fcntl(2)`). If a process
    /// is killed, the kernel waits for its calls before it gives these locks up. A ring's writes may land later, over
    /// those of the next to lock the file.
    case ringForReads
    /// One stretch after the other, each with a system call of its own (`preadv(2)`, `pwritev(2)`).
    case calls
  }

  /// Opens the file at `path`, and makes an empty one where there is none.
  ///
  /// - Parameters:
  ///   - path: of the file.
  ///   - transfers: what is wanted. Where the kernel has no io_uring, or allows none, it is `calls` all the same.
  /// - Throws:
  ///   - `busy` if the file has another user.
  ///   - `file` with the errno if it cannot be opened or is no regular file.
  public convenience init(path: String, transfers: Transfers = .ring) throws(PageError) {
    try self.init(file: FrameFile(path: path, usesRing: transfers != .calls), writesByRing: transfers == .ring)
  }

  /// A file that the caller has opened for reading and writing, with `O_DIRECT` if transfers are to be direct. The
  /// object closes the descriptor, also if this throws.
  ///
  /// The caller has locked it, if it is to be: by this descriptor or the one that it duplicates. Writes may outlive a
  /// process that is killed, and only a lock of the open file that they use lasts as long.
  ///
  /// - Parameters:
  ///   - descriptor: of the file.
  ///   - transfers: what is wanted. See `init(path:transfers:)`.
  /// - Throws: `file` with the errno where it is no regular file.
  public convenience init(owning descriptor: Int32, transfers: Transfers = .ring) throws(PageError) {
    try self.init(
      file: FrameFile(owning: descriptor, usesRing: transfers != .calls), writesByRing: transfers == .ring)
  }

  init(file: FrameFile, writesByRing: Bool = true) throws(PageError) {
    self.file = file
    self.writesByRing = writesByRing
    lengthInBytes = Atomic(try file.byteCount())
  }

  /// Whether transfers bypass the kernel's page cache. False on a file system that has no `O_DIRECT`.
  public var isDirect: Bool { file.isDirect }

  /// What the file is transferred by.
  ///
  /// It is `calls` in three cases: the caller asked for it, transfers are not direct, or the kernel refuses a ring. A
  /// kernel refuses if it is old, and for `kernel.io_uring_disabled`, a container's filter or `RLIMIT_MEMLOCK`.
  public var transfers: Transfers { file.usesRing ? (writesByRing ? .ring : .ringForReads) : .calls }

  /// The file's length in bytes. What other programs do to it is noticed by `refreshByteCount` alone.
  public var byteCount: Int { lengthInBytes.load(ordering: .acquiring) }

  /// Asks the kernel for the length again, which another program may have changed (`fstat(2)`). A cache of this file
  /// then needs `PageCache.invalidate`.
  ///
  /// - Throws: `file` with the errno.
  public func refreshByteCount() throws(PageError) {
    try overlong.withLock { (overlong) throws(PageError) in
      lengthInBytes.store(try byteCount(without: overlong), ordering: .releasing)
    }
  }

  /// Reads consecutive pages with one system call (`preadv(2)`) where the kernel does not stop in between.
  ///
  /// - Throws:
  ///   - `file` with the errno.
  ///   - `file(.readWhole, errno: EIO)` if the file has lost a page.
  public func read(from page: Int, into pages: borrowing LentPages) throws(PageError) {
    let frames = pages.frames
    let wanted = min(frames.count * Page.size, byteCount - page * Page.size)
    let count = try file.read(from: page, into: frames)
    // Another program has cut the file.
    guard count >= wanted else { throw .file(.readWhole, errno: EIO) }
    zeroFill(frames, from: max(wanted, 0))
  }

  /// Writes consecutive pages with one system call (`pwritev(2)`), as `read`.
  ///
  /// - Throws: `file` with the errno: `ENOSPC` for a full disk.
  public func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) {
    let frames = pages.frames
    let end = (page + frames.count) * Page.size
    guard end > byteCount else { return try file.write(from: page, frames) }
    // Direct transfers write whole pages. So the last page grows the file for a moment, and the length is set back.
    // What another program has added stays.
    try overlong.withLock { (overlong) throws(PageError) in
      let after = max(byteCount, try byteCount(without: overlong))
      let failure: PageError?
      do throws(PageError) {
        try file.write(from: page, frames)
        failure = nil
      } catch {
        failure = error
      }
      do throws(PageError) { try file.setByteCount(after) } catch {
        if let found = try? file.byteCount() { overlong = Overlong(length: after, found: found) }
        throw error
      }
      overlong = nil
      if let failure { throw failure }
    }
  }

  /// The file's length. What a write of its last page has added, and could not take back, is not another program's.
  private func byteCount(without overlong: Overlong?) throws(PageError) -> Int {
    let found = try file.byteCount()
    guard let overlong, overlong.found == found else { return found }
    return overlong.length
  }

  /// Reads stretches side by side where they go through a ring: the disk has many of them to order.
  public func read(into pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    transfer(pages, numbers, isWrite: false)
  }

  /// Writes stretches side by side where they go through a ring.
  public func write(_ pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    transfer(pages, numbers, isWrite: true)
  }

  /// Transfers those stretches of consecutive pages that a ring can, all at once. Each of the others has a call of its
  /// own. Those are the stretches that end beyond the file, one that is alone, and what the ring did not finish. If
  /// there is no ring, every stretch has a call of its own.
  private func transfer(_ pages: borrowing LentPages, _ numbers: [Int], isWrite: Bool) -> [PageError?] {
    let frames = pages.frames
    let stretches = stretches(of: numbers)
    var outcomes = [FrameFile.Outcome](repeating: .again, count: stretches.count)
    let mayShare = writesByRing || !isWrite
    let inside = stretches.indices.filter {
      mayShare && (numbers[stretches[$0].upperBound - 1] + 1) * Page.size <= byteCount
    }
    if inside.count > 1 {
      let together = file.transferTogether(
        inside.map { (numbers[stretches[$0].lowerBound], frames[stretches[$0]]) }, isWrite: isWrite)
      for (index, outcome) in zip(inside, together ?? []) { outcomes[index] = outcome }
    }
    var errors = [PageError?](repeating: nil, count: numbers.count)
    for (stretch, outcome) in zip(stretches, outcomes) where outcome != .whole {
      var failure: PageError?
      if case .failed(let errno) = outcome {
        failure = .file(isWrite ? .write : .read, errno: errno)
      } else {
        let (first, part) = (numbers[stretch.lowerBound], pages[stretch])
        do throws(PageError) { try isWrite ? write(from: first, part) : read(from: first, into: part) } catch {
          failure = error
        }
      }
      if let failure { for page in stretch { errors[page] = failure } }
    }
    return errors
  }

  /// Sets the length (`ftruncate(2)`).
  ///
  /// - Throws:
  ///   - `invalidArgument` for a negative length.
  ///   - `file(.resize, errno: ESTALE)` for a longer file than is known, if another program has made it longer still.
  ///     Nothing is cut then. The caller needs `refreshByteCount`.
  ///   - `file` with the errno.
  public func setByteCount(_ count: Int) throws(PageError) {
    guard count >= 0 else { throw .invalidArgument }
    try overlong.withLock { (overlong) throws(PageError) in
      if count > byteCount, try byteCount(without: overlong) > count { throw .file(.resize, errno: ESTALE) }
      try file.setByteCount(count)
      overlong = nil
      lengthInBytes.store(count, ordering: .releasing)
    }
  }

  /// Gives the blocks of whole pages back (`fallocate(2)`).
  ///
  /// - Throws: `file` with the errno: `EOPNOTSUPP` on a file system that has no holes.
  public func punchHole(_ pages: Range<Int>) throws(PageError) { try file.punchHole(pages) }

  /// Returns when the disk has what was written (`fdatasync(2)`).
  ///
  /// - Throws: `file` with the errno.
  public func sync() throws(PageError) { try file.sync() }

  /// Fills the bytes from `offset` on with zeroes: a direct read leaves what lay there before.
  private func zeroFill(_ frames: [FrameBytes], from offset: Int) {
    var offset = offset
    while offset < frames.count * Page.size {
      let within = offset % Page.size
      frames[offset / Page.size].fill(0, fromByteOffset: within, count: Page.size - within)
      offset += Page.size - within
    }
  }
}
