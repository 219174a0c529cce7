import Glibc

/// Why an operation did not happen, named as on Linux.
public enum PageError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `EFAULT`: no mapping there, or none that may be pinned this way.
  case badAddress
  /// `EINVAL`: an argument that no address space could honour.
  case invalidArgument
  /// `ENOMEM`: no frame to be had, even after waiting for the deferred frees; or a range that is not mapped.
  case outOfMemory
  /// `EAGAIN`: not without doing what the caller excluded.
  case tryAgain
  /// `EBUSY`: a pin is in the way, or another machine uses the swap file.
  case busy
  /// `SIGSEGV`: the program touched what is not mapped, or not with that permission.
  case segmentationViolation
  /// `SIGBUS`: the mapping is there, what it shows is not (past the end of a file or an image).
  case busError
  /// `EIO`: the real file behind an image was truncated, or its disk failed.
  case inputOutput
  /// `EROFS`: writing to what can only be read.
  case readOnly
  /// A real file cannot be opened, mapped, locked, read or written: `errno` says why.
  case file(errno: Int32)

  /// The error for an errno that a system call left.
  init(code: Int32) { self = code == ENOMEM || code == ENOSPC ? .outOfMemory : .file(errno: code) }

  /// The Linux name, `ENOENT` for one.
  public var name: String {
    switch self {
    case .badAddress: "EFAULT"
    case .invalidArgument: "EINVAL"
    case .outOfMemory: "ENOMEM"
    case .tryAgain: "EAGAIN"
    case .busy: "EBUSY"
    case .segmentationViolation: "SIGSEGV"
    case .busError: "SIGBUS"
    case .inputOutput: "EIO"
    case .readOnly: "EROFS"
    case .file(let code): Self.name(of: code)
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
    case EINVAL: "EINVAL"
    default: "errno \(code)"
    }
  }

  /// The Linux name; for a file's error also what it means, as `strerror(3)` says.
  public var description: String {
    if case .file(let code) = self { "\(name): \(String(cString: strerror(code)))" } else { name }
  }
}
