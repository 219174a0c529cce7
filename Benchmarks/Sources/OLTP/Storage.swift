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

/// Where pages are read from and written to, given the address of a pinned frame.
final class Storage: @unchecked Sendable {
  // Sendable: its fields never change; the caller's latches keep transfers of one page apart.
  private let path: String
  private let descriptor: Int32
  private let copy: UnsafeMutableRawBufferPointer

  /// The locked `file`, opened a second time for `mode`. The caller keeps it locked.
  init(_ file: LockedFile, mode: IOMode, synchronous: Bool = false) throws(Failure) {
    path = file.path
    copy = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    descriptor = try file.reopen(O_RDWR | (synchronous ? O_DSYNC : 0) | (mode == .direct ? direct_io_flag() : 0))
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

  /// Transfers at most 64 pages, which lie side by side on the disk and anywhere in memory.
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

  private func check(_ page: Int, _ count: Int) throws(Failure) {
    if (page + count) * Page.size > copy.count { throw Failure("\(path) is full: it ends before page \(page + count)") }
  }
}
