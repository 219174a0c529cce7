import CBenchmark
import Glibc
import UserPages

/// How pages travel between frames and the disk.
enum IOMode: String, Sendable {
  /// `O_DIRECT`: the disk transfers into and out of the pinned frame.
  case direct
  /// Through the kernel's page cache, where the file system refuses `O_DIRECT`.
  case buffered
  /// No disk: a copy between the frame and a copy of the database in memory.
  case memory
}

/// Where pages are read from and written to, given the address of a pinned frame.
final class Storage: @unchecked Sendable {
  // Sendable: its fields never change; the caller's latches keep transfers of one page apart.
  private let path: String
  private let descriptor: Int32
  private let copy: UnsafeMutableRawBufferPointer

  /// The file at `path`, opened a second time for `mode`. Throws `refused` where there is no `O_DIRECT`.
  init(path: String, mode: IOMode, create: Bool = false, synchronous: Bool = false) throws(Failure) {
    self.path = path
    copy = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    var flags = O_RDWR | O_CLOEXEC
    if create { flags |= O_CREAT | O_TRUNC }
    if synchronous { flags |= O_DSYNC }
    if mode == .direct { flags |= direct_io_flag() }
    descriptor = open(path, flags, 0o644)
    if descriptor < 0 { throw Failure("open", path, errno: errno) }
  }

  /// A stretch of memory in place of a file; its pages come into being when they are written.
  init(memoryPages: Int) throws(Failure) {
    path = "the copy in memory"
    descriptor = -1
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

  /// Whether files in the place of `path` can be read directly: not on every file system.
  static func allowsDirectIO(path: String) -> Bool {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | direct_io_flag())
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    let page = AlignedMemory(pages: 1)
    return pread(descriptor, page.address, Page.size, 0) == Page.size
  }

  var memory: UnsafeMutableRawBufferPointer? { copy.baseAddress == nil ? nil : copy }

  func read(_ page: Int, into frame: UnsafeMutableRawPointer) throws(Failure) {
    if let base = copy.baseAddress {
      try check(page, 1)
      frame.copyMemory(from: base + page * Page.size, byteCount: Page.size)
      return
    }
    try read(page, into: UnsafeMutableRawBufferPointer(start: frame, count: Page.size))
  }

  private func read(_ page: Int, into bytes: UnsafeMutableRawBufferPointer) throws(Failure) {
    while true {
      let count = pread(descriptor, bytes.baseAddress, bytes.count, page * Page.size)
      if count == bytes.count { return }
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw Failure("read page \(page) of", path, errno: errno) }
      throw Failure("\(path) is truncated: page \(page) has \(count) bytes")
    }
  }

  func write(_ page: Int, from frame: UnsafeMutableRawPointer) throws(Failure) {
    if let base = copy.baseAddress {
      try check(page, 1)
      (base + page * Page.size).copyMemory(from: frame, byteCount: Page.size)
      return
    }
    while true {
      let count = pwrite(descriptor, frame, Page.size, page * Page.size)
      if count == Page.size { return }
      if count < 0 && errno == EINTR { continue }
      throw Failure("write page \(page) of", path, errno: count < 0 ? errno : ENOSPC)
    }
  }

  /// Many pages that lie side by side on the disk and anywhere in memory. At most 64.
  func transfer(_ frames: UnsafeBufferPointer<iovec>, at page: Int, writing: Bool) throws(Failure) {
    if let base = copy.baseAddress {
      try check(page, frames.count)
      for (index, frame) in frames.enumerated() {
        let here = base + (page + index) * Page.size
        if writing {
          here.copyMemory(from: frame.iov_base, byteCount: Page.size)
        } else {
          frame.iov_base.copyMemory(from: here, byteCount: Page.size)
        }
      }
      return
    }
    while true {
      let count =
        writing
        ? pwritev(descriptor, frames.baseAddress, Int32(frames.count), page * Page.size)
        : preadv(descriptor, frames.baseAddress, Int32(frames.count), page * Page.size)
      if count == frames.count * Page.size { return }
      if count < 0 && errno == EINTR { continue }
      let code = count < 0 ? errno : writing ? ENOSPC : EIO
      throw Failure("\(writing ? "write" : "read") \(frames.count) pages from page \(page) on of", path, errno: code)
    }
  }

  /// Takes disk space for the first `pages` pages.
  func reserve(pages: Int) throws(Failure) {
    guard descriptor >= 0 else { return }
    let code = posix_fallocate(descriptor, 0, pages * Page.size)
    if code != 0 && code != EOPNOTSUPP { throw Failure("take disk space for", path, errno: code) }
  }

  private func check(_ page: Int, _ count: Int) throws(Failure) {
    if (page + count) * Page.size > copy.count { throw Failure("\(path) is full: it ends before page \(page + count)") }
  }
}
