import CBenchmark
import UserPages

/// The first 96 bytes of every page; forty rows of 100 bytes follow.
///
///     0  UInt32  CRC32C of the other 4092 bytes
///     4  UInt32  kind
///     8  UInt64  page number
///     16 UInt64  the log sequence number of the last change
///     24 UInt64  rows in use
enum PageHeader {
  static let size = 96
  static let checksumOffset = 0
  static let kindOffset = 4
  static let numberOffset = 8
  static let lsnOffset = 16
  static let rowsOffset = 24

  /// What the checksum of the page at `address` has to be.
  static func checksum(_ address: UnsafeRawPointer) -> UInt32 {
    crc32c(0, address + 4, Page.size - 4)
  }

  /// Formats an empty page in ordinary memory.
  static func format(_ address: UnsafeMutableRawPointer, kind: PageKind, number: Int) {
    address.initializeMemory(as: UInt8.self, repeating: 0, count: Page.size)
    address.storeBytes(of: kind.rawValue, toByteOffset: kindOffset, as: UInt32.self)
    address.storeBytes(of: UInt64(number), toByteOffset: numberOffset, as: UInt64.self)
  }

  static func seal(_ address: UnsafeMutableRawPointer) {
    address.storeBytes(of: checksum(address), toByteOffset: checksumOffset, as: UInt32.self)
  }

  /// Says what is wrong with the page at `address`, which ought to be page `number`; nil if nothing is.
  static func defect(_ address: UnsafeRawPointer, number: Int, kind: PageKind) -> String? {
    let stored = address.load(fromByteOffset: checksumOffset, as: UInt32.self)
    let computed = checksum(address)
    guard stored == computed else {
      return "page \(number) (\(kind.name)) has checksum \(hex(stored)) but its bytes give \(hex(computed))"
    }
    let named = address.load(fromByteOffset: numberOffset, as: UInt64.self)
    guard named == UInt64(number) else { return "page \(number) (\(kind.name)) says that it is page \(named)" }
    let type = address.load(fromByteOffset: kindOffset, as: UInt32.self)
    guard type == kind.rawValue else { return "page \(number) is no \(kind.name) page (kind \(type))" }
    let rows = address.load(fromByteOffset: rowsOffset, as: UInt64.self)
    guard rows <= UInt64(Geometry.rowsPerPage) else { return "page \(number) claims \(rows) rows" }
    return nil
  }

  private static func hex(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}
