/// A page that is pinned while its mapping goes away stays what it was.
func pinAgainstUnmap(_ setting: Setting) {
  inParallel(
    { setting.pinAndLook() },
    {
      try! setting.space.unmap(at: Setting.address, pages: 1)
      check((try? setting.space.pin(at: Setting.address, setting.fastOnly)) == nil, "a pin after unmap")
    })
  setting.end()
}

/// As pin against unmap, and then the frame is used again, by another space. The pin may be its last holder.
func pinAgainstReuse(_ setting: Setting) {
  inParallel(
    { setting.pinAndLook() },
    {
      try! setting.space.unmap(at: Setting.address, pages: 1)
      setting.useFramesAgain()
    })
  setting.end()
}

/// As pin against reuse, where the pin stores: its last store comes before the frame's next life.
func pinnedStoreAgainstReuse(_ setting: Setting) {
  inParallel(
    {
      setting.space.withPin(setting.way, at: Setting.address, [.write, setting.fastOnly]) { _, store in
        store(Setting.other)
      }
    },
    {
      try! setting.space.unmap(at: Setting.address, pages: 1)
      setting.useFramesAgain()
    })
  setting.end()
}

/// The same with a second pin of the thread, which takes another slot. Its stores come before its release.
func twoPinnedStoresAgainstReuse(_ engine: PinEngine) {
  let setting = Setting(engine: engine, .again)
  inParallel(
    {
      guard let first = try? setting.space.pin(at: Setting.address, [.write, .fastOnly]) else { return }
      if let second = try? setting.space.pin(at: Setting.address, [.write, .fastOnly]) {
        first.release()
        second.store(Setting.other)
        second.release()
      } else {
        first.release()
      }
    },
    {
      try! setting.space.unmap(at: Setting.address, pages: 1)
      setting.useFramesAgain()
    })
  setting.end()
}

/// The same for a range, which one slot or one count holds.
func rangeStoreAgainstReuse(_ engine: PinEngine) {
  let setting = Setting(engine: engine, pages: 2)
  try! setting.space.store(Setting.content, at: Setting.address + Page.size)
  inParallel(
    {
      guard let range = try? setting.space.pin(at: Setting.address, pages: 2, [.write, .fastOnly]) else { return }
      for index in range.indices { storeWord(Setting.other, in: range, at: index) }
      range.release()
    },
    {
      try! setting.space.unmap(at: Setting.address, pages: 2)
      setting.useFramesAgain()
    })
  setting.end()
}

/// Two threads pin a page that no slot has held yet.
func firstPins(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel({ setting.pinAndLook() }, { setting.pinAndLook([.write, .fastOnly]) })
  setting.end()
}

func twoPinsAgainstUnmap(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    { setting.pinAndLook() }, { setting.pinAndLook() }, { try! setting.space.unmap(at: Setting.address, pages: 1) })
  setting.end()
}

/// The pages of a range stay what they were, those that the range got.
func rangePinAgainstUnmap(_ engine: PinEngine) {
  let setting = Setting(engine: engine, pages: 2)
  try! setting.space.store(Setting.content, at: Setting.address + Page.size)
  inParallel(
    {
      guard let range = try? setting.space.pin(at: Setting.address, pages: 2, .fastOnly) else { return }
      for index in range.indices {
        check(loadWord(of: range, at: index) == Setting.content, "a pinned page changed")
      }
      range.release()
    },
    {
      try! setting.space.unmap(at: Setting.address, pages: 2)
      setting.useFramesAgain()
    })
  setting.end()
}

/// The pages of a range are the program's after a fork.
func rangePinAgainstFork(_ engine: PinEngine) {
  let setting = Setting(engine: engine, pages: 2)
  let second = Setting.address + Page.size
  try! setting.space.store(Setting.content, at: second)
  inParallel(
    {
      guard let range = try? setting.space.pin(at: Setting.address, pages: 2, [.write, .fastOnly]) else { return }
      if range.count == 2 {
        try! setting.space.store(Setting.foreign, at: second)
        check(loadWord(of: range, at: 1) == Setting.foreign, "a pinned page was left behind by its program")
      }
      range.release()
    },
    {
      let child = setting.fork()
      let seen = Setting.finalValue(child, at: second)
      check(seen == Setting.content || seen == Setting.foreign, "a child saw what was never stored")
    })
  setting.end()
}

/// A pin that a fork meets keeps the parent's frame: what a device writes through it, the parent sees.
func pinAgainstFork(_ setting: Setting) {
  inParallel(
    { setting.pinAndStore([.write, setting.fastOnly]) },
    {
      let child = setting.fork()
      let seen = Setting.finalValue(child)
      check(seen == Setting.content || seen == Setting.foreign, "a child saw what was never stored")
    })
  setting.end()
}

/// Once `protect` has returned, no pin for writing is taken by the old entry.
func pinAgainstProtect(_ setting: Setting) {
  inParallel(
    { setting.pinAndLook([.write, .fastOnly]) },
    {
      try! setting.space.protect(at: Setting.address, pages: 1, .read)
      check(
        (try? setting.space.pin(at: Setting.address, [.write, .fastOnly])) == nil, "a pin for writing after protect")
    })
  setting.end()
}

/// A pinned page moves with its mapping.
func pinAgainstRemap(_ setting: Setting) {
  let new = Setting.address + 8 * Page.size
  inParallel(
    { setting.pinAndLook() },
    {
      try! setting.space.remap(at: Setting.address, pages: 1, to: new, newPages: 1)
      check((try? setting.space.pin(at: Setting.address, .fastOnly)) == nil, "a pin at the old address")
      setting.pinAndLook([], at: new)
    })
  setting.end()
}

/// A pin for writing breaks copy-on-write while the child does: each side has a page of its own.
func pinAgainstCopyOnWrite(_ setting: Setting) { pin(.write, againstCopyOnWriteIn: setting) }

/// A pin for reading gives the parent a page of its own first, so that it keeps showing what the parent sees.
func unsharingPinAgainstCopyOnWrite(_ setting: Setting) { pin([], againstCopyOnWriteIn: setting) }

private func pin(_ options: PinOptions, againstCopyOnWriteIn setting: Setting) {
  let child = setting.fork()
  inParallel(
    { setting.pinAndStore(options) },
    {
      try! child.store(Setting.other, at: Setting.address)
      check(Setting.finalValue(child) == Setting.other, "a child saw its parent's store")
    })
  check(Setting.finalValue(setting.space) == Setting.foreign, "the parent's store is lost")
  setting.end()
}

/// A pin for writing breaks copy-on-write while the space forks again.
func breakingPinAgainstFork(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let child = setting.fork()
  inParallel(
    { setting.pinAndStore(.write) },
    {
      let second = setting.fork()
      let seen = Setting.finalValue(second)
      check(seen == Setting.content || seen == Setting.foreign, "a child saw what was never stored")
    })
  check(Setting.finalValue(child) == Setting.content, "a child saw its parent's store")
  setting.end()
}
