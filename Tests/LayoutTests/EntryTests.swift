import Testing

@testable import UserPages

/// Entries as the library makes and changes them, in the layout that is compiled in.
@Suite struct EntryTests {
  static let frames = [0, 1, 0x12345, PTELayout.pfnMask >> PTELayout.pfnShift].map { PFN($0) }

  static let properties: [(name: String, bit: PTEBit, isOn: @Sendable (PTE) -> Bool)] = [
    ("writable", PTELayout.writable, { $0.isWritable }), ("accessed", PTELayout.accessed, { $0.isAccessed }),
    ("dirty", PTELayout.dirty, { $0.isDirty }), ("huge", PTELayout.huge, { $0.isHuge }),
    ("anonymous", PTELayout.anonymous, { $0.isAnonymous }),
    ("cowShared", PTELayout.cowShared, { $0.has(PTELayout.cowShared) }),
    ("neverSlotPinned", PTELayout.neverSlotPinned, { $0.isNeverSlotPinned }),
  ]

  @Test("The layout that was asked for is compiled in")
  func choice() {
    #if USERPAGES_PTE_S390
      #expect(PTELayout.self == PTELayoutS390.self)
    #elseif USERPAGES_PTE_POWERPC
      #expect(PTELayout.self == PTELayoutPowerPC.self)
    #else
      #expect(PTELayout.self == PTELayoutX8664.self)
    #endif
    #if USERPAGES_NO_SPECIAL_BIT
      #expect(PTE(mapping: PFN(7)).asSpecial == PTE(mapping: PFN(7)))
    #else
      #expect(PTE(mapping: PFN(7)).asSpecial.isSpecial)
      #expect(!PTE(mapping: PFN(7)).isSpecial)
    #endif
  }

  @Test("A new entry is present, accessed and nothing else", arguments: frames)
  func fresh(frame: PFN) {
    let entry = PTE(mapping: frame)
    #expect(entry.isPresent && entry.isMapped && entry.isAccessed)
    #expect(!entry.isEmpty && !entry.isBusy && !entry.isProtNone && !entry.isExclusive)
    #expect(entry.pfn == frame)
    #expect(entry.nonPresentKind == nil)
    for property in Self.properties where property.name != "accessed" {
      #expect(!property.isOn(entry), "\(property.name)")
    }
  }

  @Test("Each property goes on and off by itself", arguments: frames)
  func roundTrips(frame: PFN) {
    let entry = PTE(mapping: frame)
    for property in Self.properties {
      let on = entry.with(property.bit)
      let off = on.without(property.bit)
      #expect(property.isOn(on) && !property.isOn(off), "\(property.name)")
      #expect(on.pfn == frame && off.pfn == frame)
      #expect(on.isPresent && off.isPresent)
      for other in Self.properties where other.name != property.name {
        #expect(other.isOn(on) == other.isOn(entry), "\(property.name), \(other.name)")
        #expect(other.isOn(off) == other.isOn(entry), "\(property.name), \(other.name)")
      }
    }
  }

  @Test("Empty is the zero word; busy, swap and migration are none of it and map nothing")
  func nonPresent() {
    #expect(PTE.empty.rawValue == 0)
    #expect(!PTE.empty.isMapped && !PTE.empty.isBusy && PTE.empty.nonPresentKind == nil)
    for kind in PTE.NonPresentKind.allCases {
      for payload in Self.frames.map(\.rawValue) {
        let entry = PTE(kind, payload: payload)
        #expect(!entry.isEmpty && !entry.isPresent && !entry.isProtNone && !entry.isMapped)
        #expect(entry.isBusy == (kind == .busy && payload == 0))
        #expect(entry.nonPresentKind == kind)
        #expect(entry.payload == payload)
      }
    }
  }

  @Test("A swapped page's entry keeps its slot and whether the page is exclusive", arguments: [0, 1, 0x12345, 1 << 31])
  func swapped(slot: Int) {
    for isShared in [false, true] {
      let entry = PTE(swappedTo: SwapSlot(slot), isShared: isShared)
      #expect(entry.isSwapped && entry.swapSlot == SwapSlot(slot))
      #expect(entry.has(PTELayout.cowShared) == isShared)
      #expect(!entry.isEmpty && !entry.isBusy && !entry.isMapped && !entry.isPresent && !entry.isProtNone)
      #expect(entry.with(PTELayout.cowShared) == PTE(swappedTo: SwapSlot(slot), isShared: true))
      #expect(TableNode(link: entry) == nil)
    }
    for other in [.empty, .busy, PTE(.migration, payload: 7), PTE(mapping: PFN(7))] as [PTE] {
      #expect(!other.isSwapped && other.swapSlot == nil)
    }
  }

