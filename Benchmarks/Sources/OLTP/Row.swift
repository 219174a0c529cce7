/// A row in ordinary memory: copied out of a page, changed, copied back.
///
/// Words of 32 bits, because rows of 100 bytes are aligned to four.
///
///     0     the row's number (history: the teller)
///     1     its branch
///     2, 3  balance (history: the amount)
///     4     history: the account
///     5     history: the branch of the teller
///     6, 7  history: when, in nanoseconds
///     8...  filler
struct Row {
  var words: InlineArray<25, UInt32>

  init() {
    words = InlineArray(repeating: 0)
  }

  init(number: Int, branch: Int) {
    words = InlineArray(repeating: 0x2020_2020)
    words[0] = UInt32(number)
    words[1] = UInt32(branch)
    balance = 0
    words[4] = 0
    words[5] = 0
  }

  init(teller: Int, branch: Int, account: Int, amount: Int64, time: UInt64) {
    self.init(number: teller, branch: branch)
    words[4] = UInt32(account)
    words[5] = UInt32(teller / Geometry.tellersPerBranch)
    balance = amount
    words[6] = UInt32(truncatingIfNeeded: time)
    words[7] = UInt32(truncatingIfNeeded: time >> 32)
  }

  var balance: Int64 {
    get { Int64(bitPattern: UInt64(words[2]) | UInt64(words[3]) << 32) }
    set {
      words[2] = UInt32(truncatingIfNeeded: newValue)
      words[3] = UInt32(truncatingIfNeeded: newValue >> 32)
    }
  }

  /// The balance of the row that begins at `address`.
  static func balance(at address: UnsafeRawPointer) -> Int64 {
    address.loadUnaligned(fromByteOffset: 8, as: Int64.self)
  }

  /// Writes the row into ordinary memory.
  func write(to address: UnsafeMutableRawPointer) {
    words.span.bytes.withUnsafeBytes { address.copyMemory(from: $0.baseAddress!, byteCount: Geometry.rowSize) }
  }
}
