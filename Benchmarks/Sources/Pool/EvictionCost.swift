import Measuring
import Synchronization
import UserPages

/// What it costs to evict clean pages, by how many go at once: they share a grace period and a walk over the mappings.
struct EvictionCost {
  static let batches = [1, 16, 256]

  let file: PoolFile
  let limit: Int

  /// Where a thread reads meanwhile.
  private static let busyArea: VirtualAddress = 0x20_0000_0000
  private static let area: VirtualAddress = 0x10_0000_0000

  /// Nanoseconds a page. With a `reader`, a thread loads without pause, so that each grace period has one to wait for.
  func nanosecondsPerPage(batch: Int, reader: Bool) throws(Failure) -> Double {
    do throws(PageError) {
      let memory = try PhysicalMemory(ramPages: limit + 4096)
      let cache = try PageCache(memory, try DirectFile(path: file.path), limit: limit)
      let space = AddressSpace(memory, engine: .slot)
      defer { space.exit() }
      try space.map(at: Self.area, pages: file.pages, protection: .readWrite, sharing: .shared, backing: .file(cache))
      try space.map(at: Self.busyArea, pages: 1, protection: .readWrite)
      try space.store(1 as UInt64, at: Self.busyArea)
      for page in 0..<limit { _ = try space.load(at: Self.area + page * Page.size, as: UInt64.self) }
      // The first round of the clock takes the second chances away.
      _ = cache.evict(limit / 4)
      return try timed(cache, space, batch, reader)
    } catch { throw Failure("cannot measure an eviction: \(error)") }
  }

  private func timed(_ cache: PageCache, _ space: AddressSpace, _ batch: Int, _ reader: Bool) throws(PageError)
    -> Double
  {
    let stop = StopFlag()
    let started = StopFlag()
    let threads = try? ThreadGroup(reader ? 1 : 0) { _ in
      while !stop.isRaised {
        for _ in 0..<256 { _ = try? space.load(at: Self.busyArea, as: UInt64.self) }
        started.raise()
      }
    }
    guard let threads else { throw .outOfMemory }
    threads.open()
    while reader, !started.isRaised {}
    let began = Clock.now()
    var evicted = 0
    // Enough for a median, and not all: a cache that is empty has nothing to choose from.
    while evicted < limit / 2, Clock.now() - began < 2_000_000_000 { evicted += cache.evict(batch) }
    let elapsed = Clock.now() - began
    stop.raise()
    threads.join()
    return evicted > 0 ? Double(elapsed) / Double(evicted) : .nan
  }
}
