/// The largest numbers of a scenario. A larger number is a parse error.
///
/// They keep arithmetic on bytes inside 64 bits, and stop a mistyped number from asking for more memory than there is.
enum Limits {
  /// RAM without a `memory` statement.
  static let defaultMemoryPages = 4096
  /// RAM, an image, a file or a device: 16 GiB.
  static let memoryPages: UInt64 = 1 << 22
  /// A mapping's length or offset: 2^62 bytes, far beyond any address space.
  static let mappingPages: UInt64 = 1 << 50
  /// One pin: 16 GiB.
  static let pinPages: UInt64 = 1 << 22
  /// Bytes read or written by one statement: 64 MiB.
  static let count: UInt64 = 1 << 26
  /// How often a `repeat` runs its lines: about a million times.
  static let times: UInt64 = 1 << 20
  /// The length of a file that was cut or made longer: as many bytes as the largest file has.
  static let byteCount: UInt64 = memoryPages * 4096
  /// An offset in bytes into a file or a pin.
  static let byteOffset: UInt64 = 1 << 62
}
