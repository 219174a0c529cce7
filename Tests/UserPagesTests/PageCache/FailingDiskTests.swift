import Glibc
import TestSupport
import Testing

@testable import UserPages

/// A store that refuses everything: what that costs, and what the cache says of it.
@Suite(.timeLimit(.minutes(1))) struct FailingDiskTests {
  /// A cache of dirty pages that cannot be written has no room for another. It learns that from a few tries.
  @Test func aDiskThatTakesNothing() throws {
    let store = MemoryStore(pages: 128)
    let cache = try PageCache(try PhysicalMemory(ramPages: 256), store, limit: 64)
    func refuse() {
      store.fail { call, _ in if case .write = call { .file(.write, errno: ENOSPC) } else { nil } }
    }
    refuse()
    var dirty = 0
    #expect(throws: PageError.outOfMemory) {
      for page in 0..<128 {
        try cache.write([UInt8(page)], at: page * Page.size)
        dirty += 1
      }
    }
    #expect(dirty >= 32)
    refuse()
    #expect(throws: PageError.outOfMemory) { try cache.read(at: 127 * Page.size, count: 1) }
    let written = store.writes.reduce(0) { if case .write(_, let count) = $1 { $0 + count } else { $0 } }
    #expect(written > 0 && written <= 4 * 64, "\(written) writes of \(dirty) pages")
    store.fail(nil)
    #expect(throws: PageError.file(.write, errno: ENOSPC)) { try cache.sync() }
    #expect(try cache.read(at: 127 * Page.size, count: 1) == [0])
    try cache.sync()
    #expect((0..<dirty).allSatisfy { store.contents[$0 * Page.size] == UInt8($0) })
  }

  /// A bus error of a store's own is an error of the page, and not its end.
  @Test func aBusErrorOfTheStore() throws {
    let store = MemoryStore(pages: 4)
    let cache = try PageCache(try PhysicalMemory(ramPages: 64), store, limit: 8)
    store.fail { call, _ in if case .read = call { .busError } else { nil } }
    #expect(throws: PageError.file(.read, errno: EIO)) { try cache.read(at: 0, count: 10) }
    #expect(throws: PageError.file(.read, errno: EIO)) { try cache.write([1], at: 5) }
    store.fail(nil)
    try cache.write([1], at: 5)
    #expect(try cache.read(at: 5, count: 1) == [1])
    try cache.sync()
  }

  /// Each failed write-back is one error to a handle, however often it looks meanwhile.
  @Test func aBatchThatFailsIsOneError() throws {
    let store = MemoryStore(pages: 64)
    let cache = try PageCache(try PhysicalMemory(ramPages: 128), store, limit: 64)
    let handle = cache.open()
    for page in 0..<32 { try cache.write([1], at: page * Page.size) }
    store.fail { call, _ in if case .write = call { .file(.write, errno: EIO) } else { nil } }
    let (isOver, errors) = (Locked(false), Locked(0))
    let looking = CheckedThread {
      while !isOver.withLock({ $0 }) {
        do { try handle.check() } catch { errors.withLock { $0 += 1 } }
      }
      do { try handle.check() } catch { errors.withLock { $0 += 1 } }
    }
    try cache.flush(0..<64)
    isOver.withLock { $0 = true }
    try looking.join()
    #expect(errors.withLock { $0 } == 1)
    store.fail(nil)
    // The cache's own report of it.
    #expect(throws: PageError.file(.write, errno: EIO)) { try cache.sync() }
  }

  /// A write of the last page that cannot take its growth back: it is not another program's by the next try.
  @Test func aLengthThatCannotBeSetBack() throws {
    // The module of the C library lacks `memfd_create`, and the names of what it takes.
    let makeFile = unsafeBitCast(
      dlsym(nil, "memfd_create"), to: (@convention(c) (UnsafePointer<CChar>, UInt32) -> Int32).self)
    let (allowSealing, addSeals, sealShrink) = (UInt32(2), Int32(1033), Int32(2))
    let descriptor = makeFile("sealed", allowSealing)
    #expect(ftruncate(descriptor, 100) == 0)
    #expect(fcntl(descriptor, addSeals, sealShrink) == 0)
    let store = try DirectFile(owning: descriptor)
    let memory = try PhysicalMemory(ramPages: 16)
    let frame = try memory.allocateFrame(.mayReclaim)
    defer { memory.discardFrame(frame) }
    for _ in 0..<2 {
      #expect(throws: PageError.file(.resize, errno: EPERM)) {
        try store.write(from: 0, LentPages([memory.frames.bytes(of: frame)], isWritable: false))
      }
    }
    #expect(throws: PageError.file(.resize, errno: EPERM)) { try store.setByteCount(200) }
    try store.refreshByteCount()
    #expect(store.byteCount == 100)
  }
}
