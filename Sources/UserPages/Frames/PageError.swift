import Glibc

/// Why an operation did not happen, named as on Linux.
public enum PageError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `EFAULT`: no mapping there, or a page that cannot be pinned. Also a mapping that does not allow a pin, a mirror's
  /// access or a remote one.
  case badAddress
  /// `EINVAL`: an argument that no address space could honour.
  case invalidArgument
  /// `ENOMEM`: no frame is free, even after reclaim, or a range is not mapped.
  ///
  /// Also if the swap file is full, or if a frame has too many references. Also if a long-term pin cannot move its
  /// page, or if the process lacks the address space. Memory that a system call on a file lacks is `file`, with
  /// `ENOMEM`.
  case outOfMemory
  /// `EAGAIN`: not without doing what the caller excluded.
  case tryAgain
  /// `EBUSY`: a pin is in the way, or the swap file or a page cache's file has another user.
  case busy
  /// `EEXIST`: a mapping is there that was not to be replaced.
  case alreadyMapped
  /// `EPERM`: the range is sealed.
  case notPermitted
  /// `SIGSEGV`: the program touched what is not mapped, or not with that permission.
  case segmentationViolation
  /// `SIGBUS`: the mapping is there, what it shows is not (past the end of a file or an image).
  case busError
  /// `SIGBUS`: a file has the page, and it could not be read, or takes no store. What was tried, and why it failed.
  ///
  /// A program gets it where a pin gets `badAddress`, as on Linux.
  case busErrorOfFile(FileStep, errno: Int32)
  /// `EROFS`: writing to what can only be read.
  case readOnly
  /// A real file, the file behind a machine's memory, or a store cannot be used: what was tried, and why it failed.
  ///
  /// `EIO` if the disk failed, or the file was truncated. The kernel's errno, `ENOMEM` and `ENOSPC` included.
  case file(FileStep, errno: Int32)

  /// What is done with a real file, named as the message has it.
  public enum FileStep: String, CaseIterable, Sendable {
    /// `open(2)`, or a call that does the same.
    case open
    /// `fstat(2)`, or a call that does the same.
    case inspect
    /// `flock(2)`, or a call that does the same.
    case lock
    /// `memfd_create(2)`, or a call that does the same.
    case create
    /// `mmap(2)`, or a call that does the same.
    case map
    /// `pread(2)`, or a call that does the same.
    case read
    /// The same, of a page that the file had and has no longer: another program has truncated it.
    case readWhole = "read all of"
    /// `pwrite(2)`, or a call that does the same.
    case write
    /// `ftruncate(2)`, or a call that does the same.
    case resize
    /// `fallocate(2)`, or a call that does the same.
    case punch
    /// `fsync(2)`, or a call that does the same.
    case sync
  }

  /// What an access or a fault gets if the backing that it asks fails with this error (`vmf_error`). That is `SIGBUS`,
  /// if memory is not what is lacking.
  var ofFault: PageError {
    switch self {
    case .file(let step, let errno) where errno != ENOMEM: .busErrorOfFile(step, errno: errno)
    case .file, .busErrorOfFile, .outOfMemory: self
    default: .busError
    }
  }

  /// What an access gets to a page that the file behind its image has lost.
  static let pageOfFileIsLost = PageError.busErrorOfFile(.readWhole, errno: EIO)

  /// Whether it is `ENOMEM`: `outOfMemory`, or a system call on a file that lacked memory.
  package var isLackOfMemory: Bool { errno == ENOMEM }

  /// The number that a system call gives for it, or nil for those that are signals, not numbers.
  public var errno: Int32? {
    switch self {
    case .badAddress: EFAULT
    case .invalidArgument: EINVAL
    case .outOfMemory: ENOMEM
    case .tryAgain: EAGAIN
    case .busy: EBUSY
    case .alreadyMapped: EEXIST
    case .notPermitted: EPERM
    case .readOnly: EROFS
    case .file(_, let errno): errno
    case .segmentationViolation, .busError, .busErrorOfFile: nil
    }
  }

  /// The Linux name, `ENOENT` for one.
  public var name: String {
    switch self {
    case .badAddress: "EFAULT"
    case .invalidArgument: "EINVAL"
    case .outOfMemory: "ENOMEM"
    case .tryAgain: "EAGAIN"
    case .busy: "EBUSY"
    case .alreadyMapped: "EEXIST"
    case .notPermitted: "EPERM"
    case .segmentationViolation: "SIGSEGV"
    case .busError, .busErrorOfFile: "SIGBUS"
    case .readOnly: "EROFS"
    case .file(_, let errno): Self.name(of: errno)
    }
  }

  private static func name(of code: Int32) -> String {
    switch code {
    case ENOENT: "ENOENT"
    case EACCES: "EACCES"
    case EPERM: "EPERM"
    case EISDIR: "EISDIR"
    case ENOTDIR: "ENOTDIR"
    case ELOOP: "ELOOP"
    case ENAMETOOLONG: "ENAMETOOLONG"
    case EMFILE: "EMFILE"
    case ENFILE: "ENFILE"
    case ENODEV: "ENODEV"
    case ENXIO: "ENXIO"
    case EROFS: "EROFS"
    case ETXTBSY: "ETXTBSY"
    case EFBIG: "EFBIG"
    case EIO: "EIO"
    case ENOSPC: "ENOSPC"
    case EDQUOT: "EDQUOT"
    case EINVAL: "EINVAL"
    case ENOMEM: "ENOMEM"
    case EAGAIN: "EAGAIN"
    case EBUSY: "EBUSY"
    case EBADF: "EBADF"
    case EOPNOTSUPP: "EOPNOTSUPP"
    default: "errno \(code)"
    }
  }

  /// The Linux name. For a file's error also what was tried, and what the name means (`strerror(3)`).
  public var description: String {
    switch self {
    case .file(let step, let errno), .busErrorOfFile(let step, let errno):
      return "\(name): cannot \(step.rawValue) the file: \(String(cString: strerror(errno)))"
    default:
      return name
    }
  }
}
