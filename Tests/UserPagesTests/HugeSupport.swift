import TestSupport
import Testing

@testable import UserPages

/// Where the tests of 2 MiB entries map: aligned to 2 MiB, and to the span of the nodes above.
let hugeBase: VirtualAddress = 0x4000_0000

/// A machine and a space for a test of 2 MiB entries. Afterwards everything must be as it was.
func withHugePages(
  frames: Int = 4 * Page.pagesPerHuge, engine: PinEngine = .reference,
  sourceLocation: SourceLocation = #_sourceLocation, _ body: (Machine, AddressSpace) throws -> Void
) throws {
  let machine = try Machine(frames: frames)
  do {
    let space = AddressSpace(machine.memory, engine: engine)
    try body(machine, space)
    space.exit()
  }
  #expect(machine.leaks() == [], sourceLocation: sourceLocation)
}

extension VirtualAddress {
  /// The page `count` pages further on.
  func page(_ count: Int) -> VirtualAddress { self + count * Page.size }
}

extension AddressSpace {
  /// Maps private memory that may have 2 MiB entries.
  func mapHuge(_ address: VirtualAddress = hugeBase, pages: Int, _ protection: Protection = .readWrite) throws {
    try map(at: address, pages: pages, protection: protection, hugePages: true)
  }

  /// Maps private memory, and stores to each page its number plus one.
  func mapNumbered(_ address: VirtualAddress = hugeBase, pages: Int) throws {
    try mapHuge(address, pages: pages)
    for page in 0..<pages { try store(UInt64(page + 1), at: address.page(page)) }
  }

  /// The first of `pages` pages that does not begin with its number plus one. Nil if all do.
  func firstUnnumbered(_ address: VirtualAddress = hugeBase, pages: Range<Int>) throws -> Int? {
    for page in pages where try load(at: address.page(page), as: UInt64.self) != UInt64(page + 1) { return page }
    return nil
  }

  /// What `entry(at:)` says, as text.
  func says(_ address: VirtualAddress) -> String { entry(at: address).description }

  /// The frame behind a page.
  func pfn(_ address: VirtualAddress) throws -> PFN {
    let get = try pin(at: address, .get)
    let pfn = get.pfn
    get.release()
    return pfn
  }
}
