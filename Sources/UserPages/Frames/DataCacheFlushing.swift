/// What a flush of the data cache does on a machine that needs it.
public protocol DataCacheFlushing: Sendable {
  /// Makes what was written to the page, by whatever alias, visible through all others. Must not block.
  func flush(_ page: FrameBytes)
}

/// A coherent machine: nothing to do.
public struct CoherentDataCache: DataCacheFlushing {
  public init() {}
  public func flush(_ page: FrameBytes) {}
}

extension PhysicalMemory {
  /// A frame was written by the kernel's own view. A frame that is mapped is flushed at once, another when it is mapped.
  func dataCacheDirtied(_ pfn: PFN) {
    let frame = frames.frame(pfn)
    frame.clear(Frame.dataCacheCleanBit)
    if frame.mapCount > 0 { dataCacheClean(pfn) }
  }

  /// Before a program sees the frame: the flush that was put off, if one was (`update_mmu_cache`).
  func dataCacheClean(_ pfn: PFN) {
    let frame = frames.frame(pfn)
    guard !frame.has(Frame.dataCacheCleanBit) else { return }
    dataCache.flush(frames.bytes(of: pfn))
    frame.set(Frame.dataCacheCleanBit)
  }
}
