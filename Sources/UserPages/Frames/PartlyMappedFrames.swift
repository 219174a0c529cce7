import Synchronization

/// How many 2 MiB frames of private memory are mapped in part only: their other pages are memory that no program can
/// reach (`deferred_split_folio`).
///
/// Reclaim breaks such frames up if the caches gave too little (`deferred_split_scan`). Linux queues them, and finds
/// the entries of each by its reverse map. Here private memory has none, so reclaim looks at the entries of all spaces.
/// This count spares it that look where it would find nothing.
///
/// A frame is counted from the first entry that leaves it in part until its end or its break-up, and its descriptor
/// says so (`Frame.partlyMappedBit`). One that is still mapped in full, by parts, may be counted as well.
///
/// The count is a hint, but no frame is missed: the operation that unmaps a part counts the frame before it returns.
struct PartlyMappedFrames: ~Copyable {
  private let count = Atomic<Int>(0)

  /// Whether reclaim would find one.
  var isAny: Bool { count.load(ordering: .relaxed) != 0 }

  /// Counts the 2 MiB frame of which `first` is the first, once. The caller holds a reference to it.
  ///
  /// ORDERING [last-put]: the frame's end takes it off after the last reference was put, and so after this. So the
  /// count never falls below zero.
  func add(_ first: Frame) {
    // Of several threads one finds the bit clear.
    let old = first.descriptor.pointee.state.bitwiseOr(Frame.partlyMappedBit, ordering: .relaxed).oldValue
    if old & Frame.partlyMappedBit == 0 { count.wrappingAdd(1, ordering: .relaxed) }
  }

  /// Takes a 2 MiB frame off, if it was counted. The caller has its last reference, or has frozen its counts.
  func remove(_ first: Frame) {
    guard first.has(Frame.partlyMappedBit) else { return }
    first.clear(Frame.partlyMappedBit)
    let old = count.wrappingSubtract(1, ordering: .relaxed).oldValue
    assert(old > 0, "more 2 MiB frames ended as partly mapped than were so")
  }
}

extension PhysicalMemory {
  /// Counts off an entry that no longer maps `frame`. The entry's reference is still there.
  ///
  /// - Parameters:
  ///   - folio: the first frame of the 2 MiB of private memory that `frame` is a part of, or nil.
  ///   - isWhole: whether the entry mapped 2 MiB.
  @inline(__always)
  func removeMapping(of frame: Frame, partOf folio: PFN?, isWhole: Bool = false) {
    if isWhole { frame.removeHugeMapping() } else { frame.removeMapping() }
    if let folio { noteIfPartlyMapped(frame, of: folio, isWhole: isWhole) }
  }

  /// Notes a 2 MiB frame that lost an entry, if others map less than all of it now.
  ///
  /// Two threads may take the last whole entry and the last entry of a part at the same time. Each may still see the
  /// other's entry. So the last whole entry counts the frame if any part is mapped, all parts or some.
  @inline(never)
  private func noteIfPartlyMapped(_ frame: Frame, of folio: PFN, isWhole: Bool) {
    let first = frames.frame(folio)
    if first.has(Frame.partlyMappedBit) || first.hugeMapCount > 0 { return }
    let isPartly =
      isWhole
      // The one reference is this entry's.
      ? first.references > 1 && frames.mappings(of: folio, upTo: 1) > 0
      : frame.mapCount == 0 && first.references > 1
    if isPartly { allocator.partlyMapped.add(first) }
  }

  /// Whether 2 MiB of private memory are mapped in part only. Exact if no thread unmaps or frees memory meanwhile.
  package var hasPartlyMappedFrames: Bool { allocator.partlyMapped.isAny }
}
