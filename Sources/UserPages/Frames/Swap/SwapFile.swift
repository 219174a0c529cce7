import Glibc

/// Where pages of anonymous memory and of memory files go, and how many fit: what `swapon(2)` is told.
///
/// Pages go there that are advised out of memory (`advise(at:pages:_:)` with `pageOut`), or reclaimed.
///
/// The contents are no data to keep: they mean nothing to another machine, and are overwritten without asking.
public struct SwapFile: Equatable, Sendable {
  /// How many pages of 4096 bytes fit.
  public let pages: Int
  /// The path of the real file, or nil for a temporary one without a name.
  public let path: String?

  /// No slots: no page ever leaves memory, and paging out fails with `outOfMemory`.
  public static let none = SwapFile(pages: 0, path: nil)

  /// A file without a name in `$TMPDIR`, else in `/var/tmp`. It is made when the first page goes there, and gone with
  /// the machine. It takes as much disk as pages have been out at once.
  public static func temporary(pages: Int) -> SwapFile { SwapFile(pages: pages, path: nil) }

  /// The real file at `path`, made if there is none, opened and locked with the machine. It stays when the machine
  /// goes.
  ///
  /// One machine at a time may use it, of this process or another: for a second one `PhysicalMemory.init` throws
  /// `busy`.
  public static func file(at path: String, pages: Int) -> SwapFile { SwapFile(pages: pages, path: path) }
}

/// The real file behind a swap area.
///
/// A file with a name is locked (`flock(2)`) as long as the machine lives: two machines would overwrite each other's
/// pages.
final class SwapStore: @unchecked Sendable {
  /// What a test has in the way of writes: called with a stretch of slots before it is written. False makes the write
  /// fail.
  typealias WriteHook = @Sendable (_ first: SwapSlot, _ count: Int) -> Bool

  let pages: Int
  let writeHook = Guarded<WriteHook?>(nil)
  // Opened once, guarded by itself. It is -2 before the first use, and -1 if it could not be opened.
  private let file: Guarded<Int32>

  /// - Throws:
  ///   - `busy` if another machine uses the file that is named, in this process or another.
  ///   - `file`, with the errno, if it cannot be opened or is neither a regular file nor a block device.
  init(_ place: SwapFile) throws(PageError) {
    pages = place.pages
    var descriptor: Int32 = -2
    if let path = place.path, pages > 0 { descriptor = try LockedFile.open(path) }
    file = Guarded(descriptor)
  }

  deinit { file.withLock { if $0 >= 0 { close($0) } } }

  private var descriptor: Int32 {
    file.withLock { file in
      if file == -2 { file = Self.openTemporary() }
      return file
    }
  }

  private static func openTemporary() -> Int32 {
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
    // O_TMPFILE, which the importer leaves out: a file that never has a name.
    let unnamed = Descriptor.aboveStandardStreams(open(folder, O_RDWR | O_CLOEXEC | O_DIRECTORY | 0o20000000, 0o600))
    if unnamed >= 0 { return unnamed }
    // A file system that does not know it.
    var template = Array("\(folder)/user-pages-swap-XXXXXX".utf8CString)
    let named = Descriptor.aboveStandardStreams(mkstemp(&template))
    guard named >= 0 else { return -1 }
    unlink(template)
    _ = fcntl(named, F_SETFD, FD_CLOEXEC)
    return named
  }

  /// Writes pages to consecutive slots. Returns false if not all of it could be written.
  func write(_ bytes: UnsafeRawBufferPointer, to first: SwapSlot) -> Bool {
    if let hook = writeHook.withLock({ $0 }), !hook(first, bytes.count / Page.size) { return false }
    let descriptor = descriptor
    var done = 0
    while done < bytes.count {
      let part = UnsafeRawBufferPointer(rebasing: bytes[done...])
      let count = pwrite(descriptor, part.baseAddress, part.count, off_t(first.index * Page.size + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  /// Reads a slot.
  ///
  /// - Throws: `file` with the errno. `readWhole` if another program has cut the file.
  func read(_ slot: SwapSlot, into bytes: FrameBytes) throws(PageError) {
    let descriptor = descriptor
    var done = 0
    while done < Page.size {
      let count = pread(descriptor, bytes.address + done, Page.size - done, off_t(slot.index * Page.size + done))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw count < 0 ? .file(.read, errno: errno) : .file(.readWhole, errno: EIO) }
      done += count
    }
  }
}
