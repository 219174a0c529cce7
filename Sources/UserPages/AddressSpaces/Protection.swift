/// What a program may do with a mapping.
public struct Protection: OptionSet, Hashable, Sendable {
  public let rawValue: UInt8

  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Loads (PROT_READ).
  public static let read = Protection(rawValue: 1)
  /// Stores, and with them loads, as on most machines (PROT_WRITE).
  public static let write = Protection(rawValue: 2)
  /// Nothing (PROT_NONE).
  public static let none: Protection = []
  /// Loads and stores.
  public static let readWrite: Protection = [.read, .write]
}

/// Whether stores through a mapping go to a copy of its own or to what is mapped.
public enum Sharing: Sendable {
  /// Stores go to a private copy (MAP_PRIVATE).
  case `private`
  /// Stores go to what is mapped (MAP_SHARED).
  case shared
}

/// Advice about a range, as `madvise(2)` takes it.
public enum Advice: Sendable {
  /// Drop the pages. The next touch faults anew (`MADV_DONTNEED`).
  case dontNeed
  /// Write pages of anonymous memory and of memory files out to the swap file and free their frames (`MADV_PAGEOUT`).
  ///
  /// Pages of other files stay, and so do pages that are mapped more than once or pinned. If the swap file is full,
  /// pages of memory files stay, and a page of private memory is an error. A page that is got loses its entry. Its
  /// frame stays, and the next touch maps that frame again. When the call returns, frames may still be being written.
  /// An allocation that finds no free frame waits for them. The next touch brings a page back with the same contents. A
  /// page that was exclusive to its mapping is so again.
  case pageOut
  /// The pages are not needed unless the program stores to them again (`MADV_FREE`).
  ///
  /// Until then they may be dropped, and read as zero. `pageOut` and reclaim drop them at once. The advice is for
  /// private anonymous memory alone. 2 MiB are kept or dropped as a whole if the range covers them. If it covers a
  /// part, and others map or hold them, that part is kept.
  case free
  /// Do not let a child inherit the range (`MADV_DONTFORK`).
  case dontFork
  /// Undo `dontFork`.
  case doFork
  /// Let a child inherit the range without its pages: it reads zeroes there (`MADV_WIPEONFORK`). Private anonymous
  /// memory alone.
  case wipeOnFork
  /// Undo `wipeOnFork`.
  case keepOnFork
  /// The pages are not needed soon: reclaim takes them before others (`MADV_COLD`). 2 MiB of which the range covers a
  /// part become pages, if nothing else maps or holds them.
  case cold
  /// Fault the pages in for reading.
  case populateRead
  /// Fault the pages in for writing.
  case populateWrite
  /// Use huge entries where possible, now (`MADV_COLLAPSE`): for private memory, shared memory and memory files.
  case collapse
  /// Drop the pages and put guard markers in their place: an access is a segmentation violation, a pin fails
  /// (`MADV_GUARD_INSTALL`). Markers outlast `protect`, `dontNeed` and truncation, move with a remap, and are
  /// inherited. Not in pfn or mixed mappings.
  case guardInstall
  /// Take guard markers away. The next touch faults anew (`MADV_GUARD_REMOVE`).
  case guardRemove
}
