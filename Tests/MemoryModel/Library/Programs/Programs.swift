import Glibc
import MemoryModel

/// The protocols of the operation matrix, each as a program of two or three threads on the smallest machine.
///
/// `repin`: the page was pinned before. In the slot engine the first pin of a page goes another way than the later ones.
private func program(_ name: String) -> (() -> Void)? {
  let engine: PinEngine = name.hasSuffix("/slot") ? .slot : .reference
  switch name.prefix(while: { $0 != "/" }) {
  case "pin-unmap": return { pinAgainstUnmap(Setting(engine: engine)) }
  case "repin-unmap": return { pinAgainstUnmap(Setting(engine: engine, wasPinned: true)) }
  case "pin-unmap-reuse": return { pinAgainstReuse(Setting(engine: engine)) }
  case "repin-unmap-reuse": return { pinAgainstReuse(Setting(engine: engine, wasPinned: true)) }
  case "pin-fork": return { pinAgainstFork(Setting(engine: engine)) }
  case "repin-fork": return { pinAgainstFork(Setting(engine: engine, wasPinned: true)) }
  case "store-protect": return { storeAgainstProtect(engine) }
  case "pin-protect": return { pinAgainstProtect(engine) }
  case "fault-fault": return { faultAgainstFault(engine) }
  case "fault-unmap": return { faultAgainstUnmap(engine) }
  case "pin-pin-unmap": return { twoPinsAgainstUnmap(engine) }
  default: return nil
  }
}

@_cdecl("mm_test") public func test(_ unused: UnsafeMutableRawPointer?) {
  guard let name = getenv("MM_PROGRAM"), let run = program(String(cString: name)) else {
    fatalError("MM_PROGRAM names no program")
  }
  run()
}

/// A page that is pinned while its mapping goes away stays what it was.
private func pinAgainstUnmap(_ setting: Setting) {
  inParallel(
    { setting.pinAndLook() },
    {
      try! setting.space.unmap(at: Setting.address, pages: 1)
      check((try? setting.space.pin(at: Setting.address, .fastOnly)) == nil, "a pin after unmap")
    })
  setting.end()
}

/// As pin against unmap, and then the frame is used again, by another space.
private func pinAgainstReuse(_ setting: Setting) {
  inParallel(
    { setting.pinAndLook() },
    {
      try! setting.space.unmap(at: Setting.address, pages: 1)
      setting.memory.flushDeferredFrees()
      let other = AddressSpace(setting.memory, engine: setting.space.engine)
      try! other.map(at: Setting.address, pages: 1, protection: .readWrite)
      try! other.store(Setting.foreign, at: Setting.address)
    })
  setting.end()
}

/// A pin that a fork meets keeps the parent's frame: what a device writes through it, the parent sees.
private func pinAgainstFork(_ setting: Setting) {
  inParallel(
    {
      guard let pin = try? setting.space.pin(at: Setting.address, [.write, .fastOnly]) else { return }
      // The program stores to its page. It must be the pinned one: a copy would leave the device behind.
      try! setting.space.store(Setting.foreign, at: Setting.address)
      check(pin.load(as: UInt64.self) == Setting.foreign, "a pinned page was left behind by its program")
      pin.release()
    },
    {
      let child = try! setting.space.fork()
      let seen = try! child.load(at: Setting.address, as: UInt64.self)
      check(seen == Setting.content || seen == Setting.foreign, "a child saw what was never stored")
    })
  setting.end()
}

/// Once `protect` has returned, no store by the old entry lands.
private func storeAgainstProtect(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    { _ = try? setting.space.store(Setting.foreign, at: Setting.address) },
    {
      try! setting.space.protect(at: Setting.address, pages: 1, .read)
      let first = try! setting.space.load(at: Setting.address, as: UInt64.self)
      let second = try! setting.space.load(at: Setting.address, as: UInt64.self)
      check(first == second, "a store landed after protect")
    })
  setting.end()
}

/// Once `protect` has returned, no pin for writing is taken by the old entry.
private func pinAgainstProtect(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    {
      guard let pin = try? setting.space.pin(at: Setting.address, [.write, .fastOnly]) else { return }
      check(pin.load(as: UInt64.self) == Setting.content, "a pinned page changed")
      pin.release()
    },
    {
      try! setting.space.protect(at: Setting.address, pages: 1, .read)
      check(
        (try? setting.space.pin(at: Setting.address, [.write, .fastOnly])) == nil, "a pin for writing after protect")
    })
  setting.end()
}

/// Two first touches of one page: one frame, and neither store is lost.
private func faultAgainstFault(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let address = Setting.address + 8 * Page.size
  try! setting.space.map(at: address, pages: 1, protection: .readWrite)
  inParallel(
    { try! setting.space.store(UInt64(1), at: address) },
    { try! setting.space.store(UInt64(2), at: address + 8) })
  check(try! setting.space.load(at: address, as: UInt64.self) == 1, "the first store is lost")
  check(try! setting.space.load(at: address + 8, as: UInt64.self) == 2, "the second store is lost")
  setting.end()
}

/// A first touch while the mapping goes away: it fails, or its page goes too.
private func faultAgainstUnmap(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let address = Setting.address + 8 * Page.size
  try! setting.space.map(at: address, pages: 1, protection: .readWrite)
  inParallel(
    { _ = try? setting.space.store(UInt64(1), at: address) },
    { try! setting.space.unmap(at: address, pages: 1) })
  setting.end()
}

private func twoPinsAgainstUnmap(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    { setting.pinAndLook() }, { setting.pinAndLook() }, { try! setting.space.unmap(at: Setting.address, pages: 1) })
  setting.end()
}
