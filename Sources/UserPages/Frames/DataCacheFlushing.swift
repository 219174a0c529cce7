import Synchronization

/// What a flush of the data cache does on a machine that needs it. Those this library runs on do not.
public protocol DataCacheFlushing: Sendable {
  /// Makes what was written to the page, by whatever alias, visible through all others.
  ///
  /// It must not block, and must not call the library. It may run in one of these places, where a call that would wait
  /// is refused, in debug and release builds:
  ///
  /// - Inside a read-side section, with a mapping of the page in progress. An operation or a fault traps there.
  /// - Under an image's migration lock. A migration of the image throws `busy`. An access to the page that moves is a
  ///   bus error.
  /// - Under a page cache's write-back lock. A sync or a truncation of the cache throws `busy`.
  func flush(_ page: PageBytes)
}

/// When a frame is flushed. Two bits of the frame's state say what the data cache has of it:
///
///     clean  flushing
///       0       0      dirty: must be flushed before a program sees the frame
///       0       1      one thread flushes, and will mark the frame clean
///       1       1      as above, but the frame was written to since that flush began: it will be dirty
///       1       0      clean
///
/// A write through the kernel's own view and a thread that maps the frame meet like this:
///
///     the write                                          the mapping thread
///     1. stores to the frame                             a. counts its mapping
///     2. marks the frame dirty; if it is mapped, flushes b. if the frame is not clean, flushes
///                                                        c. installs the entry
///
/// ORDERING [map-then-flush]: count and bits are one word, so steps 2 and a have an order. If 2 is first, b finds the
/// frame dirty. If a is first, 2 finds the mapping. Either way one of the two threads flushes after step 1. The parts
/// of a 2 MiB frame change between two counts when an entry is split. So a write flushes them whether they are mapped
/// or not.
///
/// A flush must not mark clean what was written after the flush began. So only the thread that has set `flushing` marks
/// the frame clean, and not if a write has set both bits meanwhile. Any other thread that needs the frame flushed
/// flushes it itself: it cannot know how far the first one is.
extension PhysicalMemory {
  /// Flushes a page's lines now, whatever the frame's state says.
  func flushDataCache(_ pfn: PFN) { dataCache?.flush(PageBytes(frames.bytes(of: pfn), isWritable: false)) }

  /// Notes that a frame was written through the kernel's own view (`flush_dcache_page`). A mapped frame is flushed at
  /// once, another one when it is mapped.
  func dataCacheDirtied(_ pfn: PFN) {
    let frame = frames.frame(pfn)
    let before = frame.updateDataCacheState { $0 == .flushing || $0 == .dirtied ? .dirtied : .dirty }
    if before.isMapped || frame.has(Frame.hugeBit) { dataCacheClean(pfn) }
  }

  /// Flushes a frame that a program is about to see, unless the data cache is clean (`update_mmu_cache`).
  ///
  /// The caller has counted its mapping, and holds a reference.
  func dataCacheClean(_ pfn: PFN) {
    let frame = frames.frame(pfn)
    if frame.dataCacheState == .clean { return }
    let before = frame.updateDataCacheState { $0 == .dirty ? .flushing : $0 }
    if before.state == .clean { return }
    flushDataCache(pfn)
    guard before.state == .dirty else { return }
    _ = frame.updateDataCacheState { $0 == .flushing ? .clean : .dirty }
  }
}

/// What the data cache has of a frame: the two bits of its state word that say so.
private enum DataCacheState: UInt64 {
  case dirty = 0
  case clean = 0b01
  case flushing = 0b10
  /// Written to while it is being flushed.
  case dirtied = 0b11

  static let mask = Frame.dataCacheCleanBit | Frame.dataCacheFlushingBit

  init(of word: UInt64) {
    self =
      word & Self.mask == 0
      ? .dirty
      : word & Frame.dataCacheFlushingBit == 0 ? .clean : word & Frame.dataCacheCleanBit == 0 ? .flushing : .dirtied
  }

  var bits: UInt64 {
    (rawValue & 0b01 != 0 ? Frame.dataCacheCleanBit : 0) | (rawValue & 0b10 != 0 ? Frame.dataCacheFlushingBit : 0)
  }
}

extension Frame {
  fileprivate var dataCacheState: DataCacheState {
    DataCacheState(of: descriptor.pointee.state.load(ordering: .acquiring))
  }

  /// Changes the state by `change`. Returns what it was, and whether an entry of the lowest level mapped the frame
  /// then.
  ///
  /// ORDERING [map-then-flush]: a read-modify-write even if nothing changes, so that the thread that counts a mapping
  /// later comes after the bytes that were stored before.
  fileprivate func updateDataCacheState(
    _ change: (DataCacheState) -> DataCacheState
  ) -> (state: DataCacheState, isMapped: Bool) {
    var old = descriptor.pointee.state.load(ordering: .acquiring)
    while true {
      let state = DataCacheState(of: old)
      let (exchanged, now) = descriptor.pointee.state.weakCompareExchange(
        expected: old, desired: old & ~DataCacheState.mask | change(state).bits, ordering: .acquiringAndReleasing)
      if exchanged { return (state, UInt32(truncatingIfNeeded: old) != 0) }
      old = now
    }
  }
}
