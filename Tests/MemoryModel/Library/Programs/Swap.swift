/// A page that is pinned while it is paged out stays what it was, and is the program's page again afterwards.
func pinAgainstPageOut(_ engine: PinEngine, _ way: PinWay = .first) {
  let setting = Setting(engine: engine, way, swapPages: 2)
  inParallel(
    { setting.pinAndStore([.write, .fastOnly]) },
    {
      try! setting.space.advise(at: Setting.address, pages: 1, .pageOut)
      let seen = Setting.finalValue(setting.space, at: Setting.address + 8)
      check(seen == 0, "a page came back as another one")
    })
  setting.end()
}

/// A page that is got while it is paged out: its frame waits in the swap cache, and comes back as the program's page.
func getAgainstPageOut(_ engine: PinEngine) {
  let setting = Setting(engine: engine, swapPages: 2)
  let stored = Flag()
  inParallel(
    {
      guard let page = try? setting.space.get(at: Setting.address, [.write, .fastOnly]) else { return }
      page.store(Setting.foreign)
      let seen = try! setting.space.load(at: Setting.address, as: UInt64.self)
      check(seen == Setting.foreign, "a got page was left behind by its program")
      page.release()
      stored.set()
    },
    { try! setting.space.advise(at: Setting.address, pages: 1, .pageOut) })
  setting.memory.flushDeferredFrees()
  check(
    Setting.finalValue(setting.space) == (stored.isSet ? Setting.foreign : Setting.content), "a store is lost")
  setting.end()
}

/// A store while its page is paged out is in what comes back.
func storeAgainstPageOut(_ engine: PinEngine) {
  let setting = Setting(engine: engine, swapPages: 2)
  inParallel(
    { try! setting.space.store(Setting.foreign, at: Setting.address) },
    { try! setting.space.advise(at: Setting.address, pages: 1, .pageOut) })
  setting.memory.flushDeferredFrees()
  check(Setting.finalValue(setting.space) == Setting.foreign, "a store is lost")
  setting.end()
}

/// A setting with its page in the swap file alone.
private func swappedOut(_ engine: PinEngine) -> Setting {
  let setting = Setting(engine: engine, swapPages: 2)
  try! setting.space.advise(at: Setting.address, pages: 1, .pageOut)
  setting.memory.flushDeferredFrees()
  return setting
}

/// Two faults on a page that is in the swap file: one frame, and no store is lost.
func swapInAgainstSwapIn(_ engine: PinEngine) {
  let setting = swappedOut(engine)
  inParallel(
    { check(try! setting.space.load(at: Setting.address, as: UInt64.self) == Setting.content, "a page was lost") },
    { try! setting.space.store(Setting.other, at: Setting.address + 8) })
  check(Setting.finalValue(setting.space) == Setting.content, "a page was lost")
  check(Setting.finalValue(setting.space, at: Setting.address + 8) == Setting.other, "a store is lost")
  setting.end()
}

/// A page comes back from the swap file while its mapping goes away.
func swapInAgainstUnmap(_ engine: PinEngine) {
  let setting = swappedOut(engine)
  inParallel(
    {
      guard let seen = try? setting.space.load(at: Setting.address, as: UInt64.self) else { return }
      check(seen == Setting.content, "a load saw another page")
    },
    {
      try! setting.space.unmap(at: Setting.address, pages: 1)
      setting.memory.flushDeferredFrees()
    })
  setting.end()
}

/// A page comes back from the swap file while the space forks: parent and child find it.
func swapInAgainstFork(_ engine: PinEngine) {
  let setting = swappedOut(engine)
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
