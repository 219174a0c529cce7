/// Once `protect` has returned, no store by the old entry lands.
func storeAgainstProtect(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    { _ = try? setting.space.store(Setting.foreign, at: Setting.address) },
    {
      try! setting.space.protect(at: Setting.address, pages: 1, .read)
      _ = Setting.finalValue(setting.space)
    })
  setting.end()
}

/// A store while another mapping takes the place: it lands before in the old page, or after in the new one.
func storeAgainstMap(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    { try! setting.space.store(Setting.foreign, at: Setting.address) },
    {
      try! setting.space.map(at: Setting.address, pages: 1, protection: .readWrite)
    })
  let seen = Setting.finalValue(setting.space)
  check(seen == 0 || seen == Setting.foreign, "the new mapping shows the old one's page")
  setting.end()
}

/// A store while the page moves: it fails, or the new address shows it.
func storeAgainstRemap(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let new = Setting.address + 8 * Page.size
  let stored = Flag()
  inParallel(
    { if (try? setting.space.store(Setting.foreign, at: Setting.address)) != nil { stored.set() } },
    {
      try! setting.space.remap(at: Setting.address, pages: 1, to: new, newPages: 1)
      _ = Setting.finalValue(setting.space, at: new)
    })
  let expected = stored.isSet ? Setting.foreign : Setting.content
  check(Setting.finalValue(setting.space, at: new) == expected, "a store is lost, or failed and landed")
  setting.end()
}

/// A store comes before a fork or after it, and what the child sees stays.
func storeAgainstFork(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    { try! setting.space.store(Setting.foreign, at: Setting.address) },
    {
      let child = setting.fork()
      let seen = Setting.finalValue(child)
      check(seen == Setting.content || seen == Setting.foreign, "a child saw what was never stored")
    })
  check(Setting.finalValue(setting.space) == Setting.foreign, "the parent's store is lost")
  setting.end()
}

/// Once `unmap` has returned, no store by the old entry lands in what has the frame next.
func storeAgainstReuse(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    { _ = try? setting.space.store(Setting.other, at: Setting.address) },
    {
      try! setting.space.unmap(at: Setting.address, pages: 1)
      setting.useFramesAgain()
    })
  setting.end()
}

/// No load sees what has the frame next.
func loadAgainstReuse(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    {
      guard let seen = try? setting.space.load(at: Setting.address, as: UInt64.self) else { return }
      check(seen == Setting.content, "a load saw another space's page")
    },
    {
      try! setting.space.unmap(at: Setting.address, pages: 1)
      setting.useFramesAgain()
    })
  setting.end()
}

/// Parent and child store to the page that they share. Each has its own after that, and one of them may keep the old
/// frame.
func storesOfParentAndChild(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let child = setting.fork()
  inParallel(
    { try! setting.space.store(Setting.foreign, at: Setting.address) },
    { try! child.store(Setting.other, at: Setting.address) })
  check(Setting.finalValue(setting.space) == Setting.foreign, "the parent's store is lost")
  check(Setting.finalValue(child) == Setting.other, "the child's store is lost")
  setting.end()
}

/// Two threads break copy-on-write of one page: neither store is lost, and the child sees none.
func storesOfOneSpace(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let child = setting.fork()
  inParallel(
    { try! setting.space.store(Setting.foreign, at: Setting.address) },
    { try! setting.space.store(Setting.other, at: Setting.address + 8) })
  check(Setting.finalValue(setting.space) == Setting.foreign, "the first store is lost")
  check(Setting.finalValue(setting.space, at: Setting.address + 8) == Setting.other, "the second store is lost")
  check(Setting.finalValue(child) == Setting.content, "a child saw its parent's store")
  setting.end()
}

/// A store breaks copy-on-write while the space forks again.
func copyOnWriteAgainstFork(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let child = setting.fork()
  inParallel(
    { try! setting.space.store(Setting.foreign, at: Setting.address) },
    {
      let second = setting.fork()
      let seen = Setting.finalValue(second)
      check(seen == Setting.content || seen == Setting.foreign, "a child saw what was never stored")
    })
  check(Setting.finalValue(setting.space) == Setting.foreign, "the parent's store is lost")
  check(Setting.finalValue(child) == Setting.content, "a child saw its parent's store")
  setting.end()
}

private let untouched = Setting.address + 8 * Page.size

/// Two first touches of one page: one frame, and neither store is lost.
func faultAgainstFault(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  try! setting.space.map(at: untouched, pages: 1, protection: .readWrite)
  inParallel(
    { try! setting.space.store(UInt64(1), at: untouched) },
    { try! setting.space.store(UInt64(2), at: untouched + 8) })
  check(try! setting.space.load(at: untouched, as: UInt64.self) == 1, "the first store is lost")
  check(try! setting.space.load(at: untouched + 8, as: UInt64.self) == 2, "the second store is lost")
  setting.end()
}

