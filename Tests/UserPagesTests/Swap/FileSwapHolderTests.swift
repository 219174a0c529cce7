import Foundation
import TestSupport
import Testing

@testable import UserPages

/// Frames of memory files that have other users than their places: what was dropped, numbers, locks, pins, `read`.
@Suite struct FileSwapHolderTests {
  private static let shown: VirtualAddress = 0x10_0000

  // MARK: Dropped pages

  /// A page that was dropped lives on where it is mapped, while the file's new page goes out.
  @Test(arguments: [false, true])
  func aDroppedPageStaysMapped(isReclaim: Bool) throws {
    try Swapped.withFile { machine, space, file in
      file.drop()
      let other = AddressSpace(machine.memory)
      try other.map(at: Swapped.start, pages: 4, protection: .readWrite, sharing: .shared, backing: .file(file))
      #expect(try other.load(at: Swapped.address(1), as: UInt64.self) == 0)
      if isReclaim {
        #expect(machine.memory.reclaim(pages: 1) == 1)
      } else {
        try Swapped.pageOut(other)
      }
      #expect(file.cachedPages == 0)
      #expect(space.entry(at: Swapped.address(1)).kind == .normal)
      try space.store(UInt64(5), at: Swapped.address(1) + 8)
      #expect(try space.load(at: Swapped.address(1), as: UInt64.self) == Swapped.word(1))
      other.exit()
    }
  }

  /// A locked mapping of a page that was dropped does not keep the file's new page in memory.
  @Test func aDroppedPageStaysLocked() throws {
    try Swapped.withFile { machine, space, file in
      try space.lock(at: Swapped.start, pages: 4)
      file.drop()
      let other = AddressSpace(machine.memory)
      try other.map(at: Swapped.start, pages: 4, protection: .readWrite, sharing: .shared, backing: .file(file))
      try other.store(UInt64(8), at: Swapped.start)
      #expect(machine.memory.reclaim(pages: 1) == 1)
      #expect(file.cachedPages == 0)
      #expect(try other.load(at: Swapped.start, as: UInt64.self) == 8)
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      other.exit()
    }
  }

  // MARK: Numbers