  @Test("Taking access away and giving it back loses nothing but the permission to write", arguments: frames)
  func protection(frame: PFN) {
    let dirty = PTE(mapping: frame).with(PTELayout.dirty, PTELayout.anonymous, PTELayout.writable).asSpecial
    let denied = dirty.withoutAccess
    #expect(denied.isProtNone && denied.isMapped && !denied.isPresent && !denied.isWritable)
    #expect(denied.isDirty && denied.isAnonymous && denied.isAccessed && denied.pfn == frame)
    #expect(denied.withAccess == dirty.without(PTELayout.writable))
    #expect(denied.withoutAccess == denied)
    #expect(dirty.withAccess == dirty)
  }

  @Test("Write-protection by a fork and its end", arguments: frames)
  func forkAndBack(frame: PFN) {
    let own = PTE(mapping: frame).with(PTELayout.anonymous, PTELayout.dirty, PTELayout.writable)
    #expect(own.isExclusive)
    let writeProtected = own.without(PTELayout.writable).with(PTELayout.cowShared)
    #expect(
      !writeProtected.isExclusive && !writeProtected.isWritable && writeProtected.isPresent && writeProtected.isDirty)
    #expect(writeProtected.without(PTELayout.cowShared).with(PTELayout.writable) == own)
    let copied = writeProtected.mapping(PFN(42))
    #expect(copied.pfn == PFN(42) && copied.mapping(frame) == writeProtected)
  }

  @Test("No entry is taken for a link, and a link leads to its node")
  func links() throws {
    let memory = try PhysicalMemory(ramPages: 8)
    let page = memory.tablePages.allocate()
    defer { memory.tablePages.free(page) }
    let node = TableNode(page: page)
    #expect(TableNode(link: node.link) == node)
    // A node that comes from the pool is full of empty entries.
    for index in 0..<TableNode.entryCount { #expect(node[index].load() == .empty) }
    let huge = PTE(mapping: PFN(512)).with(PTELayout.huge)
    for entry in [.empty, .busy, huge, huge.withoutAccess, PTE(mapping: PFN(1)), PTE(.migration, payload: 1)] as [PTE] {
      #expect(TableNode(link: entry) == nil)
      #expect(entry != node.link)
    }
    #expect(!node.link.isEmpty && !node.link.isBusy)
  }

  @Test("What the walkers accept", arguments: frames)
  func tests(frame: PFN) {
    let readable = PTE(mapping: frame)
    let anonymous = readable.with(PTELayout.anonymous)
    let writable = anonymous.with(PTELayout.writable, PTELayout.dirty)
    let shared = anonymous.with(PTELayout.cowShared)
    let huge = readable.with(PTELayout.huge)
    let tests: [(name: String, test: PTETest, accepts: [PTE], refuses: [PTE])] = [
      ("load", .load, [readable, writable, shared], [readable.without(PTELayout.accessed)]),
      ("store", .store, [writable], [readable, shared, writable.without(PTELayout.dirty)]),
      (
        "pin to read", .pin(write: false, get: false, longTerm: false), [readable, anonymous, writable],
        [shared, huge]
      ),
      ("get to read", .pin(write: false, get: true, longTerm: false), [readable, shared], [huge]),
      ("pin to write", .pin(write: true, get: false, longTerm: false), [writable], [readable, shared]),
      ("long pin to read", .pin(write: false, get: false, longTerm: true), [anonymous], [readable, shared]),
    ]
    for (name, test, accepts, refuses) in tests {
      for entry in accepts { #expect(test.accepts(entry), "\(name)") }
      for entry in refuses { #expect(!test.accepts(entry), "\(name)") }
      for entry in accepts { #expect(!test.accepts(entry.withoutAccess), "\(name)") }
      #expect(!test.accepts(.empty))
      for kind in PTE.NonPresentKind.allCases { #expect(!test.accepts(PTE(kind, payload: frame.rawValue)), "\(name)") }
      #if !USERPAGES_NO_SPECIAL_BIT
        if name.contains("read") || name.contains("write") {
          for entry in accepts { #expect(!test.accepts(entry.asSpecial), "\(name)") }
        }
      #endif
    }
  }
}
