import Glibc
import TestSupport
import Testing

@testable import UserPages

/// Sizes at the end of the numbers, a caller's or a file's: an error by name, or nothing to do, and no trap.
@Suite struct LargeSizeTests {
  private let memory: PhysicalMemory

  init() throws {
    memory = try PhysicalMemory(ramPages: 64)
  }

  @Test func pagesOfALength() {
    let counts = [0, 1, Page.size - 1, Page.size, Page.size + 1, .max - Page.size, .max].map { Page.count(holding: $0) }
    #expect(counts == [0, 1, 1, 1, 2, 1 << 51 - 1, 1 << 51])
  }

  /// A store that says how long it is, and has nothing else.
  private final class LongStore: PageStore {
    let byteCount: Int
    init(byteCount: Int) { self.byteCount = byteCount }
    func read(from page: Int, into pages: borrowing LentPages) throws(PageError) { throw .file(.read, errno: EIO) }
    func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) { throw .file(.write, errno: EIO) }
    func setByteCount(_ count: Int) throws(PageError) { throw .file(.resize, errno: EIO) }
    func punchHole(_ pages: Range<Int>) throws(PageError) { throw .file(.punch, errno: EIO) }
    func sync() throws(PageError) {}
  }

  @Test(arguments: [1 << 52 + 1, Int.max - Page.size, Int.max])
  func aStoreThatIsTooLong(byteCount: Int) {
    #expect(throws: PageError.invalidArgument) {
      _ = try PageCache(memory, LongStore(byteCount: byteCount), limit: 4)
    }
  }

  @Test func lengthsOfAPageCache() throws {
    let cache = try PageCache(memory, MemoryStore(pages: 1), limit: 4, maximumPages: 4)
    let tooLong = PageError.file(.resize, errno: EFBIG)
    #expect(throws: tooLong) { try cache.setByteCount(.max) }
    #expect(throws: tooLong) { try cache.write([1], at: .max - 1) }
    #expect(throws: PageError.invalidArgument) { try cache.write([1], at: .max) }
    try cache.punchHole(0..<Int.max)
    #expect(try cache.read(at: .max, count: 1) == [])
    #expect(try cache.read(at: 0, count: .max).count == Page.size)
    try cache.flush(0..<Int.max)
    #expect(cache.evict(.max) == 1)
    #expect(cache.byteCount == Page.size)
    #expect(!hasPage(.max, in: cache))
  }

  @Test func lengthsOfAMemoryFile() throws {
    let file = try PageCacheFile(memory, pages: 1, maximumPages: 4)
    let tooLong = PageError.file(.resize, errno: EFBIG)
    #expect(throws: tooLong) { try file.setByteCount(.max) }
    #expect(throws: tooLong) { try file.write([1], at: .max - 1) }
    try file.punchHole(0..<Int.max)
    #expect(try file.read(at: .max, count: 1) == [])
    #expect(file.byteCount == Page.size)
  }

  private func hasPage(_ page: Int, in backing: any Backing) -> Bool {
    if case .some = backing.hugeFault(page: page, write: false) { return true }
    if case .busError = backing.fault(page: page, write: false) { return false }
    return true
  }

  @Test func pagesOfBackings() throws {
    let last = Int.max - Int.max % Page.pagesPerHuge
    let device = try DeviceRange(memory, pages: 1)
    let image = try Image(memory, pages: 1) { _ in 7 }
    let file = try PageCacheFile(memory, pages: 1)
    for page in [last, Int.max] {
      for backing in [device, image, file] as [any Backing] {
        #expect(!hasPage(page, in: backing))
      }
      #expect(throws: PageError.invalidArgument) { try image.migrateToCache(page: page) }
    }
  }

  @Test(arguments: [VirtualAddress(0x10000), 0x10001])
  func locks(address: VirtualAddress) throws {
    let space = AddressSpace(memory)
    for pages in [Int.max, Int.max - 1] {
      #expect(throws: PageError.invalidArgument) { try space.lock(at: address, pages: pages) }
      #expect(throws: PageError.invalidArgument) { try space.unlock(at: address, pages: pages) }
    }
  }

  /// Files that seem as long as a file can be: sparse ones, in a file system in memory. A disk's has a lower limit.
  @Test(arguments: [Int.max, Int.max - Page.size])
  func aSparseFile(byteCount: Int) throws {
    // O_TMPFILE, which the importer leaves out.
    let file = open("/dev/shm", O_RDWR | O_CLOEXEC | O_DIRECTORY | 0o20000000, 0o600)
    try #require(file >= 0)
    defer { close(file) }
    try #require(ftruncate(file, byteCount) == 0)
    let path = "/proc/self/fd/\(file)"
    #expect(throws: PageError.outOfMemory) { _ = try Image(memory, path: path) }
    let store = try DirectFile(path: path)
    #expect(store.byteCount == byteCount)
    #expect(throws: PageError.invalidArgument) { _ = try PageCache(memory, store, limit: 4) }
    #expect(throws: PageError.file(.punch, errno: EINVAL)) { try store.punchHole(0..<Int.max) }
  }

  /// What a cache costs does not depend on its limit: places are made as pages come.
  @Test func aLimitThatIsNeverReached() throws {
    let cache = try PageCache(memory, MemoryStore(pages: 3), limit: 1 << 31)
    #expect(cache.residents.extent == 0)
    for page in 0..<3 { #expect(try cache.read(at: page * Page.size, count: 1) == [0]) }
    cache.waitForReads()
    #expect(cache.residentPages == 3)
    #expect(cache.evict(2) == 2)
    for page in 0..<3 { #expect(try cache.read(at: page * Page.size, count: 1) == [0]) }
    cache.waitForReads()
    // A place that is free again is taken first.
    #expect(cache.residents.extent == 3)
    let residents = ResidentPages(limit: 2)
    #expect(residents.reserve() != nil && residents.reserve() != nil && residents.reserve() == nil)
    #expect(residents.free == 0)
  }
}
