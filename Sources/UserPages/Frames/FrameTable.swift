import CPlatform

/// From a frame number to its bytes and its descriptor, by one addition each.
///
/// Address space for all of physical memory and for its descriptors is reserved when the machine is made and filled in as
/// sections are added, as Linux does with the direct map and the vmemmap. Two bytes for each 2 MiB say what is there.
///
/// A trivial value; the reservation lives as long as the machine.
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

  // Reserved address space; what is behind it depends on the section map.
  @usableFromInline let bytesBase: UnsafeMutableRawPointer
  @usableFromInline let descriptors: UnsafeMutablePointer<FrameDescriptor>
  // A word for each 2 MiB: how many frames there are of it, and the kind from bit 10 on.
  private let sections: UnsafeMutablePointer<UInt16>
  /// Frame numbers are below this.
  let span: Int

  /// Reserves address space for `span` frames; nil where the process has not that much.
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
    cp_release(bytes, Int(aligned - UInt(bitPattern: bytes)))
    bytesBase = UnsafeMutableRawPointer(bitPattern: aligned)!
    cp_release(bytesBase + span * Page.size, Int(UInt(bitPattern: bytes) + UInt(Page.hugeSize) - aligned))
    descriptors = table.assumingMemoryBound(to: FrameDescriptor.self)
    self.sections = .allocate(capacity: sections)
    self.sections.initialize(repeating: 0, count: sections)
    self.span = span
  }

  /// Gives the address space back. Nothing may use the table afterwards.
  func release() {
    cp_release(bytesBase, span * Page.size)
    cp_release(descriptors, span * MemoryLayout<FrameDescriptor>.stride)
    sections.deallocate()
  }

  /// The bytes of a frame that exists.
  @inlinable @inline(__always)
  func bytes(of pfn: PFN) -> FrameBytes { FrameBytes(bytesBase + Int(pfn.rawValue) << Page.shift) }

  /// The descriptor of a frame that has one; for frames behind entries without the special bit.
  @inlinable @inline(__always)
  func frame(_ pfn: PFN) -> Frame { Frame(descriptors + Int(pfn.rawValue)) }

  @inlinable @inline(__always)
  func number(of frame: Frame) -> PFN { PFN(UInt64(frame.descriptor - descriptors)) }

  func kind(of pfn: PFN) -> Kind {
    guard pfn.rawValue < UInt64(span) else { return .hole }
    let word = sections[Int(pfn.rawValue) / Page.pagesPerHuge]
    guard UInt16(pfn.rawValue % UInt64(Page.pagesPerHuge)) < word & 0x3ff else { return .hole }
    return Kind(rawValue: UInt8(word >> 10)) ?? .hole
  }

  /// Whether all of the aligned 2 MiB that begin with a frame are memory.
  func isWhole(from pfn: PFN) -> Bool { pfn.isHugeAligned && kind(of: pfn + (Page.pagesPerHuge - 1)) != .hole }

  /// Says what a 2 MiB stretch is, and how many frames there are of it.
  func setSection(_ index: Int, _ kind: Kind, count: Int) {
    sections[index] = UInt16(kind.rawValue) << 10 | UInt16(count)
  }

  /// Whether the frame has a descriptor (Linux's `pfn_valid`). O(1).
  func isValid(_ pfn: PFN) -> Bool { kind(of: pfn) == .described }
}
