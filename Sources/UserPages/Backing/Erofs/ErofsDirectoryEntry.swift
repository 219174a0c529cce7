/// One name in a directory.
public struct ErofsDirectoryEntry: Equatable, Sendable {
  /// The name's bytes, which need not be text.
  public let name: [UInt8]
  public let node: ErofsNodeID
  /// The type as the directory states it; nil where it states none that is known. The inode has the last word.
  public let type: ErofsFileType?

  /// The name as text, with what is not UTF-8 replaced.
  public var text: String { String(decoding: name, as: UTF8.self) }

  /// Whether this is the entry of the directory itself or of its parent.
  public var isDot: Bool { name == [0x2e] || name == [0x2e, 0x2e] }
}
