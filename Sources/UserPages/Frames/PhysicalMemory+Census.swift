/// What a machine has in use; all zero when everything was given back.
public struct Census: Equatable, Sendable, CustomStringConvertible {
  /// Frames of RAM that are not free.
  public var framesInUse: Int
  /// Page-table nodes.
  public var tableNodes: Int
  /// Page-table entries that map a frame with a descriptor.
  public var mapcounts: Int
  /// Pins (FOLL_PIN).
  public var pins: Int
  /// References: of mappings, the page cache, gets and pins.
  public var references: Int
  /// Slots of the swap file.
  public var swapSlots = 0

  public var isClean: Bool { self == Census(framesInUse: 0, tableNodes: 0, mapcounts: 0, pins: 0, references: 0) }

  public var description: String {
    "\(framesInUse) frames, \(tableNodes) table nodes, \(mapcounts) mapcounts, \(pins) pins, \(references) references, "
      + "\(swapSlots) swap slots"
  }
}

/// What a descriptor says of its frame.
public struct FrameInformation: Equatable, Sendable {
  /// Page-table entries that map it, those that map it as a part of 2 MiB among them.
  public var mapCount: Int
  /// Pins (FOLL_PIN) on it, or on any part of the 2 MiB frame that it is a part of: those are counted together.
  public var pinCount: Int
  /// References of all kinds, counted as pins are.
  public var referenceCount: Int
  /// Whether it is private memory rather than a file's.
  public var isAnonymous: Bool
  public var isDirty: Bool
  /// Whether the entry it was reached through is the only one that may ever map it (PageAnonExclusive).
  public var isExclusive = false
}

extension PhysicalMemory {
  /// Counts what is in use. Exact when nothing else runs and deferred frees were flushed. O(frames).
  public func census() -> Census {
    var census = Census(
      framesInUse: ramPages - allocator.freeCount, tableNodes: tablePages.inUse, mapcounts: 0, pins: 0, references: 0)
    census.pins = PinSlots.snapshot().count(in: frames)
    census.swapSlots = swap.usedCount
    for section in 0..<frames.span / Page.pagesPerHuge {
      let first = PFN(UInt64(section * Page.pagesPerHuge))
      guard frames.isValid(first) else { continue }
      for index in 0..<Page.pagesPerHuge {
        let frame = frames.frame(first + index)
        census.mapcounts += frame.mapCount + frame.hugeMapCount
        census.pins += frame.pins
        census.references += frame.references - (frame.has(Frame.reservedBit) ? 1 : 0)
      }
    }
    return census
  }

  /// What is known of a frame; nil where it has no descriptor.
  public func frameInformation(of pfn: PFN) -> FrameInformation? {
    guard frames.isValid(pfn) else { return nil }
    let frame = frames.frame(pfn)
    let folio = frames.folio(of: pfn)
    return FrameInformation(
      mapCount: frame.mapCount + folio.hugeMapCount, pinCount: folio.pins + PinSlots.snapshot().pins(of: folio),
      referenceCount: folio.references, isAnonymous: frame.has(Frame.anonymousBit),
      isDirty: frame.has(Frame.dirtyBit) || folio.has(Frame.dirtyBit))
  }
}
