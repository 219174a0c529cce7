import CPlatform
import Glibc

/// A real file that is read into frames and written from them, several pages with one system call.
///
/// With `O_DIRECT` the disk transfers into and out of the frame itself: frames are aligned to 4096 bytes and lie in memory of this
/// process. A file system that has no `O_DIRECT` is used through the kernel's page cache, and `isDirect` says so.
///
/// Any thread may call, holding no lock that a section waits for. The file is locked (`LockedFile`) as long as the object lives.
final class FrameFile: Sendable {
  /// Whether transfers bypass the kernel's page cache.
  let isDirect: Bool
  private let descriptor: Int32
  private let ring: TransferRing?

  /// - Parameter isDirect: whether to ask for `O_DIRECT`.
  /// - Throws: as `LockedFile.open`; `file(.open, errno: EINVAL)` for what is not a regular file.
  /// - Parameter usesRing: whether to write by io_uring where the kernel has it.
  convenience init(path: String, isDirect: Bool = true, usesRing: Bool = true) throws(PageError) {
    let (file, isDirect) = isDirect ? try Self.open(path) : (try LockedFile.open(path), false)
    try self.init(owning: file, isDirect: isDirect, usesRing: usesRing)
  }

  /// A file that the caller has opened for reading and writing, and locked. The object closes it, also if this throws.
  convenience init(owning descriptor: Int32) throws(PageError) {
    let flags = fcntl(descriptor, F_GETFL)
    try self.init(owning: descriptor, isDirect: flags >= 0 && flags & cp_direct_flag() != 0, usesRing: true)
  }

  init(owning file: Int32, isDirect: Bool, usesRing: Bool) throws(PageError) {
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(file)
      throw .file(.open, errno: EINVAL)
    }
    descriptor = file
    self.isDirect = isDirect
    // Writes through the kernel's page cache return at once by themselves.
    ring = usesRing && isDirect ? TransferRing() : nil
  }

  deinit { close(descriptor) }

  private static func open(_ path: String) throws(PageError) -> (Int32, isDirect: Bool) {
    do throws(PageError) {
      return (try LockedFile.open(path, flags: cp_direct_flag()), true)
    } catch {
      // What a file system says that does not know the flag. Any other error comes back without the flag.
      guard error == .file(.open, errno: EINVAL) else { throw error }
      return (try LockedFile.open(path), false)
    }
  }

  /// The file's length in bytes.
  func byteCount() throws(PageError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .file(.inspect, errno: errno) }
    return Int(status.st_size)
  }

  /// Sets the length (`ftruncate(2)`). What is added reads as zeroes.
  func setByteCount(_ count: Int) throws(PageError) {
    while ftruncate(descriptor, off_t(count)) != 0 {
      guard errno == EINTR else { throw .file(.resize, errno: errno) }
    }
  }

  /// Gives back the blocks of whole pages, which read as zeroes then (`fallocate(2)` with `FALLOC_FL_PUNCH_HOLE`).
  func punchHole(_ pages: Range<Int>) throws(PageError) {
    while true {
      let result = cp_punch_hole(descriptor, pages.lowerBound * Page.size, pages.count * Page.size)
      if result == 0 { return }
      guard result == -EINTR else { throw .file(.punch, errno: -result) }
    }
  }

  /// Returns when the disk has all that was written before (`fdatasync(2)`).
  func sync() throws(PageError) {
    while fdatasync(descriptor) != 0 {
      guard errno == EINTR else { throw .file(.sync, errno: errno) }
    }
  }

  /// Reads into `frames` from page `page` on. Returns the bytes that the file had there: fewer at its end.
  func read(from page: Int, into frames: [FrameBytes]) throws(PageError) -> Int {
    try transfer(frames, from: page, isWrite: false)
  }

  /// Writes all of `frames`, from page `page` on.
  func write(from page: Int, _ frames: [FrameBytes]) throws(PageError) {
    // A file that takes nothing more and does not say why has no room.
    if try transfer(frames, from: page, isWrite: true) < frames.count * Page.size { throw .file(.write, errno: ENOSPC) }
  }

  /// Writes stretches of consecutive pages, many at once. Returns which were written whole; nil where there is no io_uring. Of the others
  /// any part may have been written, so they are to be written again, by a call that says what is wrong.
  func writeTogether(_ stretches: [(page: Int, frames: ArraySlice<FrameBytes>)]) -> [Bool]? {
    guard let ring else { return nil }
    let all = stretches.map { stretch in
      TransferRing.Stretch(
        page: stretch.page, vectors: Self.vectors(stretch.frames), byteCount: stretch.frames.count * Page.size)
    }
    return ring.write(all, to: descriptor)
  }

  /// A short transfer goes on at the start of the page that it stopped in: direct transfers begin and end at pages. Returns the
  /// bytes that were transferred once a transfer makes no progress.
  private func transfer(_ frames: [FrameBytes], from page: Int, isWrite: Bool) throws(PageError) -> Int {
    let total = frames.count * Page.size
    var done = 0
    while done < total {
      let first = done / Page.size
      let vectors = Self.vectors(frames[first...])
      let offset = off_t((page + first) * Page.size)
      let count = vectors.withUnsafeBufferPointer { vectors in
        isWrite
          ? pwritev(descriptor, vectors.baseAddress, Int32(vectors.count), offset)
          : preadv(descriptor, vectors.baseAddress, Int32(vectors.count), offset)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .file(isWrite ? .write : .read, errno: errno)
      }
      let reached = first * Page.size + count
      guard reached > done else { return done }
      done = reached
    }
    return total
  }

  /// Neighbours in memory become one vector. At most as many as one call takes (`IOV_MAX`).
  private static func vectors(_ frames: ArraySlice<FrameBytes>) -> [iovec] {
    var vectors: [iovec] = []
    for frame in frames {
      if let last = vectors.last, last.iov_base + last.iov_len == frame.address {
        vectors[vectors.count - 1].iov_len += Page.size
      } else if vectors.count < 1024 {
        vectors.append(iovec(iov_base: frame.address, iov_len: Page.size))
      } else {
        break
      }
    }
    return vectors
  }
}
