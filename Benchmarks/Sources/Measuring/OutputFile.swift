import Foundation

/// A file for a report or a picture, opened before anything is measured, so that a path that cannot be written ends the
/// tool at once and not after all the rounds.
///
/// A file that was there keeps its contents until the report is written. One that this object created and never wrote
/// is removed.
public final class OutputFile {
  public var path: String { file.path }
  private let file: LockedFile
  private var isWritten = false

  /// Opens `path`. `others` are the files that the tool uses besides, by what they are: writing over them is refused.
  public init(_ path: String, option: String, others: [(name: String, path: String)] = []) throws(Failure) {
    for other in others where !Self.isSpecial(path) && FileIdentity.areSame(path, other.path) {
      throw Failure("cannot use \(path) for \(option): it is \(other.name)")
    }
    file = try LockedFile(path, access: O_WRONLY, creation: .ifAbsent, allowsSpecialFiles: true)
  }

  deinit {
    if file.isNew && !isWritten { file.remove() }
  }

  /// Whether `path` is a device or a pipe, which any number of reports may be written to.
  private static func isSpecial(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG && status.st_mode & S_IFMT != S_IFDIR
  }

  public func write(_ bytes: some Sequence<UInt8>) throws(Failure) {
    isWritten = true
    if file.isRegular { try file.truncate(to: 0) }
    try Standard.write(Array(bytes), to: file.descriptor, name: file.path)
  }

  /// Writes `value` as JSON, keys sorted, so that two reports can be compared line by line.
  public func write(json value: some Encodable) throws(Failure) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let data: Data
    do { data = try encoder.encode(value) } catch { throw Failure("cannot write \(path) as JSON: \(error)") }
    try write(data + [0x0a])
  }
}
