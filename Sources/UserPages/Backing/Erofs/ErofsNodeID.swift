/// The number of an inode: its position in the image's metadata area, in units of 32 bytes.
public struct ErofsNodeID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64

  public init(rawValue: UInt64) {
    self.rawValue = rawValue
  }

  public init(_ rawValue: UInt64) {
    self.rawValue = rawValue
  }

  public var description: String { String(rawValue) }

  public static func < (left: ErofsNodeID, right: ErofsNodeID) -> Bool {
    left.rawValue < right.rawValue
  }
}
