/// A page that is freed lazily reads as what it was until it is dropped.
private func lazilyFreed(_ engine: PinEngine, _ way: PinWay = .first) -> Setting {
  let setting = Setting(engine: engine, way, swapPages: 2)
  try! setting.space.advise(at: Setting.address, pages: 1, .free)
  return setting
}

/// A store while its page, which was freed lazily, is dropped: the page stays, or the store goes to a new one.
func storeAgainstDropOfLazilyFreed(_ engine: PinEngine) {
  let setting = lazilyFreed(engine)
  inParallel(
    { try! setting.space.store(Setting.foreign, at: Setting.address) },
    { try! setting.space.advise(at: Setting.address, pages: 1, .pageOut) })
  setting.useFramesAgain()
  check(Setting.finalValue(setting.space) == Setting.foreign, "a store is lost")
  setting.end()
}

/// A pin of a page that was freed lazily, while the page is dropped: it stays as long as the pin holds it.
func pinAgainstDropOfLazilyFreed(_ engine: PinEngine, _ way: PinWay = .first) {
  let setting = lazilyFreed(engine, way)
  inParallel(
    { setting.pinAndLook() },
    {
      try! setting.space.advise(at: Setting.address, pages: 1, .pageOut)
      setting.useFramesAgain()
    })
  let seen = Setting.finalValue(setting.space)
  check(seen == 0 || seen == Setting.content, "a page became another one")
  setting.end()
}

/// Once a guard is installed, no fault has mapped a page there.
func faultAgainstGuard(_ engine: PinEngine) {
  let setting = Setting(engine: engine, pages: 2)
  store(at: Setting.address + Page.size, againstGuardIn: setting)
}

/// Once a guard is installed, no store by the old entry lands.
func storeAgainstGuard(_ engine: PinEngine) { store(at: Setting.address, againstGuardIn: Setting(engine: engine)) }

private func store(at address: VirtualAddress, againstGuardIn setting: Setting) {
  inParallel(
    { _ = try? setting.space.store(Setting.foreign, at: address) },
    {
      try! setting.space.advise(at: address, pages: 1, .guardInstall)
      check((try? setting.space.load(at: address, as: UInt64.self)) == nil, "a page behind a guard")
      setting.useFramesAgain()
    })
  try! setting.space.advise(at: address, pages: 1, .guardRemove)
  check(Setting.finalValue(setting.space, at: address) == 0, "a guard hid a page")
  setting.end()
}

/// Once `lock` has returned, the page is in memory and stays there.
func lockAgainstPageOut(_ engine: PinEngine) {
  let setting = Setting(engine: engine, swapPages: 2)
  inParallel(
    {
      try! setting.space.lock(at: Setting.address, pages: 1)
      check((try? setting.space.pin(at: Setting.address, .fastOnly)) != nil, "a locked page is paged out")
    },
    { try? setting.space.advise(at: Setting.address, pages: 1, .pageOut) })
  check(Setting.finalValue(setting.space) == Setting.content, "a page was lost")
  setting.end()
}

/// A seal comes before the whole of an unmap, or after it: one of the two fails.
func sealAgainstUnmap(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let (sealed, unmapped) = (Flag(), Flag())
  inParallel(
    { if (try? setting.space.seal(at: Setting.address, pages: 1)) != nil { sealed.set() } },
    { if (try? setting.space.unmap(at: Setting.address, pages: 1)) != nil { unmapped.set() } })
  check(sealed.isSet != unmapped.isSet, "a sealed mapping went, or none was left to either")
  check((setting.space.mapping(at: Setting.address) != nil) == sealed.isSet, "a mapping is lost")
  setting.end()
}

/// A fault in 2 MiB with an empty table, which is given back: the page that the fault installs is not lost.
func faultAgainstTableReclaim(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let start: VirtualAddress = 0x4000_0000
  let space = setting.space
  try! space.map(at: start, pages: Page.pagesPerHuge, protection: .readWrite)
  try! space.store(Setting.content, at: start)
  // Of one page, so that the table stays.
  try! space.advise(at: start, pages: 1, .dontNeed)
  inParallel(
    { try! space.store(Setting.foreign, at: start) },
    { space.reclaimTables(in: [start.hugeRange]) })
  check(Setting.finalValue(space, at: start) == Setting.foreign, "a store is lost")
  setting.end()
}

/// A page that is pinned while a long-term pin moves it stays the program's.
func pinAgainstMove(_ engine: PinEngine, _ way: PinWay = .first) {
  let setting = Setting(engine: engine, way, isMovable: true)
  inParallel({ setting.pinAndStore([.write, .fastOnly]) }, { setting.pinForLong() })
  setting.end()
}

/// A store while a long-term pin moves its page is in the page that the pin gets.
func storeAgainstMove(_ engine: PinEngine) {
  let setting = Setting(engine: engine, isMovable: true)
  inParallel({ try! setting.space.store(Setting.foreign, at: Setting.address) }, { setting.pinForLong() })
  check(Setting.finalValue(setting.space) == Setting.foreign, "a store is lost")
  setting.end()
}

extension Setting {
  /// Pins the page for long, and stores as a device would. The program sees it.
  fileprivate func pinForLong() {
    guard let pin = try? space.pin(at: Self.address, [.write, .longTerm]) else { return }
    pin.store(Self.other, toByteOffset: 8)
    check(Self.finalValue(space, at: Self.address + 8) == Self.other, "a pinned page was left behind by its program")
    pin.release()
  }
}
