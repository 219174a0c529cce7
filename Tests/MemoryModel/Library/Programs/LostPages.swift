import CPlatform

/// A machine with an image of one page or two, of which the mapping is watched as that of a real file.
private struct LostPageSetting: @unchecked Sendable {
  static let content: UInt64 = 0x1111_1111_1111_1111
  let setting: Setting
  let image: Image
  let address = Setting.address + 8 * Page.size
  private let watched: UnsafeMutableRawPointer

  init(_ engine: PinEngine, pages: Int = 1) {
    setting = Setting(engine: engine)
    image = try! Image(setting.memory, contents: [UInt8](repeating: 0x11, count: pages * Page.size))
    try! setting.space.map(at: address, pages: pages, protection: .read, sharing: .shared, backing: .mixed(image))
    // Watches begin at multiples of 2 MiB.
    let page = setting.memory.frames.bytes(of: image.firstPFN).address
    let offset = Int(bitPattern: page) % (Page.pagesPerHuge * Page.size)
    watched = page - offset
    check(cp_watch_file_mapping(watched, offset + pages * Page.size) == 0, "no watch")
    check(load() == Self.content, "an image has other contents")
  }

  /// The first word, or nil if the page is told to be lost.
  func load() -> UInt64? { try? setting.space.load(at: address, as: UInt64.self) }

  /// The first bytes by a copy.
  func copy() -> [UInt8]? { try? setting.space.load(at: address, count: 8) }

  /// The file loses a page, and a thread touches it.
  func lose(_ page: Int = 0) { mm_lose_page(setting.memory.frames.bytes(of: image.firstPFN + page).address) }

  func end(pages: Int = 1) {
    check(load() == nil, "a lost page is not told")
    try! setting.space.unmap(at: address, pages: pages)
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

/// Two threads touch two pages of a file that has lost both: each counts, and no count is left at the watch's end.
func lossAgainstLoss(_ engine: PinEngine) {
  let lost = LostPageSetting(engine, pages: 2)
  inParallel({ lost.lose(0) }, { lost.lose(1) })
  lost.end(pages: 2)
}
