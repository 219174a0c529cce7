import TestSupport
import Testing

@testable import UserPages

/// Entries and their encodings.
@Suite struct PTETests {
  /// What an entry has or lacks, besides being present or protnone.
  private static let bits: [(name: String, bit: PTEBit)] = [
    ("writable", PTELayout.writable), ("accessed", PTELayout.accessed), ("dirty", PTELayout.dirty),
    ("huge", PTELayout.huge), ("special", PTELayout.special), ("anonymous", PTELayout.anonymous),
    ("cowShared", PTELayout.cowShared), ("neverSlotPinned", PTELayout.neverSlotPinned),
  ]

  /// Whether entries tell that they are special: compiled without the bit, they do not.
  private static let tellsSpecial = PTE(mapping: PFN(1)).asSpecial != PTE(mapping: PFN(1))

  @Test func bitsAndFrameNumbersDoNotMeet() {
    var random = SeededGenerator(seed: TestSeed.named("PTE"))
    for _ in 0..<2000 {
      let pfn = PFN(random.next() & 0xFF_FFFF_FFFF)
      var entry = PTE(mapping: pfn)
      var expected: Set<String> = ["accessed"]
      for _ in 0..<8 {
        let (name, bit) = Self.bits[random.below(Self.bits.count)]
        if random.oneIn(2) {
          entry.set(bit)
          expected.insert(name)
        } else {
          entry.clear(bit)
          expected.remove(name)
        }
        #expect(entry.pfn == pfn)
        let found = Set(Self.bits.filter { entry.has($0.bit) }.map(\.name))
        #expect(found == expected)
      }
      #expect(entry.with(PTELayout.dirty, PTELayout.special).without(PTELayout.dirty, PTELayout.special).pfn == pfn)
    }
  }

  @Test func kindsOfEntries() {
    let entry = PTE(mapping: PFN(5))
    #expect(entry.isPresent && entry.isMapped && entry.isAccessed)
    #expect(!entry.isWritable && !entry.isDirty && !entry.isHuge && !entry.isAnonymous)
    #expect(!entry.isEmpty && !entry.isBusy && !entry.isProtNone)
    let none = entry.without(PTELayout.present).with(PTELayout.protnone)
    #expect(none.isProtNone && none.isMapped && !none.isPresent && none.pfn == PFN(5))
    for special in [PTE.empty, .busy] { #expect(!special.isPresent && !special.isMapped && !special.isProtNone) }
    #expect(PTE.empty.isEmpty && PTE.busy.isBusy && !PTE.busy.isEmpty)
    let own = entry.with(PTELayout.anonymous)
    #expect(own.isExclusive && !own.with(PTELayout.cowShared).isExclusive)
    #expect(!entry.isExclusive, "a file's page is no space's own")
  }

  @Test func invertedBits() {
    let bit = PTEBit(3, inverted: true)
    var entry = PTE(rawValue: 0)
    #expect(entry.has(bit))
    entry.clear(bit)
    #expect(entry.rawValue == 8 && !entry.has(bit))
    entry.set(bit)
    #expect(entry.rawValue == 0 && entry.has(bit))
  }

  @Test func linksAreNoEntries() {
    // A link's word never passes for a mapped entry of the level above, nor an entry for a link.
    let huge = PTE(mapping: PFN(512)).with(PTELayout.huge)
    #expect(TableNode(link: huge) == nil)
    #expect(TableNode(link: .empty) == nil)
    #expect(TableNode(link: .busy) == nil)
    #expect(TableNode(link: huge.without(PTELayout.present).with(PTELayout.protnone)) == nil)
  }

  /// Every combination of the bits against what the fast path may take, in words.
  @Test func testsOfTheFastPath() {
    for raw in 0..<(2 << Self.bits.count) {
      var entry = PTE(mapping: PFN(9)).without(PTELayout.accessed)
      if raw >> Self.bits.count == 1 { entry = entry.withoutAccess }
      for (index, named) in Self.bits.enumerated() where raw >> index & 1 == 1 { entry.set(named.bit) }
      let isSpecial = Self.tellsSpecial && entry.has(PTELayout.special)
      // Accessed, as for a load: an entry that is not is marked out of line.
      let plain = entry.isPresent && !isSpecial && !entry.isHuge && entry.isAccessed
      let unshared = !entry.has(PTELayout.cowShared)
      #expect(PTETest.pin(write: true, get: false, longTerm: false).accepts(entry) == (plain && entry.isWritable))
      #expect(PTETest.pin(write: true, get: true, longTerm: false).accepts(entry) == (plain && entry.isWritable))
      #expect(PTETest.pin(write: false, get: true, longTerm: false).accepts(entry) == plain)
      #expect(PTETest.pin(write: false, get: false, longTerm: false).accepts(entry) == (plain && unshared))
      #expect(
        PTETest.pin(write: false, get: false, longTerm: true).accepts(entry)
          == (plain && unshared && entry.isAnonymous))
      #expect(PTETest.load.accepts(entry) == (entry.isPresent && entry.isAccessed))
      #expect(
        PTETest.store.accepts(entry) == (entry.isPresent && entry.isAccessed && entry.isWritable && entry.isDirty))
    }
  }

  @Test func indicesInNodes() {
    let address: VirtualAddress = 0x0000_7123_4567_8ABC
    #expect((1...4).map { TableNode.index(of: address, level: $0) } == [0x78, 0x2B, 0x8D, 0xE2])
    #expect(TableNode.entrySpan(level: 1) == 4096 && TableNode.entrySpan(level: 4) == 1 << 39)
    #expect(MemoryLayout<FrameDescriptor>.size == 16, "every byte is paid once for each page of RAM")
  }
}
