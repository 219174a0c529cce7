import CPlatform
import Glibc
import Synchronization

/// From a frame number to its bytes and its descriptor, by one addition each.
///
/// The machine reserves address space for all of physical memory and for its descriptors when it is made. It fills that
/// in as sections are added, as Linux does with the direct map and the vmemmap. Two bytes for each 2 MiB say what is
/// there.
///
/// A section may end while other threads look at its frames by number:
///
///     a thread with a frame number                   the section's end (`SectionMap`)
///     section {
///       kind(of:) says `described`                   stores `hole` in the section's word
///       reads the descriptor                         a whole grace period
///     }  --------------------------------------->    unmaps descriptors and bytes
///
/// ORDERING [section-end]: a thread that reads a descriptor by a number which no reference protects, asks `kind(of:)`
/// and reads inside one read-side section. Either it finds a hole, or the descriptors stay mapped until its section has
/// ended.
///
/// ORDERING [section-begin]: the word's store is a release, its load an acquire: a thread that finds a section there
/// finds its descriptors initialised.
///
/// A trivial value. The reservation lives as long as the machine.
@frozen @usableFromInline
struct FrameTable: @unchecked Sendable {
  /// What a 2 MiB stretch of physical memory is.
  @usableFromInline enum Kind: UInt8 {
    /// Nothing: no such frame number.
    case hole
    /// Memory without descriptors: an image, flash.
    case bare
    /// Memory with a descriptor for each frame: RAM, a device's range of RAM, the zero page.
    case described
  }

  // Reserved address space. What is behind it depends on the section map.
  @usableFromInline let bytesBase: UnsafeMutableRawPointer
  @usableFromInline let descriptors: UnsafeMutablePointer<FrameDescriptor>
  // A word for each 2 MiB: bits 0...9 how many frames there are of it, bits 10...11 the kind, bits 14 and 15 below.
  // From `calloc`, so that a word which was never written takes no memory. Freed by `release`.
  private let sections: UnsafeMutablePointer<Atomic<UInt16>>
  private static let writableBit: UInt16 = 1 << 14
  private static let patternBit: UInt16 = 1 << 15
  /// Frame numbers are below this.
  let span: Int
  /// Frames from here to `movableEnd` hold pages that can be moved, and no long-term pin (`ZONE_MOVABLE`).
  @usableFromInline private(set) var movableStart = PFN(0)
  @usableFromInline private(set) var movableEnd = PFN(0)

  /// Reserves address space for `span` frames. The result is nil if the process has not that much.
  init?(span: Int) {
    let sections = (span + Page.pagesPerHuge - 1) / Page.pagesPerHuge
    let span = sections * Page.pagesPerHuge
    // One huge page more, so that the direct map can be aligned to one.
    guard let bytes = cp_reserve(span * Page.size + Page.hugeSize) else { return nil }
    guard let table = cp_reserve(span * MemoryLayout<FrameDescriptor>.stride) else {
      cp_release(bytes, span * Page.size + Page.hugeSize)
      return nil
    }
    let aligned = (UInt(bitPattern: bytes) + UInt(Page.hugeSize) - 1) & ~UInt(Page.hugeSize - 1)
    // RAM is shared memory: a forked child's stores would land here.
    guard cp_hide_from_children(UnsafeMutableRawPointer(bitPattern: aligned), span * Page.size) == 0 else {
      cp_release(bytes, span * Page.size + Page.hugeSize)
      cp_release(table, span * MemoryLayout<FrameDescriptor>.stride)
      return nil
    }
    cp_release(bytes, Int(aligned - UInt(bitPattern: bytes)))
    bytesBase = UnsafeMutableRawPointer(bitPattern: aligned)!
    cp_release(bytesBase + span * Page.size, Int(UInt(bitPattern: bytes) + UInt(Page.hugeSize) - aligned))
    descriptors = table.assumingMemoryBound(to: FrameDescriptor.self)
    guard let words = calloc(sections, MemoryLayout<Atomic<UInt16>>.stride) else {
      cp_release(bytes, span * Page.size + Page.hugeSize)
      cp_release(table, span * MemoryLayout<FrameDescriptor>.stride)
      return nil
    }
    // An atomic word of zeroes is a valid one.
    self.sections = words.bindMemory(to: Atomic<UInt16>.self, capacity: sections)
    self.span = span
  }

