/// A machine with an image of one page, and a space that maps and mirrors it.
private struct ImageSetting {
  static let byte: UInt8 = 0x11
  static let content: UInt64 = 0x1111_1111_1111_1111
  let setting: Setting
  let image: Image
  let mirror: Mirror?
  let address = Setting.address + 8 * Page.size

  init(_ engine: PinEngine, _ way: PinWay = .first, isCached: Bool, isMirrored: Bool = false, isFilled: Bool = true) {
    setting = Setting(engine: engine, way)
    image = try! Image(setting.memory, pages: 1) { _ in Self.byte }
    try! setting.space.map(at: address, pages: 1, protection: .readWrite, sharing: .shared, backing: .mixed(image))
    if isCached { try! image.migrateToCache(page: 0) }
    if isFilled { _ = try! setting.space.load(at: address, as: UInt64.self) }
    mirror = isMirrored ? try! setting.space.mirror(at: address, pages: 1, for: .write) : nil
    _ = try! mirror?.load(at: address, as: UInt64.self)
  }

  func mirroredLoad() -> UInt64 { try! mirror!.load(at: address) }

  func end() {
    // The image's cache goes with its last user.
    try! setting.space.unmap(at: address, pages: 1)
    image.dropCache()
    setting.end()
    withExtendedLifetime(mirror) {}
  }
}

/// Two first loads of a page of an image. It is filled once, before either shows it.
func fillAgainstFill(_ engine: PinEngine) {
  let images = ImageSetting(engine, isCached: false, isFilled: false)
  let load: Body = {
    let seen = try! images.setting.space.load(at: images.address, as: UInt64.self)
    check(seen == ImageSetting.content, "a page is shown before it is filled")
  }
  inParallel(load, load)
  images.end()
}

/// A load while its page moves into the page cache: the same bytes from either place.
func loadAgainstMigration(_ engine: PinEngine) {
  let images = ImageSetting(engine, isCached: false)
  inParallel(
    {
      let seen = try! images.setting.space.load(at: images.address, as: UInt64.self)
      check(seen == ImageSetting.content, "a load saw another page")
    },
    { try! images.image.migrateToCache(page: 0) })
  check(Setting.finalValue(images.setting.space, at: images.address) == ImageSetting.content, "a page was lost")
  images.end()
}

/// A fault maps 2 MiB of an image while one of the pages moves into the page cache: no entry shows the place that the
/// page has left.
func hugeFaultAgainstMigration(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let (space, small, huge) = (setting.space, Setting.address + 8 * Page.size, VirtualAddress(0x4000_0000))
  let image = try! Image(setting.memory, contents: [UInt8](repeating: 0, count: Page.pagesPerHuge * Page.size))
  try! space.map(at: small, pages: 1, protection: .readWrite, sharing: .shared, backing: .mixed(image))
  try! space.map(
    at: huge, pages: Page.pagesPerHuge, protection: .readWrite, sharing: .shared, backing: .mixed(image))
  inParallel(
    { check(try! space.load(at: huge, as: UInt64.self) == 0, "a load saw another page") },
    { try! image.migrateToCache(page: 0) })
  try! space.store(Setting.foreign, at: small)
  check(Setting.finalValue(space, at: huge) == Setting.foreign, "a mapping shows the place that the page has left")
  try! space.unmap(at: small, pages: 1)
  try! space.unmap(at: huge, pages: Page.pagesPerHuge)
  image.dropCache()
  setting.end()
}

/// A pin while its page moves back to the image: the page stays, or the pin does not get it.
func pinAgainstMigrationBack(_ engine: PinEngine, _ way: PinWay = .first) {
  let images = ImageSetting(engine, way, isCached: true)
  inParallel(
    { images.setting.pinAndLook(at: images.address, expecting: ImageSetting.content) },
    {
      try? images.image.migrateToImage(page: 0)
      images.setting.useFramesAgain()
    })
  images.end()
}

/// A store while its page moves back to the image, which cannot be rewritten: a page with a store stays.
func storeAgainstMigrationBack(_ engine: PinEngine) {
  let images = ImageSetting(engine, isCached: true)
  inParallel(
    { try! images.setting.space.store(Setting.foreign, at: images.address) },
    { try? images.image.migrateToImage(page: 0) })
  check(Setting.finalValue(images.setting.space, at: images.address) == Setting.foreign, "a store is lost")
  images.end()
}

/// A mirrored load while its page moves into the page cache. The image's bytes are read inside a section.
func mirroredLoadAgainstMigration(_ engine: PinEngine) {
  let images = ImageSetting(engine, isCached: false, isMirrored: true)
  inParallel(
    { check(images.mirroredLoad() == ImageSetting.content, "a mirrored load saw another page") },
    { try! images.image.migrateToCache(page: 0) })
  try! images.setting.space.store(Setting.foreign, at: images.address)
  check(images.mirroredLoad() == Setting.foreign, "a mirror shows the place that the page has left")
  images.end()
}

/// A mirrored load while its page moves back to the image, and its frame is used again.
func mirroredLoadAgainstMigrationBack(_ engine: PinEngine) {
  let images = ImageSetting(engine, isCached: true, isMirrored: true)
  inParallel(
    { check(images.mirroredLoad() == ImageSetting.content, "a mirrored load saw another space's page") },
    {
      try? images.image.migrateToImage(page: 0)
      images.setting.useFramesAgain()
    })
  images.end()
}

/// A mirrored store while its page moves back to the image: a page with a store stays.
func mirroredStoreAgainstMigrationBack(_ engine: PinEngine) {
  let images = ImageSetting(engine, isCached: true, isMirrored: true)
  inParallel(
    { try! images.mirror!.store(Setting.foreign, at: images.address) },
    { try? images.image.migrateToImage(page: 0) })
  check(images.mirroredLoad() == Setting.foreign, "the mirrored store is lost")
  check(Setting.finalValue(images.setting.space, at: images.address) == Setting.foreign, "a store is lost")
  images.end()
}

/// A mixed mapping. Its pages are inserted ahead of faults.
private final class Inserted: Backing {
  let pageCount = 1
  func fault(page: Int, write: Bool) -> FaultAnswer { .busError }
}

/// A frame is mapped by its number while its last user puts it, and another space gets it: the mapping shows the frame
/// as it was, or is refused. A program's private memory is not mapped by number.
func numberAgainstReuse(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let address = Setting.address + 8 * Page.size
  let (space, memory) = (setting.space, setting.memory)
  try! space.map(at: address, pages: 1, protection: .read, sharing: .shared, backing: .mixed(Inserted()))
  let pfn = try! memory.allocate().handOver()
  memory.frames.bytes(of: pfn).store(Setting.content)
  inParallel(
    {
      guard (try? space.insertMixed(pfn, at: address)) != nil else { return }
      check(Setting.finalValue(space, at: address) == Setting.content, "a mapping shows another space's page")
    },
    {
      memory.put(memory.frames.frame(pfn), Frame.oneReference)
      setting.useFramesAgain()
    })
  setting.end()
}
