extension VMATree {
  /// What a leaf holds of a mapping: its first address, and in one word where it is, how long, and what it allows.
  ///
  /// So a look-up reads the leaf alone. The mappings themselves lie apart: 100,000 of them fill 18 MB, and to fetch one
  /// from memory takes twice as long as the whole descent.
  ///
  ///     bits 63 ... 48                 47 ... 4                  2         1 ... 0
  ///     pages; 0 if they do not fit    the mapping's address     shared    protection
  ///
  /// A mapping's range and attributes never change. An operation puts another mapping in its place, and with it another
  /// word. So what a word says is true of its mapping for ever.
  struct Entry {
    /// The first address. Page-aligned.
    let start: VirtualAddress
    private let word: UInt64

    init(_ entry: COWBTree.Entry) {
      start = VirtualAddress(entry.key)
      word = entry.word
    }

    private static let addressBits: UInt64 = 0xffff_ffff_fff0
    private static let sharedBit: UInt64 = 4
    private static let protectionBits: UInt64 = 3
    private static let pagesShift: UInt64 = 48
    private static let mostPages = 0xffff

    /// The word of a mapping.
    static func word(of mapping: Mapping) -> UInt64 {
      let (range, attributes) = (mapping.value.range, mapping.value.attributes)
      let pages = (range.upperBound - range.lowerBound) / Page.size
      precondition(
        mapping.word & ~addressBits == 0 && UInt64(attributes.protection.rawValue) & ~protectionBits == 0,
        "a mapping's address, or its protection, has more bits than its word has for it")
      return mapping.word | UInt64(attributes.protection.rawValue) | (attributes.isShared ? sharedBit : 0)
        | UInt64(pages > mostPages ? 0 : pages) << pagesShift
    }

    /// The mapping of a word. Nil if the word is 0.
    @inline(__always)
    static func mapping(of word: UInt64) -> Mapping? { Mapping(word: word & addressBits) }

    @inline(__always)
    var mapping: Mapping {
      guard let mapping = Self.mapping(of: word) else { preconditionFailure("an entry without a mapping") }
      return mapping
    }

    /// The address behind the last page.
    @inline(__always)
    var end: VirtualAddress {
      let pages = Int(word >> Self.pagesShift)
      return _fastPath(pages > 0) ? start + pages * Page.size : mapping.value.range.upperBound
    }

    @inline(__always) var range: Range<VirtualAddress> { start..<end }

    @inline(__always) var protection: Protection { Protection(rawValue: UInt8(word & Self.protectionBits)) }

    @inline(__always) var isShared: Bool { word & Self.sharedBit != 0 }

    /// Whether the attributes that the word says are those of `attributes`. Only then the others need a look.
    @inline(__always)
    func mayMatch(_ attributes: VMA.Attributes) -> Bool {
      protection == attributes.protection && isShared == attributes.isShared
    }
  }
}
