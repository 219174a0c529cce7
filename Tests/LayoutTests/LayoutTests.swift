import Testing

@testable import UserPages

/// What holds in every layout, of all three at once.
@Suite struct LayoutTests {
  @Test("Each flag is kept, whatever the others and the frame are", arguments: LayoutTable.all)
  func flagsAreKept(layout: LayoutTable) {
    layout.forEachEntry(frames: layout.frameNumbers) { word, state, choice in
      #expect(layout.has(state.bit, word))
      #expect(layout.has(layout.present, word) != layout.has(layout.protnone, word))
      for (index, flag) in layout.flags.enumerated() {
        let expected = choice >> index & 1 == 1
        if layout.has(flag.bit, word) != expected { Issue.record("\(flag.name) of \(String(word, radix: 16))") }
        // And the other way round, with nothing else changed.
        let other = expected ? layout.take(flag.bit, from: word) : layout.put(flag.bit, into: word)
        if (other ^ word) & ~flag.bit.mask != 0 || layout.has(flag.bit, other) == expected {
          Issue.record("\(flag.name) of \(String(word, radix: 16)) turned over")
        }
      }
    }
  }

  @Test("No two properties share a bit, and none a bit of the frame number", arguments: LayoutTable.all)
  func fieldsAreDisjoint(layout: LayoutTable) {
    var taken = layout.pfnMask
    for flag in layout.flags {
      #expect(flag.bit.mask & taken == 0, "\(flag.name)")
      #expect(flag.bit.yes != flag.bit.no)
      taken |= flag.bit.mask
    }
    // These two do: an entry is one or the other.
    for state in layout.states { #expect(state.bit.mask & taken == 0, "\(state.name)") }
  }

  @Test("Frame numbers have room, and are all of their field", arguments: LayoutTable.all)
  func frameNumbers(layout: LayoutTable) {
    let width = layout.pfnMask.nonzeroBitCount
    let field: UInt64 = (1 << UInt64(width)) - 1
    #expect(layout.pfnMask == field << layout.pfnShift)
    #expect(width == ["x86-64": 40, "s390": 52, "powerpc": 41][layout.name])
    // The machine hands out 32 bits of them at most.
    #expect(width >= 32)
    for frame in layout.frameNumbers {
      let word = layout.entry(layout.present, frame: frame, choice: (1 << layout.flags.count) - 1)
      #expect((word & layout.pfnMask) >> layout.pfnShift == frame)
    }
  }

  @Test("An entry that maps nothing keeps its kind and payload, and does not look mapped", arguments: LayoutTable.all)
  func nonPresentEntries(layout: LayoutTable) {
    // Nodes come zeroed.
    #expect(!layout.isMapped(0))
    #expect(layout.nonPresent & layout.pfnMask == 0)
    #expect(0xf << layout.kindShift & (layout.pfnMask | layout.nonPresent) == 0)
    for kind in 1...15 as ClosedRange<UInt64> {
      for payload in layout.frameNumbers {
        let word = layout.nonPresent(kind: kind, payload: payload)
        #expect(word != 0)
        #expect(!layout.isMapped(word))
        #expect(word >> layout.kindShift & 0xf == kind)
        #expect((word & layout.pfnMask) >> layout.pfnShift == payload)
      }
    }
  }

  @Test("A swapped page's entry says whether the page is shared, and nothing else changes", arguments: LayoutTable.all)
  func swapEntries(layout: LayoutTable) {
    #expect(layout.cowShared.mask & (layout.nonPresent | 0xf << layout.kindShift | layout.pfnMask) == 0)
    for kind in 1...15 as ClosedRange<UInt64> {
      for payload in layout.frameNumbers {
        let plain = layout.take(layout.cowShared, from: layout.nonPresent(kind: kind, payload: payload))
        let shared = layout.put(layout.cowShared, into: plain)
        #expect(layout.has(layout.cowShared, shared) && !layout.has(layout.cowShared, plain))
        for word in [plain, shared] {
          #expect(word != 0 && !layout.isMapped(word) && !layout.isLink(word))
          #expect(word >> layout.kindShift & 0xf == kind)
          #expect((word & layout.pfnMask) >> layout.pfnShift == payload)
        }
      }
    }
  }

  @Test("No entry looks like a link to a node, and no link like an entry", arguments: LayoutTable.all)
  func links(layout: LayoutTable) {
    #expect(!layout.isLink(0))
    layout.forEachEntry(frames: layout.frameNumbers) { word, _, _ in
      if layout.isLink(word) { Issue.record("\(String(word, radix: 16))") }
    }
    var others: Set<UInt64> = [0]
    for kind in 1...15 as ClosedRange<UInt64> {
      for payload in layout.frameNumbers {
        let word = layout.nonPresent(kind: kind, payload: payload)
        #expect(!layout.isLink(word))
        others.insert(word)
      }
    }
    // Where this process may have its nodes: any page of the lower half.
    for address in [0x1000, 0x7fff_ffff_f000] + (12..<47).map({ 1 << $0 }) as [UInt64] {
      let link = address | layout.linkMark
      #expect(layout.isLink(link))
      #expect(link & layout.linkAddressMask == address)
      #expect(!others.contains(link))
    }
  }

  @Test("Entries are the words that the architecture's kernel would have")
  func knownWords() {
    func word(_ layout: LayoutTable, _ state: PTEBit, _ flags: PTEBit...) -> UInt64 {
      var word = layout.entry(state, frame: 0x12345, choice: 0)
      for flag in flags { word = layout.put(flag, into: word) }
      return word
    }
    let (x86, s390, powerpc) = (LayoutTable.all[0], LayoutTable.all[1], LayoutTable.all[2])

    #expect(word(x86, x86.present, x86.accessed) == 0x1234_5021)
    #expect(word(x86, x86.present, x86.accessed, x86.dirty, x86.writable) == 0x1234_5063)
    #expect(word(x86, x86.present, x86.special) == 0x1234_5201)
    #expect(word(x86, x86.protnone) == 0x1234_5100)

    // Protect is the inverse of writable; invalid is clear where the entry may be used.
    #expect(word(s390, s390.present, s390.accessed) == 0x1234_5215)
    #expect(word(s390, s390.present, s390.accessed, s390.dirty, s390.writable) == 0x1234_503d)
    #expect(word(s390, s390.present, s390.special) == 0x1234_5251)
    #expect(word(s390, s390.protnone, s390.accessed) == 0x1234_5605)
    #expect(s390.nonPresent(kind: 2, payload: 7) & 0x201 == 0x200)

    #expect(word(powerpc, powerpc.present, powerpc.accessed) == 0xc000_0000_1234_5104)
    #expect(word(powerpc, powerpc.present, powerpc.accessed, powerpc.dirty, powerpc.writable) == 0xc000_0000_1234_5186)
    #expect(word(powerpc, powerpc.present, powerpc.special) == 0xc000_0000_1234_5404)
    #expect(word(powerpc, powerpc.protnone) == 0xc000_0000_1234_5000)
    #expect(powerpc.nonPresent(kind: 2, payload: 7) == 0x4000_0000_0000_7002)
  }
}
