import CPlatform

/// A machine with an image of one page, of which the mapping is watched as that of a real file.
private struct LostPageSetting: @unchecked Sendable {
  static let content: UInt64 = 0x1111_1111_1111_1111
  let setting: Setting
  let image: Image
  let address = Setting.address + 8 * Page.size
  private let watched: UnsafeMutableRawPointer

  init(_ engine: PinEngine) {
    setting = Setting(engine: engine)
    image = try! Image(setting.memory, contents: [UInt8](repeating: 0x11, count: Page.size))
    try! setting.space.map(at: address, pages: 1, protection: .read, sharing: .shared, backing: .mixed(image))
    // Watches begin at multiples of 2 MiB.
    let page = setting.memory.frames.bytes(of: image.firstPFN).address
    let offset = Int(bitPattern: page) % (Page.pagesPerHuge * Page.size)
    watched = page - offset
    check(cp_watch_file_mapping(watched, offset + Page.size) == 0, "no watch")
    check(load() == Self.content, "an image has other contents")
  }

  /// The first word, or nil if the page is told to be lost.
  func load() -> UInt64? { try? setting.space.load(at: address, as: UInt64.self) }

  /// The first bytes by a copy.
  func copy() -> [UInt8]? { try? setting.space.load(at: address, count: 8) }

  /// The file loses the page, and a thread touches it.
  func lose() { mm_lose_page(setting.memory.frames.bytes(of: image.firstPFN).address) }

  func end() {
    check(load() == nil, "a lost page is not told")
    try! setting.space.unmap(at: address, pages: 1)
    image.dropCache()
    cp_unwatch_file_mapping(watched)
    check(cp_any_page_marked() == 0, "a page counts as lost that has no watch")
    setting.end()
  }
}

/// A load while its page is lost, and zeroes take its place: the page's word, or an error.
func loadAgainstLoss(_ engine: PinEngine) {
  let lost = LostPageSetting(engine)
  inParallel(
    {
      let seen = lost.load()
      check(seen == nil || seen == LostPageSetting.content, "a lost page is loaded")
    },
    { lost.lose() })
  lost.end()
}

/// The same by a copy.
func copyAgainstLoss(_ engine: PinEngine) {
  let lost = LostPageSetting(engine)
  inParallel(
    {
      let seen = lost.copy()
      check(seen == nil || seen == [UInt8](repeating: 0x11, count: 8), "a lost page is copied")
    },
    { lost.lose() })
  lost.end()
}

/// A page is lost while other mappings begin and end to be watched: the handler finds its own.
func lossAgainstWatch(_ engine: PinEngine) {
  let lost = LostPageSetting(engine)
  inParallel(
    { lost.lose() },
    {
      // The second takes the first one's node.
      for number in 1...2 {
        let start = UnsafeMutableRawPointer(bitPattern: number * Page.pagesPerHuge * Page.size)!
        check(cp_watch_file_mapping(start, Page.size) == 0, "no watch")
        cp_unwatch_file_mapping(start)
      }
    })
  lost.end()
}
