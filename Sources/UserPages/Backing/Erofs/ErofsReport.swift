/// What a verification of an image found.
public struct ErofsReport: Sendable {
  /// Something that is wrong, and where.
  public struct Problem: Sendable {
    /// The path below where the verification began.
    public let path: [UInt8]
    public let error: ErofsError

    /// The path as text, with what is not UTF-8 replaced.
    public var text: String { String(decoding: path, as: UTF8.self) }
  }

  /// At most this many problems are kept; the others are only counted.
  public static let keptProblems = 100

  /// Files of each type, by their inodes: a file with many names counts once.
  public internal(set) var files: [ErofsFileType: Int] = [:]
  /// Names, including that where the verification began.
  public internal(set) var names = 0
  /// Bytes of regular files.
  public internal(set) var bytes = 0
  /// Pages that can be mapped where they lie in the image.
  public internal(set) var blocks = 0
  /// Pages that must be copied, because they are packed beside their inodes.
  public internal(set) var tails = 0
  /// Pages that take no space.
  public internal(set) var holes = 0
  /// The first problems that were found.
  public private(set) var problems: [Problem] = []
  /// How many problems were found.
  public private(set) var problemCount = 0

  mutating func add(_ error: ErofsError, at path: [UInt8]) {
    problemCount += 1
    if problems.count < Self.keptProblems {
      problems.append(Problem(path: path, error: error))
    }
  }
}
