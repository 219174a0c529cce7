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
  /// Also if the swap file or the disk is full, or if a frame has too many references. Also if a long-term pin cannot
  /// move its page.
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
  /// `EIO`: the real file behind an image or a page cache was truncated, or its disk failed.
  case inputOutput
  /// `EROFS`: writing to what can only be read.
  case readOnly
  /// A real file, or the file behind a machine's memory, cannot be used: what was tried, and why the kernel refused.
  case file(FileStep, errno: Int32)

  /// What is done with a real file, named as the message has it.
  public enum FileStep: String, Sendable {
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
    /// `pwrite(2)`, or a call that does the same.
    case write
    /// `ftruncate(2)`, or a call that does the same.
    case resize
    /// `fallocate(2)`, or a call that does the same.
    case punch
    /// `fsync(2)`, or a call that does the same.
    case sync
  }

  /// The error for an errno that a system call left: `outOfMemory` if there was no memory for it.
  init(_ step: FileStep, errno: Int32) {
    self = errno == ENOMEM || errno == ENOSPC ? .outOfMemory : .file(step, errno: errno)
  }

  /// The number that a system call gives for it, or nil for the two that are signals, not numbers.
  public var errno: Int32? {
    switch self {
    case .badAddress: EFAULT
    case .invalidArgument: EINVAL
    case .outOfMemory: ENOMEM
    case .tryAgain: EAGAIN
    case .busy: EBUSY
    case .alreadyMapped: EEXIST
    case .notPermitted: EPERM
    case .inputOutput: EIO
    case .readOnly: EROFS
    case .file(_, let errno): errno
    case .segmentationViolation, .busError: nil
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
    case .busError: "SIGBUS"
    case .inputOutput: "EIO"
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
    case EINVAL: "EINVAL"
    default: "errno \(code)"
    }
  }

  /// The Linux name. For a file's error also what was tried, and what the name means (`strerror(3)`).
  public var description: String {
    guard case .file(let step, let errno) = self else { return name }
    return "\(name): cannot \(step.rawValue) the file: \(String(cString: strerror(errno)))"
  }
}
