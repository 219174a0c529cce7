/// A setting whose page is freed lazily, and reads as what it was until it is dropped.
private func lazilyFreed(_ engine: PinEngine) -> Setting {
  let setting = Setting(engine: engine, swapPages: 2)
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
  check(Setting.settledValue(setting.space) == Setting.foreign, "a store is lost")
  setting.end()
}

/// A pin of a page that was freed lazily, while the page is dropped: it stays as long as the pin holds it.
func pinAgainstDropOfLazilyFreed(_ engine: PinEngine) {
  let setting = lazilyFreed(engine)
  inParallel(
    { setting.pinAndLook() },
    {
      try! setting.space.advise(at: Setting.address, pages: 1, .pageOut)
      setting.useFramesAgain()
    })
  let seen = Setting.settledValue(setting.space)
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
  check(Setting.settledValue(setting.space, at: address) == 0, "a guard hid a page")
  setting.end()
}

/// A page that is pinned while a long-term pin moves it stays the program's.
func pinAgainstMove(_ engine: PinEngine) {
  let setting = Setting(engine: engine, isMovable: true)
  inParallel({ setting.pinAndStore([.write, .fastOnly]) }, { setting.pinForLong() })
  setting.end()
}

/// A store while a long-term pin moves its page is in the page that the pin gets.
func storeAgainstMove(_ engine: PinEngine) {
  let setting = Setting(engine: engine, isMovable: true)
  inParallel({ try! setting.space.store(Setting.foreign, at: Setting.address) }, { setting.pinForLong() })
  check(Setting.settledValue(setting.space) == Setting.foreign, "a store is lost")
  setting.end()
}

extension Setting {
  /// Pins the page for long, and stores as a device would. The program sees it.
  fileprivate func pinForLong() {
    guard let pin = try? space.pin(at: Self.address, [.write, .longTerm]) else { return }
    pin.store(Self.other, toByteOffset: 8)
    check(Self.settledValue(space, at: Self.address + 8) == Self.other, "a pinned page was left behind by its program")
    pin.release()
  }
}
