/// A setting with a mirror of its first page.
private struct MirrorSetting {
  let setting: Setting
  let mirror: Mirror

  var space: AddressSpace { setting.space }

  /// - Parameters:
  ///   - isTranslated: whether the mirror has the page's translation when the threads start, good for stores.
  ///   - swapPages: how many pages fit in the swap file.
  init(_ engine: PinEngine, isTranslated: Bool = true, swapPages: Int = 0) {
    setting = Setting(engine: engine, swapPages: swapPages)
    mirror = try! setting.space.mirror(at: Setting.address, pages: 1, for: .write)
    if isTranslated { try! mirror.store(Setting.content, at: Setting.address) }
  }

  func load() -> UInt64? { try? mirror.load(at: Setting.address) }

  /// Loads bytes one by one, as a copy does, and checks that they are the page's.
  func copy() {
    guard let bytes = try? mirror.load(at: Setting.address, count: 8) else { return }
    check(bytes.first == UInt8(truncatingIfNeeded: Setting.content), "a mirrored copy saw another space's page")
  }

  /// Checks that the mirror shows what the program sees, and translates again.
  func compare() {
    check(load() == Setting.finalValue(space), "the mirror and the program see different pages")
    check(mirror.holdsTranslation(at: Setting.address), "the page is never translated again")
  }

  func end() {
    setting.end()
    withExtendedLifetime(mirror) {}
  }
}

/// A mirrored load is in no section. It never believes what it read from a frame that another space has by then.
func mirroredLoadAgainstReuse(_ engine: PinEngine) {
  mirroredLoad(againstReuseOf: MirrorSetting(engine))
}

/// The same while the load translates the page first: what was translated from an older entry is not remembered.
func mirroredFillAgainstReuse(_ engine: PinEngine) {
  mirroredLoad(againstReuseOf: MirrorSetting(engine, isTranslated: false))
}

private func mirroredLoad(againstReuseOf mirrored: MirrorSetting) {
  inParallel(
    {
      guard let seen = mirrored.load() else { return }
      check(seen == Setting.content, "a mirrored load saw another space's page")
    },
    {
      try! mirrored.space.unmap(at: Setting.address, pages: 1)
      mirrored.setting.useFramesAgain()
    })
  check(mirrored.load() == nil, "a mirror shows a page that is unmapped")
  mirrored.end()
}

/// The same for a copy of bytes, which are not read as one word: by the order of the fences alone.
func mirroredCopyAgainstReuse(_ engine: PinEngine) {
  let mirrored = MirrorSetting(engine)
  inParallel(
    { mirrored.copy() },
    {
      try! mirrored.space.unmap(at: Setting.address, pages: 1)
      mirrored.setting.memory.flushDeferredFrees()
      mirrored.setting.useFreeFrames(byCopying: true)
    })
  mirrored.end()
}

/// The frame goes to a thread that is not the one which revoked the translation. It is the only one that is free.
///
/// The thread enters no section, as a fault while it makes a page. At a section's beginning it would learn of the
/// revocation.
func mirroredCopyAgainstReuseElsewhere(_ engine: PinEngine) {
  let mirrored = MirrorSetting(engine)
  let others = mirrored.setting.takeAllFrames()
  inParallel(
    { mirrored.copy() },
    {
      try! mirrored.space.unmap(at: Setting.address, pages: 1)
      mirrored.setting.memory.flushDeferredFrees()
      inParallel({ mirrored.setting.fillFreeFrame() })
    })
  for pfn in others { mirrored.setting.memory.discardFrame(pfn) }
  mirrored.end()
}

/// The same for a load of a word.
func mirroredLoadAgainstReuseElsewhere(_ engine: PinEngine) {
  let mirrored = MirrorSetting(engine)
  let others = mirrored.setting.takeAllFrames()
  inParallel(
    {
      guard let seen = mirrored.load() else { return }
      check(seen == Setting.content, "a mirrored load saw another space's page")
    },
    {
      try! mirrored.space.unmap(at: Setting.address, pages: 1)
      mirrored.setting.memory.flushDeferredFrees()
      inParallel({ mirrored.setting.useFreeFrames() })
    })
  for pfn in others { mirrored.setting.memory.discardFrame(pfn) }
  mirrored.end()
}

/// A mirror is made and translates its page while a fault, which holds no lock, breaks copy-on-write of the page.
func newMirrorAgainstCopyOnWrite(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  _ = setting.fork()
  let made = Made()
  inParallel(
    {
      let mirror = try! setting.space.mirror(at: Setting.address, pages: 1, for: .write)
      let seen: UInt64 = try! mirror.load(at: Setting.address)
      check(seen == Setting.content || seen == Setting.foreign, "a mirrored load saw another page")
      made.mirror = mirror
    },
    { try! setting.space.store(Setting.foreign, at: Setting.address) })
  let seen: UInt64 = try! made.mirror!.load(at: Setting.address)
  check(seen == Setting.foreign, "the mirror still shows what a fault has replaced")
  setting.end()
}

private final class Made: @unchecked Sendable {
  // For the thread that makes it, and after that thread has ended.
  var mirror: Mirror?
}

