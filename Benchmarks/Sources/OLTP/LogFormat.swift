import CBenchmark
import UserPages

/// A block of the log: a page with a header of 64 bytes and eight records.
///
///     0   UInt32  CRC32C of what follows, up to the end of the last record in use
///     4   UInt32  records in use
///     8   UInt64  epoch
///     16  UInt64  block number
enum LogBlock {
  static let headerSize = 64
  static let recordsPerBlock = (Page.size - headerSize) / LogRecord.size
  static let countOffset = 4
  static let epochOffset = 8
  static let numberOffset = 16

  static func offset(ofSlot slot: Int) -> Int { headerSize + slot * LogRecord.size }

  static func checksum(_ address: UnsafeRawPointer, records: Int) -> UInt32 {
    crc32c(0, address + 4, offset(ofSlot: records) - 4)
  }

  /// How many records the block at `address` holds, nil if it is not block `number` of `epoch` or was torn.
  static func validCount(_ address: UnsafeRawPointer, epoch: UInt64, number: Int) -> Int? {
    let count = Int(address.load(fromByteOffset: countOffset, as: UInt32.self))
    guard (1...recordsPerBlock).contains(count), address.load(as: UInt32.self) == checksum(address, records: count),
      address.load(fromByteOffset: epochOffset, as: UInt64.self) == epoch,
      address.load(fromByteOffset: numberOffset, as: UInt64.self) == UInt64(number)
    else { return nil }
    return count
  }
}

/// What one transaction did: the rows of branch, teller, account and history as they are after it. A record is all of
/// its transaction, so the log never holds half of one.
///
///     0    UInt64  log sequence number
///     8    4 times: UInt64 page, UInt32 slot, 100 bytes of row
struct LogRecord {
  static let size = 504
  static let changes = 4
  private static let changeSize = 112

  /// 63 words of 64 bits.
  var words = InlineArray<63, UInt64>(repeating: 0)

  var sequence: UInt64 {
    get { words[0] }
    set { words[0] = newValue }
  }

  @inline(__always)
  mutating func setChange(_ index: Int, _ location: RowLocation, _ row: borrowing Row) {
    let base = 8 + index * Self.changeSize
    var span = words.mutableSpan
    var bytes = span.mutableBytes
    bytes.storeBytes(of: UInt64(location.page), toByteOffset: base, as: UInt64.self)
    bytes.storeBytes(of: UInt32(location.slot), toByteOffset: base + 8, as: UInt32.self)
    bytes.storeBytes(of: row.words, toByteOffset: base + 12, as: InlineArray<25, UInt32>.self)
  }

  /// Change `index` of the record at `address`: where, and where its row begins.
  static func change(_ index: Int, of address: UnsafeRawPointer) -> (location: RowLocation, row: UnsafeRawPointer)? {
    let base = address + 8 + index * changeSize
    guard let page = Int(exactly: base.loadUnaligned(as: UInt64.self)) else { return nil }
    let slot = Int(base.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    return slot < Geometry.rowsPerPage ? (RowLocation(page: page, slot: slot), base + 12) : nil
  }
}
