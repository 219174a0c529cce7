import Glibc

/// Anything that ends a run, in words for the person who started it.
struct Failure: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) {
    self.description = description
  }

  /// A failed system call, with the errors that a person can do something about explained.
  init(_ action: String, _ path: String, errno code: Int32) {
    let reason =
      switch code {
      case ENOSPC: "the disk is full"
      case EDQUOT: "the disk quota is used up"
      case EFBIG: "the file would exceed the largest size allowed"
      case EROFS: "the file system is read-only"
      default: String(cString: strerror(code))
      }
    self.init("cannot \(action) \(path): \(reason)")
  }
}
