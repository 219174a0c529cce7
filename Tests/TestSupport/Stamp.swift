import UserPages

/// A word that names the page it lies in: owner, page and life.
///
/// A *life* is one stay of a page between its first fault and its unmapping. Owners stamp a page once in each life,
/// through the page table. A reader of the page looks through the table or through a pin. It must find zero (not
/// stamped yet) or a stamp of the right owner and page. A freed frame's poison, another owner's stamp and another
/// page's stamp are all wrong.
public struct Stamp: Equatable, Sendable, CustomStringConvertible {
  /// The number of the thread that mapped the page.
  public var owner: UInt8
  /// The index of the page in its region.
  public var page: UInt16
  /// The life in which it was stamped.
  public var life: UInt32

  private static let magic: UInt64 = 0x5C

  /// A stamp.
  public init(owner: UInt8, page: Int, life: Int) {
    self.owner = owner
    self.page = UInt16(page)
    self.life = UInt32(life)
  }

  /// Reads a stamp out of a word. Nil if the word is none.
  public init?(word: UInt64) {
    guard word >> 56 == Stamp.magic else { return nil }
    owner = UInt8(truncatingIfNeeded: word >> 48)
    page = UInt16(truncatingIfNeeded: word >> 32)
    life = UInt32(truncatingIfNeeded: word)
  }

  /// The word that carries it.
  public var word: UInt64 {
    Stamp.magic << 56 | UInt64(owner) << 48 | UInt64(page) << 32 | UInt64(life)
  }

  /// Text for a failure's message.
  public var description: String { "owner \(owner) page \(page) life \(life)" }

  /// Where the owner's stamps lie in a page: its first word, one in the middle, its last word.
  public static let offsets = [0, 2040, 4088]

  /// Where a device (a thread that writes through pins) keeps its own word. No other thread stores there.
  public static func deviceOffset(_ thread: Int) -> Int { 1024 + 64 * thread }
}

/// What one observer has seen of one page and may therefore never see change again.
public struct StampWatch {
  /// How a page's stamps may change while it is watched.
  public enum Rule: Sendable {
    /// Zero, then one life's stamp for ever: what holds for one frame as long as it is pinned.
    case once
    /// Any life, but never an earlier one than before.
    case rising
  }

  let owner: UInt8
  let page: Int
  let rule: Rule
  private var seen: [UInt64]

  /// Begins to watch the page `page` of `owner`.
  public init(owner: UInt8, page: Int, rule: Rule) {
    self.owner = owner
    self.page = page
    self.rule = rule
    seen = Stamp.offsets.map { _ in 0 }
  }

  /// Looks at the page through a pin. Returns what is wrong.
  package mutating func look(_ bytes: FrameBytes) -> String? {
    for index in Stamp.offsets.indices {
      let word = bytes.load(fromByteOffset: Stamp.offsets[index], as: UInt64.self)
      if let wrong = judge(word, index: index) { return "through the pin: \(wrong)" }
    }
    return nil
  }

  /// Looks at one of the page's stamps through the page table. Returns what is wrong.
  public mutating func look(_ space: AddressSpace, pageAt address: VirtualAddress, index: Int) throws -> String? {
    let word = try space.load(at: address + Stamp.offsets[index], as: UInt64.self)
    return judge(word, index: index).map { "through the table: \($0)" }
  }

  private mutating func judge(_ word: UInt64, index: Int) -> String? {
    let before = seen[index]
    if word == before { return nil }
    seen[index] = word
    let place = "page \(page) of owner \(owner), offset \(Stamp.offsets[index])"
    guard let stamp = Stamp(word: word) else {
      return "\(place): 0x\(String(word, radix: 16)) is no stamp (before: 0x\(String(before, radix: 16)))"
    }
    if stamp.owner != owner || Int(stamp.page) != page {
      return "\(place): the page is that of \(stamp)"
    }
    let earlier = Stamp(word: before)
    switch rule {
    case .once:
      if let earlier { return "\(place): was of life \(earlier.life) and became \(stamp)" }
    case .rising:
      if let earlier, earlier.life > stamp.life { return "\(place): went back from life \(earlier.life) to \(stamp)" }
    }
    return nil
  }
}
