#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  /// What an operation starts from: a parent with private memory, a file, a cache, and what they hold.
  final class FailureStage {
    let memory: PhysicalMemory
    let space: AddressSpace
    let store = MemoryStore(pages: 8) { UInt8($0 + 1) }
    let cache: PageCache
    let plain: PageCacheFile
    let image: Image
    var child: AddressSpace?

    static let anonymous: VirtualAddress = 0x10_0000
    static let huge: VirtualAddress = 0x4000_0000
    static let file: VirtualAddress = 0x80_0000
    static let plainFile: VirtualAddress = 0x5000_0000
    static let copied: VirtualAddress = 0x90_0000
    static let mixed: VirtualAddress = 0xa0_0000

    init(_ memory: PhysicalMemory, _ engine: PinEngine) throws {
      self.memory = memory
      space = AddressSpace(memory, engine: engine)
      cache = try PageCache(memory, store, limit: 4, maximumPages: 64)
      plain = try PageCacheFile(memory, pages: 1024, fill: 3)
      image = try Image(memory, pages: 4) { UInt8($0 + 1) }
      try space.map(at: Self.anonymous, pages: 8, protection: .readWrite)
      for page in 0..<4 { try space.store(UInt64(100 + page), at: Self.anonymous + page * Page.size) }
      try space.map(at: Self.huge, pages: 1024, protection: .readWrite, hugePages: true)
      try space.map(
        at: Self.file, pages: 8, protection: .readWrite, sharing: .shared, backing: .file(cache))
      try space.map(at: Self.copied, pages: 8, protection: .readWrite, backing: .file(cache))
      try space.map(
        at: Self.plainFile, pages: 1024, protection: .readWrite, sharing: .shared, backing: .file(plain),
        hugePages: true)
      try space.map(at: Self.mixed, pages: 4, protection: .readWrite, backing: .mixed(image))
    }

    /// What must be so whether or not the operation was done.
    func check(_ name: String) throws {
      for page in 1..<4 {
        let seen = try space.load(at: Self.anonymous + page * Page.size, as: UInt64.self)
        #expect(seen == UInt64(100 + page), "\(name): private page \(page)")
      }
      for page in 1..<8 {
        #expect(
          try space.load(at: Self.file + page * Page.size, count: 1) == [UInt8(page + 1)], "\(name): page \(page)")
        #expect(try cache.read(at: page * Page.size, count: 1) == [UInt8(page + 1)], "\(name): page \(page) by read")
      }
      if let child {
        #expect(try child.load(at: Self.anonymous + Page.size, as: UInt64.self) == 101, "\(name): the child")
      }
      let dirty = cache.dirtyPages
      try cache.sync()
      #expect(cache.dirtyPages <= dirty)
    }

    func end() {
      child?.exit()
      child = nil
      space.exit()
    }

    /// What programs and the disk have of all that an operation may change, by name. Faults in what it looks at.
    func contents() throws -> [String: [UInt64]] {
      let durable = store.durable
      var contents: [String: [UInt64]] = [:]
      contents["the disk"] = stride(from: 0, to: durable.count, by: Page.size).map {
        word(Array(durable[$0..<min($0 + 8, durable.count)]))
      }
      contents["the lengths"] = [cache.byteCount, store.byteCount, plain.byteCount].map(UInt64.init)
      contents["the file"] = try (0..<cache.pageCount).map { try word(cache.read(at: $0 * Page.size, count: 8)) }
      contents["the memory file"] = try [0, 700].map { try word(plain.read(at: $0 * Page.size, count: 8)) }
      contents["the program"] = try words(of: space)
      let views = [(Self.file, 8), (Self.copied, 8), (Self.mixed, 4)]
      contents["the mappings of files"] = try views.flatMap { start, pages in
        try (0..<pages).map { try space.load(at: start + $0 * Page.size, as: UInt64.self) }
      }
      if let child { contents["the child"] = try words(of: child) }
      return contents
    }

    private func words(of space: AddressSpace) throws -> [UInt64] {
      try (0..<8).map { try space.load(at: Self.anonymous + $0 * Page.size, as: UInt64.self) }
        + [space.load(at: Self.huge, as: UInt64.self)]
    }

    /// The first bytes of a page, which may be the last of its file.
    private func word(_ bytes: [UInt8]) -> UInt64 {
      MemoryStore.word(bytes + [UInt8](repeating: 0, count: 8 - bytes.count), at: 0)
    }
  }
#endif
