import CBenchmark
import UserPages

/// Which run of which database a block of a log belongs to.
struct LogStamp: Equatable, Sendable {
  var identity: UInt64
  var generation: UInt64
}

/// A block of the log: a page with a header of 64 bytes and up to eight records. Block 0 has no record. It
/// names the database and the run before there is any record.
///
///     0   UInt32  CRC32C of what follows, up to the end of the last record in use
///     4   UInt32  records in use
///     8   UInt64  generation
///     16  UInt64  block number: the block begins at this number times 4096 in the file
///     24  UInt64  identity of the database
enum LogBlock {
  static let headerSize = 64
  static let recordsPerBlock = (Page.size - headerSize) / LogRecord.size
  static let countOffset = 4
  static let generationOffset = 8
  static let numberOffset = 16
  static let identityOffset = 24
  /// The first block with records.
  static let first = 1

  static func offset(ofSlot slot: Int) -> Int { headerSize + slot * LogRecord.size }

  static func checksum(_ address: UnsafeRawPointer, records: Int) -> UInt32 {
    crc32c(0, address + 4, offset(ofSlot: records) - 4)
  }

  /// What a page of a log file turned out to be.
  enum Content: Equatable {
    /// The block that belongs there, with so many records.
    case records(Int)
    /// A whole block, but of another place, run or database.
    case foreign(LogStamp, number: UInt64)
    case invalid
  }

  /// Judges the page at `address`, which ought to be block `number` of the run that `stamp` names.
  static func content(_ address: UnsafeRawPointer, _ stamp: LogStamp, number: Int) -> Content {
    let count = Int(address.load(fromByteOffset: countOffset, as: UInt32.self))
    guard count <= recordsPerBlock, address.load(as: UInt32.self) == checksum(address, records: count) else {
      return .invalid
    }
    let found = LogStamp(
      identity: address.load(fromByteOffset: identityOffset, as: UInt64.self),
      generation: address.load(fromByteOffset: generationOffset, as: UInt64.self))
    let place = address.load(fromByteOffset: numberOffset, as: UInt64.self)
    guard found == stamp, place == UInt64(number) else { return .foreign(found, number: place) }
    return (count == 0) == (number < first) ? .records(count) : .invalid
  }

  /// Makes block 0 in ordinary memory.
  static func formatHeader(_ address: UnsafeMutableRawPointer, _ stamp: LogStamp) {
    address.initializeMemory(as: UInt8.self, repeating: 0, count: Page.size)
    address.storeBytes(of: stamp.generation, toByteOffset: generationOffset, as: UInt64.self)
    address.storeBytes(of: stamp.identity, toByteOffset: identityOffset, as: UInt64.self)
    address.storeBytes(of: checksum(address, records: 0), as: UInt32.self)
  }
}

/// What one transaction did: the rows of branch, teller, account and history as they are after it. A record is all of
/// its transaction, so the log never holds half of one.
///
///     0    UInt64  log sequence number
///     8    4 times: UInt64 page, UInt32 slot, 100 bytes of row
struct LogRecord {
  static let size = 504
  /// The tables of a record's changes, in their order.
  static let tables: [PageKind] = [.branches, .tellers, .accounts, .history]
  private static let changeSize = 112

  /// 63 words of 64 bits.
  var words = InlineArray<63, UInt64>(repeating: 0)

  var lsn: UInt64 {
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

  /// Change `index` of the record at `address`: where, and where its row begins. Returns nil if the change names no row
  /// of the table it is for.
  static func change(
    _ index: Int, of address: UnsafeRawPointer, _ geometry: Geometry
  ) -> (location: RowLocation, row: UnsafeRawPointer)? {
    let base = address + 8 + index * changeSize
    let page = base.loadUnaligned(as: UInt64.self)
    let slot = Int(base.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    guard page < Geometry.largestFile, geometry.kind(of: Int(page)) == tables[index] else { return nil }
    // The first page of history is the one that carries the sum of earlier runs forward. No transaction writes it.
    let rows = tables[index] == .history ? Geometry.rowsPerPage : geometry.loadedRows(in: Int(page))
    guard slot < rows, Int(page) != geometry.historyStart else { return nil }
    return (RowLocation(page: Int(page), slot: slot), base + 12)
  }
}
