/// A machine with a swap file and a memory file of one page, which a space shows.
private struct FileSwapSetting {
  let setting: Setting
  let file: PageCacheFile
  let address = Setting.address + 8 * Page.size

  var space: AddressSpace { setting.space }

  init(_ engine: PinEngine, _ way: PinWay = .first, isOut: Bool = false) {
    setting = Setting(engine: engine, way, swapPages: 2)
    file = try! PageCacheFile(setting.memory, pages: 1)
    try! setting.space.map(at: address, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
    try! space.store(Setting.content, at: address)
    if way == .again { try! space.pin(at: address, [.write, .fastOnly]).release() }
    if isOut {
      pageOut()
      setting.memory.flushDeferredFrees()
    }
  }

  func load() -> UInt64? { try? space.load(at: address, as: UInt64.self) }
  func pageOut() { try! space.advise(at: address, pages: 1, .pageOut) }

  /// Checks that the file has `value`, and nothing else.
  func end(with value: UInt64) {
    setting.memory.flushDeferredFrees()
    check(Setting.finalValue(space, at: address) == value, "a store to a file is lost")
    check(try! file.read(at: 0, count: 1) == [UInt8(truncatingIfNeeded: value)], "the file has another page")
    try! space.unmap(at: address, pages: 1)
    file.drop()
    setting.end()
  }
}

/// A store while its page of a memory file is paged out is in what comes back.
func storeAgainstPageOutOfFile(_ engine: PinEngine) {
  let swap = FileSwapSetting(engine)
  inParallel({ try! swap.space.store(Setting.foreign, at: swap.address) }, { swap.pageOut() })
  swap.end(with: Setting.foreign)
}

/// The same for a `write` to the file.
func writeAgainstPageOutOfFile(_ engine: PinEngine) {
  let swap = FileSwapSetting(engine)
  let bytes = (0..<8).map { UInt8(truncatingIfNeeded: Setting.foreign >> UInt64(8 * $0)) }
  inParallel({ try! swap.file.write(bytes, at: 0) }, { swap.pageOut() })
  swap.end(with: Setting.foreign)
}

/// A page that is pinned while it is paged out stays the file's.
func pinAgainstPageOutOfFile(_ engine: PinEngine, _ way: PinWay = .first) {
  let swap = FileSwapSetting(engine, way)
  let stored = Flag()
  inParallel(
    {
      swap.space.withPin(way, at: swap.address, [.write, .fastOnly]) { load, store in
        store(Setting.foreign)
        check(swap.load() == Setting.foreign, "a pinned page was left behind by its file")
        check(load() == Setting.foreign, "a pinned page changed")
        stored.set()
      }
    },
    { swap.pageOut() })
  swap.end(with: stored.isSet ? Setting.foreign : Setting.content)
}

/// A page comes back from the swap file while it is paged out again.
func swapInAgainstPageOutOfFile(_ engine: PinEngine) {
  let swap = FileSwapSetting(engine, isOut: true)
  inParallel({ try! swap.space.store(Setting.foreign, at: swap.address) }, { swap.pageOut() })
  swap.end(with: Setting.foreign)
}
