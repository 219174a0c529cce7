import CSQLite
import Synchronization
import UserPages

/// Pages that are lent to SQLite without a copy (`xFetch`, `xUnfetch`).
///
/// SQLite fetches only what it reads, and only what the WAL does not have. So no other connection changes such a page
/// before it is given back.
extension Connection {
  /// Lends the page at `offset`. Nil if SQLite is to read it: a page that is no part of one frame, or that the pool
  /// does not get.
  @inline(__always)
  mutating func fetch(_ offset: Int, _ count: Int) -> UnsafeMutableRawPointer? {
    let within = offset % Page.size
    guard within + count <= Page.size, Int64(offset + count) <= fetchLimit, mayUsePool() else { return nil }
    if options.engine == .locked { return fetchLocked(offset, count) }
    return lend(offset, count, bySlot: options.engine == .slot)
  }

  @inline(__always)
  private mutating func lend(_ offset: Int, _ count: Int, bySlot: Bool) -> UnsafeMutableRawPointer? {
    cache._withUnsafeGuaranteedRef { cache in
      // What a page has beyond the file's end is no part of it.
      guard offset + count <= cache.byteCount else { return nil }
      do throws(PageError) {
        let pin = try cache.pin(page: offset / Page.size, bySlot: bySlot)
        let start = pin.withUnsafeBytes { UnsafeMutableRawPointer(mutating: $0.baseAddress) }
        guard let start, pin.pfn != lastFrame else { return nil }
        let address = start + offset % Page.size
        lent.append(pin, address)
        ConnectionCounters.add(1, to: counters.fetches)
        counters.pins.store(lent.count, ordering: .relaxed)
        return address
      } catch {
        return nil
      }
    }
  }

  @inline(never)
  private mutating func fetchLocked(_ offset: Int, _ count: Int) -> UnsafeMutableRawPointer? {
    let pool = pool
    return pool.withEngineLock { lend(offset, count, bySlot: false) }
  }

  /// Takes a page back.
  @inline(__always)
  mutating func unfetch(_ address: UnsafeMutableRawPointer) {
    if options.engine == .locked { return unfetchLocked(address) }
    endLoan(address)
  }

  @inline(__always)
  private mutating func endLoan(_ address: UnsafeMutableRawPointer) {
    let wasLent = lent.remove(address)
    assert(wasLent, "SQLite gave a page back that it had not fetched")
    counters.pins.store(lent.count, ordering: .relaxed)
  }

  @inline(never)
  private mutating func unfetchLocked(_ address: UnsafeMutableRawPointer) {
    let pool = pool
    pool.withEngineLock { endLoan(address) }
  }
}