  /// Gives the address space back. Nothing may use the table afterwards.
  func release() {
    cp_end_hiding(bytesBase)
    cp_release(bytesBase, span * Page.size)
    cp_release(descriptors, span * MemoryLayout<FrameDescriptor>.stride)
    free(sections)
  }

  /// The bytes of a frame that exists.
  @inlinable @inline(__always)
  func bytes(of pfn: PFN) -> FrameBytes { FrameBytes(bytesBase + Int(pfn.rawValue) << Page.shift) }

  /// The frame that these bytes are of.
  func number(of bytes: FrameBytes) -> PFN { PFN(UInt64(bytes.address - bytesBase) >> UInt64(Page.shift)) }

  /// The descriptor of a frame that has one. For frames behind entries without the special bit.
  @inlinable @inline(__always)
  func frame(_ pfn: PFN) -> Frame { Frame(descriptors + Int(pfn.rawValue)) }

  @inlinable @inline(__always)
  func number(of frame: Frame) -> PFN {
    // Unsigned: no descriptor lies before the first one. So it is a shift, and no sign is looked at.
    let distance = UInt(bitPattern: frame.descriptor) &- UInt(bitPattern: descriptors)
    return PFN(UInt64(distance / UInt(MemoryLayout<FrameDescriptor>.stride)))
  }

  /// The same table, for a machine with movable frames.
  func with(movable frames: Range<PFN>) -> FrameTable {
    var table = self
    table.movableStart = frames.lowerBound
    table.movableEnd = frames.upperBound
    return table
  }

  /// Whether a long-term pin must not hold the frame.
  @inlinable @inline(__always)
  func isMovable(_ pfn: PFN) -> Bool { pfn >= movableStart && pfn < movableEnd }

  /// What a frame number stands for at this moment. Any number may be asked for. O(1), any thread.
  ///
  /// A caller that goes on to the frame's descriptor or bytes, and holds no reference, is inside a read-side section.
  func kind(of pfn: PFN) -> Kind {
    guard let word = word(of: pfn) else { return .hole }
    return Kind(rawValue: UInt8(word >> 10 & 3)) ?? .hole
  }

  /// Whether the frame's bytes are to be had by `SectionMap.fill(_:count:)` before they are used.
  func isFilledOnDemand(_ pfn: PFN) -> Bool { (word(of: pfn) ?? 0) & Self.patternBit != 0 }

  /// Whether this process may store to the frame's bytes: not to those of an image, nor to the zero page.
  func isWritable(_ pfn: PFN) -> Bool { (word(of: pfn) ?? 0) & Self.writableBit != 0 }

  private func word(of pfn: PFN) -> UInt16? {
    guard pfn.rawValue < UInt64(span) else { return nil }
    // ORDERING [section-begin]: acquire.
    let word = sections[Int(pfn.rawValue) / Page.pagesPerHuge].load(ordering: .acquiring)
    return UInt16(pfn.rawValue % UInt64(Page.pagesPerHuge)) < word & 0x3ff ? word : nil
  }

  /// Whether all of the aligned 2 MiB that begin with a frame are memory.
  func isWhole(from pfn: PFN) -> Bool { pfn.isHugeAligned && kind(of: pfn + (Page.pagesPerHuge - 1)) != .hole }

  /// Says what a 2 MiB stretch is, how many frames it has, and whether those may be stored to and are filled on demand.
  func setSection(
    _ index: Int, _ kind: Kind, count: Int, isWritable: Bool = false, isFilledOnDemand: Bool = false
  ) {
    let bits = (isWritable ? Self.writableBit : 0) | (isFilledOnDemand ? Self.patternBit : 0)
    let word = UInt16(kind.rawValue) << 10 | UInt16(count) | bits
    // ORDERING [section-begin]: release.
    sections[index].store(word, ordering: .releasing)
  }

  /// Whether the frame has a descriptor (Linux's `pfn_valid`). As `kind(of:)`.
  func isValid(_ pfn: PFN) -> Bool { kind(of: pfn) == .described }
}
