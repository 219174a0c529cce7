import Foundation
import UserPages

/// A machine for one test: physical memory, and what it must look like again at the end.
public final class Machine: Sendable {
  /// Its memory.
  public let memory: PhysicalMemory
  private let freeAtStart: Int

  /// A machine with `frames` frames of RAM, the last `movable` of them movable, and room for `swapPages` pages in a
  /// swap file.
  public init(
    frames: Int = 1024, movable: Int = 0, swapPages: Int = 0, reclaim: ReclaimPolicy = ReclaimPolicy()
  ) throws {
    memory = try PhysicalMemory(
      ramPages: frames, movablePages: movable, swapFile: .temporary(pages: swapPages), reclaim: reclaim)
    freeAtStart = memory.freePages
  }

  /// A space with one anonymous page, at 0x5000. Its first word is `word`.
  public func space(engine: PinEngine, holding word: UInt64) throws -> AddressSpace {
    let space = AddressSpace(memory, engine: engine)
    try space.map(at: 0x5000, pages: 1, protection: .readWrite)
    try space.store(word, at: 0x5000)
    return space
  }

  /// What is not back where it started once everything was released: empty when all is well.
  public func leaks() -> [String] {
    // A background thread that reclaims may hold a space for a moment longer.
    for _ in 0..<1000 {
      if findLeaks().isEmpty { return [] }
      usleep(1000)
    }
    return findLeaks()
  }

  private func findLeaks() -> [String] {
    memory.flushDeferredFrees()
    let census = memory.census()
    var leaks: [String] = []
    if !census.isClean { leaks.append("census: \(census)") }
    if memory.freePages != freeAtStart {
      leaks.append("free frames: \(memory.freePages), at the start \(freeAtStart)")
    }
    return leaks
  }
}

/// The engines that every test of pinning runs over.
public enum Engines {
  /// All of them, or the one that `GUP_ENGINE` names. A new engine is added here and is tortured by every pair. Under a
  /// sanitizer those without locks: the locks are what orders the baseline, and the run must end in time.
  public static let all: [PinEngine] =
    TestEnvironment.choice("GUP_ENGINE").map { [$0] } ?? (Sanitizer.isPresent ? lockless : PinEngine.allCases)
  /// The engines that pin and fault without a lock, and can therefore be frozen in the middle.
  public static let lockless: [PinEngine] = [.reference, .slot]
  /// Those that take a reference and look again.
  public static let lookTwice: [PinEngine] = [.reference]
}

/// Some pages of an address space, by index.
public struct Region: Sendable {
  /// The first page's address.
  public let start: VirtualAddress
  /// How many pages.
  public let pages: Int
  /// The distance from one page to the next, in bytes.
  public let stride: Int

  /// `pages` pages from `start`, each `stride` bytes after the one before.
  public init(at start: VirtualAddress, pages: Int, stride: Int = Page.size) {
    self.start = start
    self.pages = pages
    self.stride = stride
  }

  /// The address of a page.
  public func address(_ page: Int) -> VirtualAddress { start + page * stride }
}

extension AddressSpace {
  /// Pins a page, or returns nil where it fails with one of the errors that the race allows.
  public func pin(
    at address: VirtualAddress, _ options: PinOptions, orGiveUpOn allowed: [PageError]
  ) throws -> PinnedPage? {
    do {
      return try pin(at: address, options)
    } catch {
      if allowed.contains(error) { return nil }
      throw error
    }
  }

  /// Pins a range, or returns nil where it fails with one of the errors that the race allows.
  public func pin(
    at address: VirtualAddress, pages: Int, _ options: PinOptions, orGiveUpOn allowed: [PageError]
  ) throws -> PinnedPages? {
    do {
      return try pin(at: address, pages: pages, options)
    } catch {
      if allowed.contains(error) { return nil }
      throw error
    }
  }

  /// Stores the owner's stamp at each of a page's places. False if the page is not (or no longer) mapped for writing.
  @discardableResult
  public func stamp(_ stamp: Stamp, at address: VirtualAddress) throws -> Bool {
    for offset in Stamp.offsets {
      if try !attemptStore(stamp.word, at: address + offset) { return false }
    }
    return true
  }

  /// Stamps every page of a region that is mapped for writing.
  public func stamp(_ region: Region, owner: UInt8 = 1, life: Int) throws {
    for page in 0..<region.pages {
      try stamp(Stamp(owner: owner, page: page, life: life), at: region.address(page))
    }
  }

  /// Stores a word. False if the page is not mapped for writing.
  public func attemptStore(_ word: UInt64, at address: VirtualAddress) throws -> Bool {
    do {
      try store(word, at: address)
      return true
    } catch .segmentationViolation {
      return false
    }
  }

  /// Loads a word. Nil if the page is not mapped for reading.
  public func attemptLoad(at address: VirtualAddress) throws -> UInt64? {
    do {
      return try load(at: address, as: UInt64.self)
    } catch .segmentationViolation {
      return nil
    }
  }
}

/// Runs `body` and forgives the errors that the race allows. False if it met one.
public func tolerating(_ allowed: PageError..., body: () throws(PageError) -> Void) throws -> Bool {
  do {
    try body()
    return true
  } catch {
    if allowed.contains(error) { return false }
    throw error
  }
}

extension PageCache {
  /// Pins a page without a mapping, or returns nil where it fails with one of the errors that the race allows.
  public func pin(page: Int, bySlot: Bool, orGiveUpOn allowed: [PageError]) throws -> PinnedPage? {
    do {
      return try pin(page: page, bySlot: bySlot)
    } catch {
      if allowed.contains(error) { return nil }
      throw error
    }
  }
}