/// A page that another thread has just made: its mirror shows zeroes or the store, not what the frame held before.
func mirroredLoadAgainstFill(_ engine: PinEngine) {
  let mirrored = MirrorSetting(engine)
  // The frame that is free next has another program's contents.
  try! mirrored.space.store(Setting.other, at: Setting.address)
  try! mirrored.space.advise(at: Setting.address, pages: 1, .dontNeed)
  mirrored.setting.memory.flushDeferredFrees()
  inParallel(
    {
      guard let seen = mirrored.load() else { return }
      check(seen == 0 || seen == Setting.foreign, "a mirrored load saw what the frame held before")
    },
    { try! mirrored.mirror.store(Setting.foreign, at: Setting.address) })
  check(mirrored.load() == Setting.foreign, "a mirrored store is lost")
  mirrored.compare()
  mirrored.end()
}

/// Once `unmap` has returned, no mirrored store lands in what has the frame next.
func mirroredStoreAgainstReuse(_ engine: PinEngine) {
  let mirrored = MirrorSetting(engine)
  inParallel(
    { _ = try? mirrored.mirror.store(Setting.other, at: Setting.address) },
    {
      try! mirrored.space.unmap(at: Setting.address, pages: 1)
      mirrored.setting.useFramesAgain()
    })
  check(mirrored.load() == nil, "a mirror shows a page that is unmapped")
  mirrored.end()
}

/// Once `protect` has returned, no mirrored store lands. Loads go on, and are translated again.
func mirroredStoreAgainstProtect(_ engine: PinEngine) {
  let mirrored = MirrorSetting(engine)
  let stored = Flag()
  inParallel(
    { if (try? mirrored.mirror.store(Setting.foreign, at: Setting.address)) != nil { stored.set() } },
    {
      try! mirrored.space.protect(at: Setting.address, pages: 1, .read)
      _ = Setting.finalValue(mirrored.space)
    })
  check(
    Setting.finalValue(mirrored.space) == (stored.isSet ? Setting.foreign : Setting.content),
    "a store is lost, or failed and landed")
  mirrored.compare()
  mirrored.end()
}

/// A mirrored store comes before a fork or after it, and what the child sees stays.
func mirroredStoreAgainstFork(_ engine: PinEngine) {
  let mirrored = MirrorSetting(engine)
  inParallel(
    { try! mirrored.mirror.store(Setting.foreign, at: Setting.address) },
    {
      let child = mirrored.setting.fork()
      let seen = Setting.finalValue(child)
      check(seen == Setting.content || seen == Setting.foreign, "a child saw what was never stored")
    })
  check(Setting.finalValue(mirrored.space) == Setting.foreign, "the mirrored store is lost")
  mirrored.compare()
  mirrored.end()
}

/// A thread that breaks copy-on-write finds its store through the mirror, while another thread translates the page.
func mirroredLoadAgainstCopyOnWrite(_ engine: PinEngine) {
  let mirrored = MirrorSetting(engine)
  let child = mirrored.setting.fork()
  inParallel(
    {
      let seen = mirrored.load()
      check(seen == Setting.content || seen == Setting.foreign, "a mirrored load saw another page")
    },
    {
      try! mirrored.space.store(Setting.foreign, at: Setting.address)
      check(mirrored.load() == Setting.foreign, "a thread does not find its own store through the mirror")
    })
  check(Setting.finalValue(child) == Setting.content, "a child saw its parent's store")
  mirrored.compare()
  mirrored.end()
}

/// A mirrored store breaks copy-on-write while the child does.
func mirroredStoreAgainstCopyOnWrite(_ engine: PinEngine) {
  let mirrored = MirrorSetting(engine)
  let child = mirrored.setting.fork()
  inParallel(
    { try! mirrored.mirror.store(Setting.foreign, at: Setting.address) },
    { try! child.store(Setting.other, at: Setting.address) })
  check(Setting.finalValue(mirrored.space) == Setting.foreign, "the mirrored store is lost")
  check(Setting.finalValue(child) == Setting.other, "the child's store is lost")
  mirrored.compare()
  mirrored.end()
}

/// A page that goes to the swap file while a mirror loads from it: the same contents before and after, never another
/// program's.
func mirroredLoadAgainstPageOut(_ engine: PinEngine) {
  let mirrored = MirrorSetting(engine, swapPages: 2)
  inParallel(
    { check(mirrored.load() == Setting.content, "a mirrored load saw another page") },
    {
      try! mirrored.space.advise(at: Setting.address, pages: 1, .pageOut)
      mirrored.setting.useFramesAgain()
    })
  mirrored.compare()
  mirrored.end()
}

/// A mirrored store while its page is paged out is in what comes back.
func mirroredStoreAgainstPageOut(_ engine: PinEngine) {
  let mirrored = MirrorSetting(engine, swapPages: 2)
  inParallel(
    { try! mirrored.mirror.store(Setting.foreign, at: Setting.address) },
    { try! mirrored.space.advise(at: Setting.address, pages: 1, .pageOut) })
  mirrored.setting.memory.flushDeferredFrees()
  check(Setting.finalValue(mirrored.space) == Setting.foreign, "the mirrored store is lost")
  mirrored.compare()
  mirrored.end()
}
