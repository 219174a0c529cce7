#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  /// A file of four pages or more in a cache, mapped twice by one space, for frozen tests.
  struct CacheFreeze {
    /// The first view of the file.
    static let first: VirtualAddress = 0x10000
    /// A second view of the same pages.
    static let second: VirtualAddress = 0x40000

    let freezer: Freezer
    let memory: PhysicalMemory
    let store: MemoryStore
    let cache: PageCache
    let space: AddressSpace

    /// The first word of a page, as the store has it.
    func written(_ page: Int = 0) -> UInt64 { MemoryStore.word(store.contents, at: page * Page.size) }
  }

  /// What takes a page out of a cache while its file keeps its length.
  enum PageLoss: CaseIterable, Sendable {
    case hole, invalidation

    /// The page that goes.
    static let page = 2

    /// Its first word in the file afterwards.
    var word: UInt64 { self == .hole ? 0 : 0x0909_0909_0909_0909 }

    /// Takes the page. For an invalidation another program has changed it before.
    func run(_ cache: PageCache, _ store: MemoryStore) throws {
      switch self {
      case .hole: try cache.punchHole(Self.page..<Self.page + 1)
      case .invalidation:
        store.change(at: Self.page * Page.size, to: [UInt8](repeating: 9, count: Page.size))
        try cache.invalidate()
      }
    }
  }

  func withFrozenCache(
    _ engine: PinEngine = .reference, pages: Int = 4, limit: Int = 4, stability: PageCache.Stability = .none,
    hooks: PageCache.Hooks = PageCache.Hooks(), sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (CacheFreeze) throws -> Void
  ) throws {
    try play(sourceLocation: sourceLocation) { freezer, machine in
      let store = MemoryStore(pages: pages) { UInt8($0 + 1) }
      let cache = try PageCache(
        machine.memory, store, limit: limit, stability: stability, maximumPages: 64, hooks: hooks)
      let space = AddressSpace(machine.memory, engine: engine)
      for start in [CacheFreeze.first, CacheFreeze.second] {
        try space.map(at: start, pages: pages, protection: .readWrite, sharing: .shared, backing: .file(cache))
      }
      try body(CacheFreeze(freezer: freezer, memory: machine.memory, store: store, cache: cache, space: space))
      space.exit()
    }
  }
#endif
