import Scenario

/// Outcomes of the kernel that no order explains, because a processor remembers translations (its TLB).
///
/// The kernel changes an entry, and tells the processors before the statement returns. In between a load or store acts
/// on the page of before:
///
///     the half that accesses                          the other half
///                                                     1. `dontneed` clears the entry
///     2. `rwrite` finds none, and maps a fresh page
///     3. `write` stores to the page of before
///                                                     4. tells the processors, frees that page, and returns
///
/// No order of the statements leaves the bytes of 2 without those of 3. The kernel promises an order only to what
/// begins after 4. The library reads the entry for each access, so of its outcomes none is excused.
extension RacePair {
  /// Whether one half loads or stores in pages of which the other half changes entries.
  var mayUseStaleTranslations: Bool {
    zip(halves, halves.reversed()).contains { accessing, changing in
      let accessed = accessing.compactMap(\.accessedBytes)
      let changed = changing.flatMap(\.changedTranslations)
      return accessed.contains { bytes in changed.contains { $0.overlaps(bytes) } }
    }
  }
}

extension Statement {
  /// The bytes that a load or store of the program accesses.
  fileprivate var accessedBytes: ClosedRange<UInt64>? {
    switch self {
    case .access(.read(_, let address, let count)): PageRange.bytes(from: address, UInt64(count))
    case .access(.write(_, let address, let bytes)): PageRange.bytes(from: address, UInt64(bytes.bytes.count))
    default: nil
    }
  }

  /// The bytes of the entries that the statement may empty, replace or write-protect.
  fileprivate var changedTranslations: [ClosedRange<UInt64>] {
    switch self {
    case .space(.unmap(_, let range)), .space(.protect(_, let range, _)): [range.bytes]
    case .space(.map(let map)): [map.range.bytes]
    case .space(.remap(_, let from, let to, _)): [from.bytes, to.bytes]
    case .space(.advise(_, let range, let advice)):
      switch advice {
      case .dontNeed, .pageOut, .free, .cold, .collapse, .guardInstall: [range.bytes]
      default: []
      }
    // A fork write-protects; a cut empties entries wherever the file is mapped.
    case .space(.fork), .space(.exit), .file(.truncate), .file(.punch): [0...UInt64.max]
    default: []
    }
  }
}
