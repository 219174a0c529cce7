import Measuring
import UserPages

/// Page 0, the database's header: what the file is, in which state it was left, and what its log must have.
///
/// Every field that changes lies in the first 512 bytes, and so does the checksum. A disk writes that much at once or
/// not at all, so a power failure leaves this header or the one before it, never a mixture.
struct Superblock: Equatable {
  enum State: UInt64 {
    /// Every page is in the file. The log has nothing to add.
    case clean = 1
    /// A run was going on: the file is what the last run left plus what the log of this generation says.
    case running = 2
    /// The pages are being written for the first time: there is nothing to lose.
    case loading = 3
  }

  static let magic: UInt64 = 0x3150_544c_4f50_5553
  static let version: UInt64 = 2
  /// Numbers that only grow stay below this. Arithmetic on them never overflows, because no run adds as much again.
  static let largestLSN: UInt64 = (1 << 62) - 1
  /// Balances that the first row of the history may carry forward lie between this and its negative.
  static let largestBalance: Int64 = 1 << 60

  /// A random number drawn when the database is created. Blocks of the log carry it, so that another database's log is
  /// not mistaken for this one's.
  var identity: UInt64
  var scale: Int
  var state: State
  /// Counts the runs. Blocks of the log carry it, so that those of another run are not mistaken for this one's.
  var generation: UInt64 = 0
  /// The log sequence number before the first of this generation.
  var baseLSN: UInt64 = 0
  /// The sum of the history of all runs before this one: the first row of the history carries it forward.
  var carried: Int64 = 0
  /// Pages of history in a clean file.
  var historyPages = 1
  /// Blocks that the log file has at least, written or not: the disk space it took.
  var reservedBlocks = 0
  /// Blocks of the log that were full and synchronised when this header was written.
  var synchronisedBlocks = 0

  var stamp: LogStamp { LogStamp(identity: identity, generation: generation) }

  func encode(into page: UnsafeMutableRawPointer) {
    PageHeader.format(page, kind: .superblock, number: 0)
    let fields = [
      Self.magic, Self.version, UInt64(scale), state.rawValue, generation, baseLSN, UInt64(bitPattern: carried),
      UInt64(historyPages), identity, UInt64(reservedBlocks), UInt64(synchronisedBlocks),
    ]
    for (index, field) in fields.enumerated() {
      page.storeBytes(of: field, toByteOffset: PageHeader.size + 8 * index, as: UInt64.self)
    }
    PageHeader.seal(page)
  }

  /// A new database. Its pages are still to be written.
  init(scale: Int) {
    self.scale = scale
    state = .loading
    identity = .random(in: 1 ... .max)
  }

  /// Whether the page at `page` begins as a superblock does.
  static func isPresent(_ page: UnsafeRawPointer) -> Bool {
    page.load(fromByteOffset: PageHeader.size, as: UInt64.self) == magic
  }

  /// Reads the superblock at `page`, the first page of the file `path`. A checksum says that a page is whole, not that
  /// it makes sense, so each number is compared with what this program could have written.
  init(decoding page: UnsafeRawPointer, path: String) throws(Failure) {
    func field(_ index: Int) -> UInt64 { page.load(fromByteOffset: PageHeader.size + 8 * index, as: UInt64.self) }
    guard Self.isPresent(page) else {
      throw Failure("\(path) is not a database of this benchmark; it is left as it is")
    }
    if let defect = PageHeader.defect(page, number: 0, kind: .superblock) {
      throw Failure("\(path) is corrupted: \(defect)")
    }
    guard field(1) == Self.version else {
      throw Failure("\(path) has format version \(field(1)); this program reads version \(Self.version)")
    }
    let balances = -Self.largestBalance...Self.largestBalance
    guard let scale = Int(exactly: field(2)), (1...Geometry.largestScale).contains(scale),
      let state = State(rawValue: field(3)), field(4) <= Self.largestLSN, field(5) <= Self.largestLSN,
      balances.contains(Int64(bitPattern: field(6))), (1...Geometry.largestFile).contains(field(7)),
      field(9) <= Geometry.largestFile, field(10) <= field(9)
    else { throw Failure("\(path) is corrupted: its superblock makes no sense") }
    self.scale = scale
    self.state = state
    generation = field(4)
    baseLSN = field(5)
    carried = Int64(bitPattern: field(6))
    historyPages = Int(field(7))
    identity = field(8)
    reservedBlocks = Int(field(9))
    synchronisedBlocks = Int(field(10))
  }
}

extension Superblock {
  func write(to file: LockedFile) throws(Failure) {
    let page = AlignedMemory(pages: 1)
    encode(into: page.address)
    try file.write(UnsafeRawBufferPointer(page.bytes), at: 0)
  }

  /// Reads the superblock of `file`. Returns nil if the file is empty.
  static func read(from file: LockedFile) throws(Failure) -> Superblock? {
    let size = try file.byteCount
    if size == 0 { return nil }
    guard size >= Page.size else {
      throw Failure("\(file.path) is not a database of this benchmark; it is left as it is")
    }
    let page = AlignedMemory(pages: 1)
    try file.read(UnsafeMutableRawBufferPointer(page.bytes), at: 0)
    return try Superblock(decoding: page.address, path: file.path)
  }
}
