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
  /// `EBUSY`: somebody's pin is in the way.
  case busy
  /// `SIGSEGV`: the program touched what is not mapped, or not with that permission.
  case segmentationViolation
  /// `SIGBUS`: the mapping is there, what it shows is not (past the end of a file or an image).
  case busError
  /// `EROFS`: writing to what can only be read.
  case readOnly

  /// The Linux name.
  public var name: String {
    switch self {
    case .badAddress: "EFAULT"
    case .invalidArgument: "EINVAL"
    case .outOfMemory: "ENOMEM"
    case .tryAgain: "EAGAIN"
    case .busy: "EBUSY"
    case .segmentationViolation: "SIGSEGV"
    case .busError: "SIGBUS"
    case .readOnly: "EROFS"
    }
  }

  public var description: String { name }
}
