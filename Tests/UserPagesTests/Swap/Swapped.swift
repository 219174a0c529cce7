import Foundation
import TestSupport
import Testing

@testable import UserPages

/// What tests of the swap file share: pages that hold known words.
enum Swapped {
  static let start: VirtualAddress = 0x10000

  static func address(_ page: Int) -> VirtualAddress { start + page * Page.size }
  static func word(_ page: Int) -> UInt64 { 0x5a5a_0000 + UInt64(page) }

  /// Runs `body` with a space of such pages on a machine with a swap file. At the end nothing may be left.
  static func withPages(
    _ pages: Int = 4, frames: Int = 64, swapPages: Int = 64, engine: PinEngine = .reference,
    sourceLocation: SourceLocation = #_sourceLocation, _ body: (Machine, AddressSpace) throws -> Void
  ) throws {
    // Pages go out on request alone.
    let machine = try Machine(
      frames: frames, swapPages: swapPages, reclaim: ReclaimPolicy(swapsForAllocations: false))
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: start, pages: pages, protection: .readWrite)
      for page in 0..<pages { try space.store(word(page), at: address(page)) }
      try body(machine, space)
      space.exit()
    }
    #expect(machine.leaks() == [], sourceLocation: sourceLocation)
  }

  /// Runs `body` with a memory file of four pages, which a shared mapping shows and which hold known words.
  static func withFile(
    swapPages: Int = 64, engine: PinEngine = .reference, _ body: (Machine, AddressSpace, PageCacheFile) throws -> Void
  ) throws {
    let machine = try Machine(frames: 64, swapPages: swapPages, reclaim: ReclaimPolicy(swapsForAllocations: false))
    do {
      let file = try PageCacheFile(machine.memory, pages: 4, maximumPages: 8)
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: start, pages: 4, protection: .readWrite, sharing: .shared, backing: .file(file))
      for page in 0..<4 { try space.store(word(page), at: address(page)) }
      try body(machine, space, file)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// Writes to the swap file open the first gate, and wait at the second from now on.
  static func holdWrites(_ machine: Machine) -> (begun: Gate, writer: Gate) {
    let (begun, writer) = (Gate(), Gate())
    machine.memory.swap.store.writeHook.withLock {
      $0 = { _, _ in
        begun.open()
        return writer.wait()
      }
    }
    return (begun, writer)
  }

  /// Pages out, and waits until the swap file has the pages.
  static func pageOut(_ space: AddressSpace, pages: Int = 4) throws {
    try space.advise(at: start, pages: pages, .pageOut)
    space.memory.flushDeferredFrees()
  }
}

/// Something to wait at.
final class Gate: Sendable {
  private let isOpen = Locked(false)

  func open() { isOpen.withLock { $0 = true } }

  func wait() -> Bool {
    while !isOpen.withLock({ $0 }) { usleep(100) }
    return true
  }
}

extension PinnedPage {
  /// The frame's number, of a pin that is given up at once.
  consuming func pfnAtRelease() -> PFN {
    let pfn = pfn
    release()
    return pfn
  }
}