/// A first touch while the mapping goes away: it fails, or its page goes too.
func faultAgainstUnmap(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  try! setting.space.map(at: untouched, pages: 1, protection: .readWrite)
  inParallel(
    { _ = try? setting.space.store(UInt64(1), at: untouched) },
    { try! setting.space.unmap(at: untouched, pages: 1) })
  setting.end()
}

/// As fault against unmap, where the fault links the nodes and the unmap takes them down.
///
/// - Parameter pages: how many the unmap is of. One stripe that is vacant keeps its node, and two do not.
func faultAgainstUnmapOfNodes(_ engine: PinEngine, pages: Int = 1) {
  let setting = Setting(engine: engine)
  let far: VirtualAddress = 0x10_0000_0000
  try! setting.space.map(at: far, pages: 1, protection: .readWrite)
  inParallel(
    { _ = try? setting.space.store(UInt64(1), at: far) },
    { try! setting.space.unmap(at: far, pages: pages) })
  setting.end()
}

/// Two first touches of neighbours, each of which links the nodes that it misses.
func faultAgainstFaultOfNodes(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let far: VirtualAddress = 0x10_0000_0000
  try! setting.space.map(at: far, pages: 2, protection: .readWrite)
  // Otherwise there are twenty times as many executions. `faultAgainstFault` has two faults that prepare.
  setting.space.prepareAnonVMA(at: far)
  inParallel(
    { try! setting.space.store(UInt64(1), at: far) },
    { try! setting.space.store(UInt64(2), at: far + Page.size) })
  check(Setting.finalValue(setting.space, at: far) == 1, "the first store is lost")
  check(Setting.finalValue(setting.space, at: far + Page.size) == 2, "the second store is lost")
  setting.end()
}

/// A first touch while the space forks: the child sees the store or zeroes, and what it sees stays.
func faultAgainstFork(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  try! setting.space.map(at: untouched, pages: 1, protection: .readWrite)
  inParallel(
    { try! setting.space.store(Setting.foreign, at: untouched) },
    {
      let child = setting.fork()
      let seen = Setting.finalValue(child, at: untouched)
      check(seen == 0 || seen == Setting.foreign, "a child saw what was never stored")
    })
  check(Setting.finalValue(setting.space, at: untouched) == Setting.foreign, "the parent's store is lost")
  setting.end()
}

/// Two first stores to a mapping, one by the thread that forks then: whichever fault gives the mapping its `anon_vma`,
/// the child gets the page.
func firstStoresAgainstFork(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  try! setting.space.map(at: untouched, pages: 1, protection: .readWrite)
  inParallel(
    { try! setting.space.store(Setting.foreign, at: untouched + 8) },
    {
      try! setting.space.store(Setting.other, at: untouched)
      check(Setting.finalValue(setting.fork(), at: untouched) == Setting.other, "the child lost its parent's page")
    })
  check(Setting.finalValue(setting.space, at: untouched + 8) == Setting.foreign, "the parent's store is lost")
  setting.end()
}

/// A first touch finds its mapping while a neighbour joins it, and the mapping that it was is freed.
func faultAgainstPublish(_ engine: PinEngine) {
  let setting = Setting(engine: engine, pages: 2)
  let second = Setting.address + Page.size
  inParallel(
    { try! setting.space.store(Setting.foreign, at: second) },
    {
      try! setting.space.map(at: second + Page.size, pages: 1, protection: .readWrite)
      setting.memory.flushDeferredFrees()
    })
  check(Setting.finalValue(setting.space, at: second) == Setting.foreign, "a store is lost")
  setting.end()
}

/// A store of any width is a release, and a load an acquire: of what one thread stored, another finds the earlier with
/// the later.
func storesOfEachWidth(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let (first, second, third) = (Setting.address + 64, Setting.address + 128, Setting.address + 192)
  inParallel(
    {
      setting.send(UInt8(1), at: first)
      setting.send(UInt16(1), at: second)
      setting.send(UInt32(1), at: third)
    },
    {
      setting.receive(UInt8.self, at: first)
      setting.receive(UInt16.self, at: second)
      setting.receive(UInt32.self, at: third)
    })
  setting.end()
}

extension Setting {
  /// Stores a word, and behind it that it is there.
  fileprivate func send<Width: FixedWidthInteger & BitwiseCopyable>(_ mark: Width, at address: VirtualAddress) {
    try! space.store(Self.other, at: address)
    try! space.store(mark, at: address + 8)
  }

  /// Loads the mark, and the word if it is there.
  fileprivate func receive<Width: FixedWidthInteger & BitwiseCopyable>(_ type: Width.Type, at address: VirtualAddress) {
    guard try! space.load(at: address + 8, as: Width.self) == 1 else { return }
    check(try! space.load(at: address, as: UInt64.self) == Self.other, "a store is seen before an earlier one")
  }
}
