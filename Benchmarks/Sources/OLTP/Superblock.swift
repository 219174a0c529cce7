import Glibc
import UserPages

/// Page 0: what the file is and in which state it was left.
struct Superblock: Equatable {
  enum State: UInt64 {
    /// Every page is in the file; the log has nothing to add.
    case clean = 1
    /// A run was going on: the file is what the last run left plus what the log of this epoch says.
    case running = 2
  }

  static let magic: UInt64 = 0x3150_544c_4f50_5553
  static let version: UInt64 = 1

  var scale: Int
  var state: State = .clean
  /// Counts the runs. Blocks of the log carry it, so that those of an earlier run are not mistaken for this one's.
  var epoch: UInt64 = 0
  /// The log sequence number before the first of this epoch.
  var baseSequence: UInt64 = 0
  /// The sum of the history of all runs before this epoch: the first row of the history carries it forward.
  var carried: Int64 = 0
  /// Pages of history in a clean file.
  var historyPages = 1

  func encode(into page: UnsafeMutableRawPointer) {
    PageHeader.format(page, kind: .superblock, number: 0)
    let fields = [
      Self.magic, Self.version, UInt64(scale), state.rawValue, epoch, baseSequence, UInt64(bitPattern: carried),
      UInt64(historyPages),
    ]
    for (index, field) in fields.enumerated() {
      page.storeBytes(of: field, toByteOffset: PageHeader.size + 8 * index, as: UInt64.self)
    }
    PageHeader.seal(page)
  }

  init(scale: Int) {
    self.scale = scale
  }

  /// Reads the superblock of the file `path`, whose first page is at `page`.
  init(decoding page: UnsafeRawPointer, path: String) throws(Failure) {
    func field(_ index: Int) -> UInt64 { page.load(fromByteOffset: PageHeader.size + 8 * index, as: UInt64.self) }
    guard field(0) == Self.magic else {
      throw Failure("\(path) is not a database of this benchmark; it is left as it is")
    }
    if let defect = PageHeader.defect(page, number: 0, kind: .superblock) {
      throw Failure("\(path) is corrupted: \(defect)")
    }
    guard field(1) == Self.version else {
      throw Failure("\(path) has format version \(field(1)); this program reads version \(Self.version)")
    }
    guard let scale = Int(exactly: field(2)), (1...Geometry.largestScale).contains(scale),
      let state = State(rawValue: field(3)), let historyPages = Int(exactly: field(7)), historyPages >= 1
    else { throw Failure("\(path) is corrupted: its superblock makes no sense") }
    self.scale = scale
    self.state = state
    epoch = field(4)
    baseSequence = field(5)
    carried = Int64(bitPattern: field(6))
    self.historyPages = historyPages
  }
}
