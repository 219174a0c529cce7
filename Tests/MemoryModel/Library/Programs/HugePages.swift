/// A machine with two frames of 2 MiB, and a space that maps 2 MiB.
private struct HugeSetting {
  static let address: VirtualAddress = 0x4000_0000
  let memory: PhysicalMemory
  let space: AddressSpace
  private let freeAtStart: Int

  init(_ engine: PinEngine, isHuge: Bool) {
    memory = try! PhysicalMemory(ramPages: 2 * Page.pagesPerHuge, spanPages: 4096)
    freeAtStart = memory.freePages
    space = AddressSpace(memory, engine: engine)
    try! space.map(at: Self.address, pages: Page.pagesPerHuge, protection: .readWrite, hugePages: isHuge)
    try! space.store(Setting.content, at: Self.address)
  }

  func pinAndStore() {
    guard let pin = try? space.pin(at: Self.address, [.write, .fastOnly]) else { return }
    try! space.store(Setting.foreign, at: Self.address)
    check(pin.load(as: UInt64.self) == Setting.foreign, "a pinned page was left behind by its program")
    pin.release()
  }

  func end() {
    space.exit()
    memory.flushDeferredFrees()
    check(
      memory.census() == Census(framesInUse: 0, tableNodes: 1, mapcounts: 0, pins: 0, references: 0), "something leaked"
    )
    check(memory.freePages == freeAtStart, "frames leaked")
    withExtendedLifetime(space) {}
  }
}

/// A pin of a part while the entry of 2 MiB becomes 512: it keeps the program's page.
func pinAgainstSplit(_ engine: PinEngine) {
  let huge = HugeSetting(engine, isHuge: true)
  inParallel(
    { huge.pinAndStore() },
    { try! huge.space.protect(at: HugeSetting.address + Page.size, pages: 1, .read) })
  huge.end()
}

/// A store while the entry of 2 MiB becomes 512 is not lost.
func storeAgainstSplit(_ engine: PinEngine) {
  let huge = HugeSetting(engine, isHuge: true)
  inParallel(
    { try! huge.space.store(Setting.foreign, at: HugeSetting.address) },
    { try! huge.space.protect(at: HugeSetting.address + Page.size, pages: 1, .read) })
  check(Setting.settledValue(huge.space, at: HugeSetting.address) == Setting.foreign, "a store is lost")
  huge.end()
}

/// A pin while 512 entries become one of 2 MiB: the pages stay, or the pin does not get one.
func pinAgainstCollapse(_ engine: PinEngine) {
  let huge = HugeSetting(engine, isHuge: false)
  inParallel(
    { huge.pinAndStore() },
    { try? huge.space.advise(at: HugeSetting.address, pages: Page.pagesPerHuge, .collapse) })
  huge.end()
}

/// A store while 512 entries become one of 2 MiB is not lost.
func storeAgainstCollapse(_ engine: PinEngine) {
  let huge = HugeSetting(engine, isHuge: false)
  inParallel(
    { try! huge.space.store(Setting.foreign, at: HugeSetting.address) },
    { try? huge.space.advise(at: HugeSetting.address, pages: Page.pagesPerHuge, .collapse) })
  check(Setting.settledValue(huge.space, at: HugeSetting.address) == Setting.foreign, "a store is lost")
  huge.end()
}
