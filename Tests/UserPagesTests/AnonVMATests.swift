import TestSupport
import Testing

@testable import UserPages

/// Which mappings have an `anon_vma`, and what takes it along. Without it a fork loses pages.
@Suite struct AnonVMATests {
  private let start: VirtualAddress = 0x10_0000

  /// Two pages, of which the second holds 7.
  private func withSpace(_ engine: PinEngine = .reference, _ body: (AddressSpace) throws -> Void) throws {
    let memory = try PhysicalMemory(ramPages: 2048)
    do {
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: start, pages: 2, protection: .readWrite)
      try space.store(UInt64(7), at: start + Page.size)
      try body(space)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  private func mapping(of space: AddressSpace, at address: VirtualAddress) throws -> (pages: Int, anonVMA: AnonVMA) {
    let found = RCU.read { section in
      space.mappings.find(address, section).map { mapping in
        ((mapping.value.range.upperBound - mapping.value.range.lowerBound) / Page.size, mapping.value.anonVMA)
      }
    }
    return try #require(found)
  }

  enum Change: CaseIterable { case none, cut, mergedLeft, mergedRight, protected, locked, moved, grown, wide }

  @Test(arguments: Change.allCases, Engines.all)
  func aChangedMappingKeepsIt(change: Change, engine: PinEngine) throws {
    try withSpace(engine) { space in
      var place = start + Page.size
      switch change {
      case .none: break
      case .cut: try space.unmap(at: start, pages: 1)
      case .mergedLeft: try space.map(at: 0xf_f000, pages: 1, protection: .readWrite)
      case .mergedRight: try space.map(at: start + 2 * Page.size, pages: 1, protection: .readWrite)
      case .protected: try space.protect(at: place, pages: 1, .read)
      case .locked: try space.lock(at: place, pages: 1)
      case .moved:
        try space.remap(at: start, pages: 2, to: 0x50_0000, newPages: 2)
        place = 0x50_1000
      case .grown: try space.remap(at: start, pages: 2, to: start, newPages: 4)
      case .wide: try space.remap(at: start, pages: 2, to: start, newPages: Int(Stripe.size) / Page.size)
      }
      let child = try space.fork()
      #expect(try child.load(at: place, as: UInt64.self) == 7)
      child.exit()
    }
  }

  @Test func whatIsLeftOfAMoveKeepsIt() throws {
    try withSpace { space in
      try space.store(UInt64(6), at: start)
      try space.remap(at: start, pages: 1, to: 0x50_0000, newPages: 1, unmapsOldRange: false)
      #expect(try mapping(of: space, at: start).pages == 2)
      #expect(try mapping(of: space, at: start).anonVMA == mapping(of: space, at: 0x50_0000).anonVMA)
      try space.remap(at: start, pages: 2, to: 0x60_0000, newPages: 2, unmapsOldRange: false)
      #expect(try mapping(of: space, at: start).anonVMA == .none)
      try space.store(UInt64(8), at: start)
      let child = try space.fork()
      let places: [VirtualAddress] = [0x50_0000, 0x60_1000, start]
      let seen = try places.map { try child.load(at: $0, as: UInt64.self) }
      #expect(seen == [6, 7, 8])
      child.exit()
    }
  }

  @Test func readsGiveNone() throws {
    try withSpace { space in
      let file = try PageCacheFile(space.memory, pages: 2)
      try space.map(at: 0x50_0000, pages: 2, protection: .readWrite)
      try space.map(at: 0x60_0000, pages: 2, protection: .readWrite, backing: .file(file))
      for place in [0x50_0000, 0x60_0000] as [VirtualAddress] {
        _ = try space.load(at: place, as: UInt64.self)
        #expect(try mapping(of: space, at: place).anonVMA == .none)
        try space.store(UInt64(1), at: place)
        #expect(try mapping(of: space, at: place).anonVMA != .none)
      }
    }
  }

  /// A read of 2 MiB of zeroes does, as on Linux.
  @Test func aHugeReadGivesOne() throws {
    try withSpace { space in
      try space.map(at: 0x60_0000, pages: Page.pagesPerHuge, protection: .readWrite, hugePages: true)
      _ = try space.load(at: 0x60_0000, as: UInt64.self)
      #expect(try mapping(of: space, at: 0x60_0000).anonVMA != .none)
    }
  }

  /// Also where the neighbours lie in other stripes.
  @Test(arguments: [0x10_0000, Stripe.size, 3 * Stripe.size + Stripe.size / 2])
  func aNeighbourOfAnotherProtectionShares(bytes: UInt64) throws {
    try withSpace { space in
      let (first, pages) = (VirtualAddress(8 * Stripe.size), Int(bytes) / Page.size)
      let second = first + pages * Page.size
      try space.map(at: first, pages: pages, protection: .write)
      try space.map(at: second, pages: 2, protection: .readWrite)
      try space.store(UInt64(1), at: second)
      try space.store(UInt64(1), at: first + (pages - 1) * Page.size)
      #expect(try mapping(of: space, at: first).anonVMA == mapping(of: space, at: second).anonVMA)
      try space.protect(at: second, pages: 2, .write)
      #expect(try mapping(of: space, at: first).pages == pages + 2)
    }
  }

  /// Threads that store first to neighbours at once: each mapping has one at last, and a child all pages.
  @Test func firstStoresAtOnce() throws {
    try withSpace { space in
      for _ in 0..<100 {
        let places = (0..<4).map { VirtualAddress(0x50_0000 + UInt64($0 * Page.size)) }
        for (index, place) in places.enumerated() {
          try space.map(at: place, pages: 1, protection: index % 2 == 0 ? .readWrite : .write)
        }
        let threads = places.enumerated().map { index, place in
          CheckedThread { try space.store(UInt64(index), at: place) }
        }
        for thread in threads { try thread.join() }
        let child = try space.fork()
        for (index, place) in places.enumerated() {
          #expect(try mapping(of: space, at: place).anonVMA != .none)
          #expect(try child.load(at: place, as: UInt64.self) == UInt64(index))
        }
        child.exit()
        try space.unmap(at: 0x50_0000, pages: 4)
      }
    }
  }
}
