/// A machine with a memory file of one page, which a space and its mirror show.
private struct FileSetting {
  let setting: Setting
  let file: PageCacheFile
  let mirror: Mirror
  let address = Setting.address + 8 * Page.size

  init(_ engine: PinEngine, _ way: PinWay = .first) {
    setting = Setting(engine: engine, way)
    file = try! PageCacheFile(setting.memory, pages: 1)
    try! setting.space.map(at: address, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
    mirror = try! setting.space.mirror(at: address, pages: 1, for: .write)
    try! mirror.store(Setting.content, at: address)
  }

  /// Cuts the file, and lets another space use the frame.
  func cut() {
    try! file.setByteCount(0)
    setting.useFramesAgain()
  }

  /// Checks that what was cut off is gone.
  func end() {
    check((try? mirror.load(at: address, as: UInt64.self)) == nil, "a mirror shows a page beyond the end")
    try! file.setByteCount(Page.size)
    check(try! mirror.load(at: address, as: UInt64.self) == 0, "what was cut off is in the file again")
    try! setting.space.unmap(at: address, pages: 1)
    file.drop()
    setting.end()
    withExtendedLifetime(mirror) {}
  }
}

/// A load while the file is cut: the page, or none. Never what has its frame next.
func loadAgainstTruncation(_ engine: PinEngine) {
  let files = FileSetting(engine)
  inParallel(
    {
      guard let seen = try? files.setting.space.load(at: files.address, as: UInt64.self) else { return }
      check(seen == Setting.content, "a load saw another space's page")
    },
    { files.cut() })
  files.end()
}

/// Once a cut has returned, no store by the old entry lands.
func storeAgainstTruncation(_ engine: PinEngine) {
  let files = FileSetting(engine)
  inParallel({ _ = try? files.setting.space.store(Setting.other, at: files.address) }, { files.cut() })
  files.end()
}

/// A write to the file while it is cut: the bytes are cut off, or the file is longer again. Never cut off and back.
func writeAgainstTruncation(_ engine: PinEngine) {
  let files = FileSetting(engine)
  inParallel(
    { try! files.file.write([1], at: 100) },
    { try! files.file.setByteCount(50) })
  let wasCut = files.file.byteCount == 50
  try! files.file.setByteCount(Page.size)
  let seen = try! files.setting.space.load(at: files.address + 100, as: UInt8.self)
  check(seen == (wasCut ? 0 : 1), "what was cut off is in the file again, or a write is lost")
  try! files.file.setByteCount(0)
  files.end()
}

/// A store, an operation that empties its entry, and an unmap that finds the entry empty. Once the unmap has returned,
/// no store lands.
func storeAgainstEmptyingAndUnmap(_ engine: PinEngine) {
  let files = FileSetting(engine)
  let elsewhere = files.address + 8 * Page.size
  let space = files.setting.space
  try! space.map(at: elsewhere, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(files.file))
  _ = Setting.finalValue(space, at: elsewhere)
  inParallel(
    { _ = try? space.store(Setting.other, at: files.address) },
    { _ = try? space.advise(at: files.address, pages: 1, .dontNeed) },
    {
      try! space.unmap(at: files.address, pages: 1)
      _ = Setting.finalValue(space, at: elsewhere)
    })
  try! space.unmap(at: elsewhere, pages: 1)
  files.file.drop()
  files.setting.end()
}

/// A pin keeps the page that is cut off.
func pinAgainstTruncation(_ engine: PinEngine, _ way: PinWay = .first) {
  let files = FileSetting(engine, way)
  inParallel({ files.setting.pinAndLook(at: files.address) }, { files.cut() })
  files.end()
}

/// As the load, through the mirror.
func mirroredLoadAgainstTruncation(_ engine: PinEngine) {
  let files = FileSetting(engine)
  inParallel(
    {
      guard let seen = try? files.mirror.load(at: files.address, as: UInt64.self) else { return }
      check(seen == Setting.content, "a mirrored load saw another space's page")
    },
    { files.cut() })
  files.end()
}

/// As the store, through the mirror.
func mirroredStoreAgainstTruncation(_ engine: PinEngine) {
  let files = FileSetting(engine)
  inParallel({ _ = try? files.mirror.store(Setting.other, at: files.address) }, { files.cut() })
  files.end()
}
