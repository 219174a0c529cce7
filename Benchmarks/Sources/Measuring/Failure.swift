import CBenchmark
import Glibc

/// What ends a tool, in words for the person at the terminal.
public struct Failure: Error, CustomStringConvertible, Sendable {
  public var description: String

  public init(_ description: String) {
    self.description = description
  }

  /// A failed system call: what was tried, on which path, why, and the name of the errno value.
  public init(_ action: String, _ path: String, errno code: Int32) {
    self.init("cannot \(action) \(path): \(Self.reason(code))")
  }

  /// The reason that `code` stands for, with the errors that a person can do something about explained.
  public static func reason(_ code: Int32) -> String {
    let text =
      switch code {
      case ENOSPC: "the disk is full"
      case EDQUOT: "the disk quota is used up"
      case EFBIG: "the file would exceed the largest size allowed"
      case EROFS: "the file system is read-only"
      case EMFILE: "this process may open no more files"
      case ENFILE: "the system may open no more files"
      default: String(cString: errno_description(code))
      }
    return "\(text) (\(String(cString: errno_name(code))))"
  }
}
