import Foundation

/// A failed system call: `No such file or directory (ENOENT)`.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The errno of the call.
  public var code: Int32

  public init(code: Int32) { self.code = code }

  /// The error of the system call that has just failed. Read it before any other call can change errno.
  public static var last: SystemError { SystemError(code: errno) }

  public var description: String {
    let name = POSIXErrorCode(rawValue: code).map { "\($0)" } ?? "errno \(code)"
    return "\(String(cString: strerror(code))) (\(name))"
  }
}
