import CBenchmark
import Measuring
import Synchronization
import UserPages

/// What it costs to write dirty pages that lie here and there, and what a store pays that meets the writing of its
/// page.
struct WriteBackCost {
  /// How pages are written.
  struct Way: Sendable {
    let name: String
    let transfers: DirectFile.Transfers
    let stability: PageCache.Stability

    static let all = [
      Way(name: "calls", transfers: .calls, stability: .none), Way(name: "ring", transfers: .ring, stability: .none),
      Way(name: "ring, waits", transfers: .ring, stability: .waits),
      Way(name: "ring, copies", transfers: .ring, stability: .copies),
      Way(name: "ring, adapts", transfers: .ring, stability: .adapts),
    ]
  }

  /// What writing costs for a page, and what happened to stores meanwhile.
  struct Cost {
    var nanoseconds: Double
    var processorMicroseconds: Double
    var storesPerSecond: Double
    /// The mean of the stores that waited; 0 if none has.
    var waitMicroseconds: Double
  }

  /// A store that takes longer has waited for a write or a copy, and not only for its fault.
  private static let waited: UInt64 = 20_000
  private static let area: VirtualAddress = 0x10_0000_0000

  let file: PoolFile
  let limit: Int
  let seconds: Double

  /// Pages that are stored to: each third one, so that no two are written with one call.
  private var places: Int { min(2048, limit / 2, file.pages / 3) }

  private static func address(of place: Int) -> VirtualAddress {
    let draw = Draw(page: 3 * place, isStore: true)
    return area + draw.page * Page.size + draw.numberOffset + 8
  }

  /// Nanoseconds that a copy of a page takes: of pages that lie as far apart as those that are written, to places that
  /// are used again.
  func nanosecondsPerCopy() -> Double {
    let pages = 3 * places
    let from = UnsafeMutableRawBufferPointer.allocate(byteCount: pages * Page.size, alignment: Page.size)
    let to = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 * Page.size, alignment: Page.size)
    defer {
      from.deallocate()
      to.deallocate()
    }
    from.initializeMemory(as: UInt8.self, repeating: 1)
    to.initializeMemory(as: UInt8.self, repeating: 0)
    let began = Clock.processorTime()
    for place in 0..<places {
      let (target, source) = (place % 128 * Page.size, 3 * place * Page.size)
      UnsafeMutableRawBufferPointer(rebasing: to[target..<target + Page.size]).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: from[source..<source + Page.size]))
    }
    return Double(Clock.processorTime() - began) / Double(places)
  }

  /// Syncs again and again. Between two syncs each page is stored to, or a thread stores all the time if there is a
  /// `storer`.
  func cost(_ way: Way, storer: Bool) throws(Failure) -> Cost {
    do throws(PageError) {
      let memory = try PhysicalMemory(ramPages: limit + 256)
      let store = CountingStore(try DirectFile(path: file.path, transfers: way.transfers))
      let cache = try PageCache(memory, store, limit: limit, stability: way.stability)
      let space = AddressSpace(memory, engine: .slot)
      defer { space.exit() }
      try space.map(at: Self.area, pages: file.pages, protection: .readWrite, sharing: .shared, backing: .file(cache))
      for place in 0..<places { try space.store(1 as UInt64, at: Self.address(of: place)) }
      try cache.sync()
      return try timed(space, cache, store, storer: storer)
    } catch { throw Failure("cannot measure a write-back: \(error)") }
  }

  private func timed(
    _ space: AddressSpace, _ cache: PageCache, _ store: CountingStore, storer: Bool
  ) throws(PageError) -> Cost {
    let stop = StopFlag()
    let stores = Stores()
    let places = places
    let threads = try? ThreadGroup(storer ? 1 : 0) { _ in
      var random = XorShift(seed: 1)
      while !stop.isRaised {
        let address = Self.address(of: random.below(places))
        let began = Clock.now()
        _ = try? space.store(random.next(), at: address)
        stores.add(Clock.now() - began, waited: Self.waited)
      }
    }
    guard let threads else { throw .outOfMemory }
    threads.open()
    let began = Clock.now()
    var (elapsed, processorTime) = (0 as UInt64, 0 as UInt64)
    let writesBefore = store.writes.load(ordering: .relaxed)
    var value = 1 as UInt64
    while Clock.now() - began < UInt64(seconds * 1e9) {
      if !storer {
        value += 1
        for place in 0..<places { try space.store(value, at: Self.address(of: place)) }
      }
      let (start, processorStart) = (Clock.now(), process_time())
      try cache.sync()
      elapsed += Clock.now() - start
      processorTime += process_time() - processorStart
    }
    let all = Double(Clock.now() - began) / 1e9
    stop.raise()
    threads.join()
    let pages = Double(max(store.writes.load(ordering: .relaxed) - writesBefore, 1))
    return Cost(
      nanoseconds: Double(elapsed) / pages, processorMicroseconds: Double(processorTime) / 1000 / pages,
      storesPerSecond: Double(stores.count) / all, waitMicroseconds: stores.meanWait / 1000)
  }
}

/// The stores of one thread. Read when it has ended.
private final class Stores: Sendable {
  private let sums = Mutex((count: 0, waits: 0, waited: 0 as UInt64))

  func add(_ nanoseconds: UInt64, waited least: UInt64) {
    sums.withLock {
      $0.count += 1
      if nanoseconds >= least {
        $0.waits += 1
        $0.waited += nanoseconds
      }
    }
  }

  var count: Int { sums.withLock { $0.count } }
  /// In nanoseconds; 0 if none has waited.
  var meanWait: Double { sums.withLock { $0.waits > 0 ? Double($0.waited) / Double($0.waits) : 0 } }
}
