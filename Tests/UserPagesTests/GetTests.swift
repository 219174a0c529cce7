import TestSupport
import Testing

@testable import UserPages

/// A get is a reference, no pin: a store to a page that a fork has shared leaves the page to the holder (`do_wp_page`).
@Suite struct GetTests {
  private func withPage(_ engine: PinEngine, _ body: (Machine, AddressSpace) throws -> Void) throws {
    let machine = try Machine(frames: 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: 0x5000, pages: 2, protection: .readWrite)
      for page in 0..<2 { try space.store(UInt64(5), at: 0x5000 + page * Page.size) }
      try body(machine, space)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// Stores to the page that `get` holds, once what was deferred is free. The holder keeps what it got.
  private func store(behind get: consuming PinnedPage, _ machine: Machine, _ space: AddressSpace) throws {
    machine.memory.flushDeferredFrees()
    try space.store(UInt64(6), at: 0x5000)
    #expect(get.deviceBytes.load(as: UInt64.self) == 5, "a store reached the holder of a get")
    #expect(try space.load(at: 0x5000, as: UInt64.self) == 6)
    get.release()
  }

  /// The holder is another program by now: it must not see what this one stores (CVE-2020-29374).
  @Test(arguments: Engines.all)
  func theHolderWasAChild(engine: PinEngine) throws {
    try withPage(engine) { machine, space in
      let child = try space.fork()
      let get = try child.pin(at: 0x5000, .get)
      child.exit()
      try store(behind: get, machine, space)
    }
  }

  /// Taken before the fork: the store goes to a copy all the same.
  @Test(arguments: Engines.all)
  func theHolderCameBeforeTheFork(engine: PinEngine) throws {
    try withPage(engine) { machine, space in
      let get = try space.pin(at: 0x5000, .get)
      let child = try space.fork()
      child.exit()
      try store(behind: get, machine, space)
    }
  }

  @Test(arguments: Engines.all)
  func theHolderCameAfterTheFork(engine: PinEngine) throws {
    try withPage(engine) { machine, space in
      let child = try space.fork()
      let get = try space.pin(at: 0x5000, .get)
      child.exit()
      try store(behind: get, machine, space)
    }
  }

  /// No other space has the page any more, and its entry is still as the fork left it. The counts do not show the
  /// holder in a slot.
  @Test(arguments: Engines.all)
  func theHolderCameAfterTheChildsEnd(engine: PinEngine) throws {
    try withPage(engine) { machine, space in
      try space.fork().exit()
      machine.memory.flushDeferredFrees()
      try store(behind: try space.pin(at: 0x5000, .get), machine, space)
    }
  }

  @Test(arguments: Engines.all)
  func theHolderHasARange(engine: PinEngine) throws {
    try withPage(engine) { machine, space in
      let child = try space.fork()
      let gets = try child.pin(at: 0x5000, pages: 2, .get)
      child.exit()
      machine.memory.flushDeferredFrees()
      for page in 0..<2 { try space.store(UInt64(6), at: 0x5000 + page * Page.size) }
      for page in 0..<2 { #expect(gets.deviceBytes(at: page).load(as: UInt64.self) == 5) }
      gets.release()
    }
  }

  /// Without a holder the last user keeps its page.
  @Test(arguments: Engines.all)
  func noHolder(engine: PinEngine) throws {
    try withPage(engine) { machine, space in
      let child = try space.fork()
      try child.pin(at: 0x5000, .get).release()
      child.exit()
      machine.memory.flushDeferredFrees()
      let copies = space.counters.copies
      try space.store(UInt64(6), at: 0x5000)
      #expect(space.counters.copies == copies)
    }
  }
}
