import CLiburcu
import Synchronization

/// Page-sized pieces of ordinary memory, handed out zeroed: what table nodes are made of.
///
/// They are beside RAM: taking one needs no frame. Users give them back zeroed (an empty table node is), so a piece that
/// is used again needs no clearing.
final class ZeroedPagePool: @unchecked Sendable {
  static let shardCount = 64
  static let cacheSize = 30

  // Raw memory: a cache each for threads that do not wait for each other. Guarded by the lock of the same index.
  private let caches: UnsafeMutablePointer<Cache>
  private let locks = LockArray(count: shardCount)

  private struct Cache: ~Copyable {
    var count: Int32 = 0
    /// Taken minus given back on this shard; the sum over the shards is what is in use.
    var taken = 0
    var pages = InlineArray<30, UInt64>(repeating: 0)
  }

  init() {
    caches = .allocate(capacity: Self.shardCount)
    for index in 0..<Self.shardCount { (caches + index).initialize(to: Cache()) }
  }

  deinit {
    for index in 0..<Self.shardCount {
      for slot in 0..<Int(caches[index].count) {
        UnsafeMutableRawPointer(bitPattern: UInt(caches[index].pages[slot]))?.deallocate()
      }
    }
    caches.deinitialize(count: Self.shardCount)
    caches.deallocate()
    locks.release()
  }

  private var ownShard: Int { Int(clu_thread_index()) & (Self.shardCount - 1) }

  /// A page of zeroes, page-aligned.
  func allocate() -> UnsafeMutableRawPointer {
    let shard = ownShard
    let cache = caches + shard
    locks.lock(shard)
    cache.pointee.taken += 1
    if cache.pointee.count > 0 {
      cache.pointee.count -= 1
      let page = UnsafeMutableRawPointer(bitPattern: UInt(cache.pointee.pages[Int(cache.pointee.count)]))!
      locks.unlock(shard)
      return page
    }
    locks.unlock(shard)
    let page = UnsafeMutableRawPointer.allocate(byteCount: Page.size, alignment: Page.size)
    page.initializeMemory(as: UInt8.self, repeating: 0, count: Page.size)
    return page
  }

  /// Takes a page of zeroes back.
  func free(_ page: UnsafeMutableRawPointer) {
    #if DEBUG
      precondition(clu_first_other(page, 0, Page.size) < 0, "a table node was freed that is not empty")
    #endif
    let shard = ownShard
    let cache = caches + shard
    locks.lock(shard)
    cache.pointee.taken -= 1
    if Int(cache.pointee.count) < Self.cacheSize {
      cache.pointee.pages[Int(cache.pointee.count)] = UInt64(UInt(bitPattern: page))
      cache.pointee.count += 1
      locks.unlock(shard)
      return
    }
    locks.unlock(shard)
    page.deallocate()
  }

  /// Pages that are out.
  var inUse: Int {
    var total = 0
    for index in 0..<Self.shardCount {
      locks.lock(index)
      total += caches[index].taken
      locks.unlock(index)
    }
    return total
  }
}