  /// The number of a frame with a page that is being written: a store by it would follow the copy.
  @Test func aNumberOnItsWayOut() throws {
    try Swapped.withFile { machine, space, file in
      let pfn = try space.pin(at: Swapped.start, .write).pfnAtRelease()
      let other = try PageCacheFile(machine.memory, pages: 1)
      try space.map(at: Self.shown, pages: 1, protection: .readWrite, sharing: .shared, backing: .mixed(other))
      let (begun, writer) = Swapped.holdWrites(machine)
      try space.advise(at: Swapped.start, pages: 1, .pageOut)
      _ = begun.wait()
      #expect(throws: PageError.invalidArgument) { try space.insertPage(pfn, at: Self.shown) }
      #expect(throws: PageError.invalidArgument) { try space.insertMixed(pfn, at: Self.shown) }
      writer.open()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 61)
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      // In memory it may be named, and stays.
      let back = try space.pin(at: Swapped.start, .write).pfnAtRelease()
      try space.insertPage(back, at: Self.shown)
      #expect(machine.memory.reclaim(pages: 4) == 3)
      try space.store(UInt64(6), at: Self.shown + 8)
      #expect(try space.load(at: Swapped.start + 8, as: UInt64.self) == 6)
    }
  }

  /// A mapping by number holds no reference: a frame that the swap file's writer has would be free before the entry is.
  @Test func aNumberOfAPageThatIsOut() throws {
    try Swapped.withFile { machine, space, file in
      let pfn = try space.pin(at: Swapped.start, .write).pfnAtRelease()
      let (_, writer) = Swapped.holdWrites(machine)
      try space.advise(at: Swapped.start, pages: 1, .pageOut)
      try space.map(at: Self.shown, pages: 4, protection: .readWrite, sharing: .shared, backing: .pfn(file))
      #expect(throws: PageError.invalidArgument) { try space.insertPFN(pfn, at: Self.shown, writable: true) }
      writer.open()
      machine.memory.flushDeferredFrees()
      let back = try space.pin(at: Swapped.start, .write).pfnAtRelease()
      try space.insertPFN(back, at: Self.shown, writable: true)
      #expect(try space.load(at: Self.shown, as: UInt64.self) == Swapped.word(0))
    }
  }

  /// A mapping by number holds no reference: the file's pages stay from then on.
  @Test func aMappingByNumber() throws {
    try Swapped.withFile { machine, space, file in
      let pfn = try space.pin(at: Swapped.start, .write).pfnAtRelease()
      try space.map(at: Self.shown, pages: 4, protection: .readWrite, sharing: .shared, backing: .pfn(file))
      try space.insertPFN(pfn, at: Self.shown, writable: true)
      try Swapped.pageOut(space)
      #expect(machine.memory.reclaim(pages: 4) == 0)
      try space.store(UInt64(5), at: Self.shown + 8)
      #expect(try space.load(at: Swapped.start + 8, as: UInt64.self) == 5)
    }
  }

  /// Files that were made so.
  @Test func unevictableFiles() throws {
    let machine = try Machine(frames: 16, swapPages: 16)
    do {
      let files = [
        try PageCacheFile(machine.memory, pages: 1, isEvictable: false),
        try PageCacheFile(machine.memory, contents: [1, 2, 3], isEvictable: false),
      ]
      for file in files { try file.write([7], at: 0) }
      #expect(machine.memory.reclaim(pages: 2) == 0)
      for file in files { #expect(file.cachedPages == 1) }
    }
    #expect(machine.leaks() == [])
  }

  // MARK: What reclaim looks at

  /// Locked and pinned pages do not leave their places to find that out.
  @Test(arguments: Engines.all)
  func heldPagesCostLooks(engine: PinEngine) throws {
    try Swapped.withFile(engine: engine) { machine, space, file in
      let pins = try space.pin(at: Swapped.start, pages: 2, .write)
      try space.lock(at: Swapped.address(2), pages: 2)
      #expect(machine.memory.reclaim(pages: 1) == 0)
      #expect(machine.memory.swap.whileUnused {}, "a page that is held set out for the swap file")
      pins.release(dirty: true)
      try space.unlock(at: Swapped.address(2), pages: 2)
      #expect(machine.memory.reclaim(pages: 4) == 4)
    }
  }

  /// Gets by reference can be told after a grace period alone. A turn asks about 1024 pages, and the next goes on.
  @Test func pagesInDoubt() throws {
    let machine = try Machine(frames: 2048, swapPages: 64, reclaim: ReclaimPolicy(swapsForAllocations: false))
    do {
      let file = try PageCacheFile(machine.memory, pages: 1101)
      let space = AddressSpace(machine.memory, engine: .reference)
      try space.map(at: Swapped.start, pages: 1101, protection: .readWrite, sharing: .shared, backing: .file(file))
      let gets = try space.pin(at: Swapped.start, pages: 1100, [.get, .write])
      #expect(machine.memory.reclaim(pages: 1) == 0)
      #expect(file.clockHand.withLock { $0 } == 1024)
      #expect(machine.memory.reclaim(pages: 1) == 0)
      #expect(file.clockHand.withLock { $0 } == 1024 - 76)
      // Behind them, one that nothing holds.
      try space.store(UInt64(7), at: Swapped.address(1100))
      #expect(machine.memory.reclaim(pages: 1) == 1)
      gets.release()
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// `read` and `write` count as accesses, though no entry shows them.
  @Test(arguments: [false, true])
  func readAndWriteAreAccesses(isWrite: Bool) throws {
    try Swapped.withFile { machine, space, file in
      try space.advise(at: Swapped.start, pages: 4, .cold)
      if isWrite {
        try file.write([1], at: 2 * Page.size + 100)
      } else {
        #expect(try file.read(at: 2 * Page.size + 100, count: 1) == [0])
      }
      #expect(space.frameInformation(at: Swapped.address(2))?.mapCount == 1)
      #expect(machine.memory.reclaim(pages: 3) == 3)
      #expect(space.entry(at: Swapped.address(2)).kind == .normal)
    }
  }

  /// A page that was looked at together with an idle one, and was spared, has its second chance until the next turn.
  @Test func theHandDoesNotComeBack() throws {
    try Swapped.withFile { machine, space, file in
      try space.advise(at: Swapped.start, pages: 1, .cold)
      #expect(machine.memory.reclaim(pages: 1) == 1)
      #expect(file.cachedPages == 3)
      #expect(file.clockHand.withLock { $0 } == 4)
    }
  }

  /// A page-out in many batches keeps each space once.
  @Test func spacesAreKeptOnce() throws {
    try Swapped.withFile { machine, space, file in
      var kept: [any BackingUser] = []
      let holders = PinSlotSnapshot(of: machine.memory.frames)
      for page in 0..<4 { #expect(file.swapOut([page], sparing: holders, keepingIn: &kept).out == 1) }
      #expect(kept.count == 1)
      machine.memory.flushDeferredFrees()
    }
  }

  /// The swap file is full until a write is over: the rest of the batch goes then.
  @Test func aSwapFileThatIsFullForAWhile() throws {
    try Swapped.withFile(swapPages: 2) { machine, space, file in
      let begun = Gate()
      let writes = Locked(0)
      let swap = machine.memory.swap
      swap.store.writeHook.withLock {
        $0 = { [unowned swap] _, _ in
          let isFirst = writes.withLock { count -> Bool in
            count += 1
            return count == 1
          }
          begun.open()
          // Until another page has the second slot, and a third one has found none.
          while isFirst, swap.usedCount < 2 { usleep(100) }
          if isFirst { usleep(20_000) }
          return true
        }
      }
      try space.advise(at: Swapped.start, pages: 1, .pageOut)
      _ = begun.wait()
      // Back, and its slot is the writer's still.
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      try space.advise(at: Swapped.address(1), pages: 2, .pageOut)
      machine.memory.flushDeferredFrees()
      #expect(file.cachedPages == 2)
      for page in 0..<4 { #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == Swapped.word(page)) }
    }
  }
}
