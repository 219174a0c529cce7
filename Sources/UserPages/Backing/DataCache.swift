import Synchronization

/// Flushes of the data cache, for machines (or devices) that do not keep theirs coherent.
///
/// Linux asks for a flush wherever the kernel's own view of a page and a program's may live in different cache lines.
/// That is after `write(2)` and before `read(2)` of a file that is mapped writable, and after copy-on-write from memory
/// without a descriptor. A frame with a descriptor remembers a flush that can wait until the frame is mapped
/// (`flush_dcache_page`, PG_dcache_clean). Memory without one is flushed at once (`flush_dcache_pfn`).
///
/// The length of a file is another such place: what is cleared behind its end stays mapped.
///
/// Requests are counted for each memory file and image. `PhysicalMemory.dataCache` decides what a flush does. By
/// default it does nothing, as on every machine this runs on.
package struct DataCacheCounts: Equatable, Sendable {
  /// Flushes asked for by frame.
  package var frames: Int
  /// Flushes asked for by frame number.
  package var frameNumbers: Int

  package init(frames: Int, frameNumbers: Int) {
    self.frames = frames
    self.frameNumbers = frameNumbers
  }
}

final class DataCacheCounter: Sendable {
  private let frames = Atomic<Int>(0)
  private let frameNumbers = Atomic<Int>(0)

  var counts: DataCacheCounts {
    DataCacheCounts(frames: frames.load(ordering: .relaxed), frameNumbers: frameNumbers.load(ordering: .relaxed))
  }

  /// `flush_dcache_page`: at once where the frame is mapped, else when it will be.
  func flush(_ pfn: PFN, in memory: PhysicalMemory) {
    frames.wrappingAdd(1, ordering: .relaxed)
    memory.dataCacheDirtied(pfn)
  }

  /// `flush_dcache_pfn`.
  func flush(number pfn: PFN, in memory: PhysicalMemory) {
    frameNumbers.wrappingAdd(1, ordering: .relaxed)
    memory.flushDataCache(pfn)
  }

  /// `flush_dcache_page` of a private copy that its writer is about to see: it cannot be put off.
  func flush(copy: PageBytes, in memory: PhysicalMemory) {
    frames.wrappingAdd(1, ordering: .relaxed)
    memory.dataCache?.flush(copy)
  }
}

/// A page cache asks for flushes as a memory file does. It counts none: its writers would share the line of the count.
extension PageCache {
  /// `flush_dcache_page`: at once where the frame is mapped, else when it will be.
  ///
  /// The caller holds a reference, or has the page under write-back.
  func flushDataCache(of pfn: PFN) { if memory.dataCache != nil { memory.dataCacheDirtied(pfn) } }

  /// Whether a program may be storing through another alias, so that a page is flushed before the cache reads it.
  ///
  /// Spaces are asked under their mmap locks. A thread inside a section cannot wait for those, and flushes what is
  /// mapped at all.
  var needsFlushBeforeRead: Bool {
    memory.dataCache != nil && takesStores && (RCU.isReading || spaces.haveWritableMapping(of: self))
  }
}
