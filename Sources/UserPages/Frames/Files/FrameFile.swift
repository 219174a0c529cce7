import CPlatform
import Glibc

/// A real file that is read into frames and written from them, several pages with one system call.
///
/// With `O_DIRECT` the disk transfers into and out of the frame itself: frames are aligned to 4096 bytes and lie in
/// memory of this process. A file system that has no `O_DIRECT` is used through the kernel's page cache, and `isDirect`
/// says so.
///
/// Any thread may call, holding no lock that a section waits for. The file is locked (`LockedFile`) as long as the
/// object lives.
final class FrameFile: Sendable {
  /// Whether transfers bypass the kernel's page cache.
  let isDirect: Bool
  private let descriptor: Int32
  private let rings: TransferRings?
  private let faults: TransferFaults?

  /// - Parameters:
  ///   - path: of the file.
  ///   - isDirect: whether to ask for `O_DIRECT`.
  ///   - usesRing: whether to use io_uring where the kernel has it.
  ///   - faults: what goes wrong on purpose. For tests.
  /// - Throws:
  ///   - what `LockedFile.open` throws.
  ///   - `file(.open, errno: EINVAL)` if it is not a regular file.
  convenience init(
    path: String, isDirect: Bool = true, usesRing: Bool = true, faults: TransferFaults? = nil
  ) throws(PageError) {
    let (file, isDirect) = isDirect ? try Self.open(path) : (try LockedFile.open(path), false)
    try self.init(owning: file, isDirect: isDirect, usesRing: usesRing, faults: faults)
  }

  /// A file that the caller has opened for reading and writing, and locked. The object closes it, also if this throws.
  convenience init(owning descriptor: Int32, usesRing: Bool = true) throws(PageError) {
    let flags = fcntl(descriptor, F_GETFL)
    let isDirect = flags >= 0 && flags & cp_direct_flag() != 0
    try self.init(owning: descriptor, isDirect: isDirect, usesRing: usesRing)
  }

  init(owning file: Int32, isDirect: Bool, usesRing: Bool, faults: TransferFaults? = nil) throws(PageError) {
    var status = stat()
    let failure: PageError? =
      fstat(file, &status) != 0
      ? .file(.inspect, errno: errno) : status.st_mode & S_IFMT != S_IFREG ? .file(.open, errno: EINVAL) : nil
    if let failure {
      close(file)
      throw failure
    }
    descriptor = file
    self.isDirect = isDirect
    self.faults = faults
    // Transfers through the kernel's page cache are copies, which a ring does one after the other.
    rings = usesRing && isDirect ? TransferRings() : nil
  }

  /// Whether stretches are transferred side by side, by io_uring.
  var usesRing: Bool { rings != nil }

  /// Runs `body` with a ring, as a transfer does. For tests.
  func withRing(_ body: (TransferRing) -> Void) { _ = rings?.withRing(body) }

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
    // Where no file has bytes, the kernel says so for a range that can be counted in bytes.
    guard pages.lowerBound >= 0, pages.upperBound <= Int.max / Page.size else { throw .file(.punch, errno: EINVAL) }
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

  /// What became of a stretch that was transferred beside others.
  enum Outcome: Equatable {
    /// All of it was transferred.
    case whole
    /// Any part of it may have been. A call for it alone finishes it, or says what is wrong.
    case again
    case failed(errno: Int32)
  }

  /// Reads or writes stretches of consecutive pages, many at once. Returns nil if there is no ring to do it.
  func transferTogether(
    _ stretches: [(page: Int, frames: ArraySlice<FrameBytes>)], isWrite: Bool
  ) -> [Outcome]? {
    rings?.withRing { ring in
      let planned = stretches.map { stretch in fault(of: stretch.frames, stretch.page, isWrite, isTogether: true) }
      // A stretch of which a test wants nothing transferred is not submitted.
      let submitted = stretches.indices.filter { planned[$0]?.transferring != 0 }
      let transfers = submitted.map { index in
        let vectors = Self.vectors(stretches[index].frames)
        return TransferRing.Stretch(
          page: stretches[index].page, vectors: planned[index].map { Self.prefix(vectors, $0.transferring) } ?? vectors)
      }
      var results = [Int](repeating: 0, count: stretches.count)
      for (index, result) in zip(submitted, ring.transfer(transfers, isWrite: isWrite, descriptor)) {
        results[index] = result
      }
      for (index, plan) in planned.enumerated() { if let plan { results[index] = plan.result } }
      return zip(results, stretches).map { Self.outcome($0, byteCount: $1.frames.count * Page.size) }
    }
  }

  /// A short transfer is done once more. So is one that the kernel did not carry out, for lack of memory or because the
  /// ring cannot do it here. Any other error is the disk's.
  private static func outcome(_ result: Int, byteCount: Int) -> Outcome {
    if result >= 0 { return result == byteCount ? .whole : .again }
    switch Int32(-result) {
    case EINTR, EAGAIN, EBUSY, ECANCELED, ENOMEM, EINVAL, EOPNOTSUPP, ENOSYS: return .again
    case let errno: return .failed(errno: errno)
    }
  }

  /// How often in a row the kernel may say `EAGAIN`.
  private static let patience = 64

  /// A short transfer goes on at the start of the page that it stopped in: direct transfers begin and end at pages.
  /// Returns the bytes that were transferred once a transfer makes no progress.
  private func transfer(_ frames: [FrameBytes], from page: Int, isWrite: Bool) throws(PageError) -> Int {
    let total = frames.count * Page.size
    var (done, refusals) = (0, 0)
    while done < total {
      let first = done / Page.size
      let count = transferOnce(frames[first...], from: page + first, isWrite: isWrite)
      if count < 0 {
        if count == -Int(EINTR) { continue }
        if count == -Int(EAGAIN), refusals < Self.patience {
          refusals += 1
          sched_yield()
          continue
        }
        throw .file(isWrite ? .write : .read, errno: Int32(-count))
      }
      let reached = first * Page.size + count
      guard reached > done else { return done }
      (done, refusals) = (reached, 0)
    }
    return total
  }

  /// One system call. Returns bytes, or a negated errno.
  private func transferOnce(_ frames: ArraySlice<FrameBytes>, from page: Int, isWrite: Bool) -> Int {
    let fault = fault(of: frames, page, isWrite, isTogether: false)
    let vectors = fault.map { Self.prefix(Self.vectors(frames), $0.transferring) } ?? Self.vectors(frames)
    let offset = off_t(page * Page.size)
    let count = vectors.withUnsafeBufferPointer { vectors in
      isWrite
        ? pwritev(descriptor, vectors.baseAddress, Int32(vectors.count), offset)
        : preadv(descriptor, vectors.baseAddress, Int32(vectors.count), offset)
    }
    if let fault { return fault.result }
    return count < 0 ? -Int(errno) : count
  }

  private func fault(
    of frames: ArraySlice<FrameBytes>, _ page: Int, _ isWrite: Bool, isTogether: Bool
  ) -> TransferFault? {
    faults?(Transfer(page: page, pageCount: frames.count, isWrite: isWrite, isTogether: isTogether))
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

  /// The first `count` bytes of vectors.
  private static func prefix(_ vectors: [iovec], _ count: Int) -> [iovec] {
    var left = count
    return vectors.compactMap { vector in
      let part = min(left, vector.iov_len)
      left -= part
      return part > 0 ? iovec(iov_base: vector.iov_base, iov_len: part) : nil
    }
  }
}
