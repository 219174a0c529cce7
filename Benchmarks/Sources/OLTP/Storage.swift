import CBenchmark
import Glibc
import Measuring
import UserPages

/// How pages travel between frames and the disk.
enum IOMode: String, Sendable {
  /// `O_DIRECT`: the disk transfers into and out of the pinned frame.
  case direct
  /// Through the kernel's page cache, because the file system refuses `O_DIRECT`.
  case buffered
  /// No disk: a copy between the frame and a copy of the database in memory.
  case memory
}

/// Where pages are read from and written to, given the addresses of frames that stay.
final class Storage: @unchecked Sendable {
  // Sendable: its fields never change; its users keep transfers of one page apart.
  private let path: String
  private let descriptor: Int32
  /// The database's own, by which it is locked. The file outlives the storage.
  private let locked: Int32
  private let mode: IOMode
  private let copy: UnsafeMutableRawBufferPointer

  /// The locked `file`, opened a second time for `mode`. The caller keeps it locked.
  init(_ file: LockedFile, mode: IOMode, synchronous: Bool = false) throws(Failure) {
    path = file.path
    locked = file.descriptor
    self.mode = mode
    copy = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    descriptor = try file.reopen(O_RDWR | (synchronous ? O_DSYNC : 0) | (mode == .direct ? direct_io_flag() : 0))
  }

  /// A stretch of memory in place of a file; its pages come into being when they are written.
  init(memoryPages: Int) throws(Failure) {
    path = "the copy in memory"
    descriptor = -1
    locked = -1
    mode = .memory
    let size = memoryPages * Page.size
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let address = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0), address != MAP_FAILED else {
      throw Failure("reserve \(size >> 20) MiB for", path, errno: errno)
    }
    copy = UnsafeMutableRawBufferPointer(start: address, count: size)
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
    if let address = copy.baseAddress { munmap(address, copy.count) }
  }

  /// Whether the file system of `file` has `O_DIRECT`. Throws if the file cannot be opened without it either.
  static func allowsDirectIO(_ file: LockedFile) throws(Failure) -> Bool {
    let descriptor: Int32
    do throws(Failure) { descriptor = try file.reopen(O_RDONLY | direct_io_flag()) } catch {
      close(try file.reopen(O_RDONLY))
      return false
    }
    defer { close(descriptor) }
    let page = AlignedMemory(pages: 1)
    return pread(descriptor, page.address, Page.size, 0) == Page.size
  }

  var memory: UnsafeMutableRawBufferPointer? { copy.baseAddress == nil ? nil : copy }

  /// The file as a store of pages; nil for a copy in memory.
  ///
  /// A transfer by io_uring may outlive a process that is killed. What it uses keeps the file locked until it is over:
  /// the same open file, not another one. Otherwise the next process could recover a page, and the transfer then
  /// overwrite it. So from here on all that goes through the locked file is direct, which whole pages are.
  func openPages() throws(Failure) -> DirectFile? {
    if descriptor < 0 { return nil }
    let again = dup(locked)
    if again < 0 { throw Failure("open", path, errno: errno) }
    if mode == .direct, fcntl(again, F_SETFL, fcntl(again, F_GETFL) | direct_io_flag()) != 0 {
      let code = errno
      close(again)
      throw Failure("use O_DIRECT for", path, errno: code)
    }
    do { return try DirectFile(owning: again) } catch { throw Failure("open", path, errno: error.errno ?? EIO) }
  }

  /// What the library's error means for pages of this file.
  func failure(_ action: String, _ count: Int, _ page: Int, _ error: PageError) -> Failure {
    if error == .file(.readWhole, errno: EIO) { return Failure("\(path) is truncated: page \(page) is not whole") }
    let pages = count == 1 ? "page \(page) of" : "\(count) pages from page \(page) on of"
    return Failure("\(action) \(pages)", path, errno: error.errno ?? EIO)
  }

  /// Copies a page out of a copy in memory.
  func copy(_ page: Int, into bytes: UnsafeMutableRawBufferPointer) throws(Failure) {
    try check(page, 1)
    bytes.copyMemory(from: UnsafeRawBufferPointer(rebasing: copy[(page * Page.size)..<((page + 1) * Page.size)]))
  }

  /// Copies a page into a copy in memory.
  func copy(_ bytes: UnsafeMutableRawBufferPointer, to page: Int) throws(Failure) {
    try check(page, 1)
    UnsafeMutableRawBufferPointer(rebasing: copy[(page * Page.size)..<((page + 1) * Page.size)])
      .copyMemory(from: UnsafeRawBufferPointer(bytes))
  }

  /// Writes `count` pages side by side, from wherever the vectors say.
  func write(_ vectors: [iovec], _ count: Int, to page: Int) throws(Failure) {
    guard descriptor >= 0 else {
      for (index, vector) in vectors.enumerated() {
        try copy(UnsafeMutableRawBufferPointer(start: vector.iov_base, count: vector.iov_len), to: page + index)
      }
      return
    }
    while true {
      let done = pwritev(descriptor, vectors, Int32(vectors.count), page * Page.size)
      if done == count * Page.size { return }
      if done < 0 && errno == EINTR { continue }
      throw Failure("write \(count) pages from page \(page) on of", path, errno: done < 0 ? errno : ENOSPC)
    }
  }

  /// Takes disk space for the first `size` bytes.
  func reserve(_ size: Int) throws(Failure) {
    if descriptor < 0 { return try check(0, size / Page.size) }
    let code = posix_fallocate(descriptor, 0, size)
    // A file system that cannot: a full disk is then found by a write.
    if code != 0, code != EOPNOTSUPP, code != EINVAL { throw Failure("take disk space for", path, errno: code) }
  }

  private func check(_ page: Int, _ count: Int) throws(Failure) {
    if (page + count) * Page.size > copy.count { throw Failure("\(path) is full: it ends before page \(page + count)") }
  }
}
