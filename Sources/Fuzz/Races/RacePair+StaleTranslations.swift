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
  /// Whether one half loads or stores in pages whose entries the other half changes.
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
    case .access(.read(_, let address, let count)): Self.bytes(from: address, UInt64(count))
    case .access(.write(_, let address, let bytes)): Self.bytes(from: address, UInt64(bytes.bytes.count))
    default: nil
    }
  }

  /// The bytes whose entries the statement may empty, replace or write-protect.
  fileprivate var changedTranslations: [ClosedRange<UInt64>] {
    switch self {
    case .space(.unmap(_, let range)), .space(.protect(_, let range, _)): [Self.bytes(of: range)]
    case .space(.map(let map)): [Self.bytes(of: map.range)]
    case .space(.remap(_, let from, let to, _)): [Self.bytes(of: from), Self.bytes(of: to)]
    case .space(.advise(_, let range, let advice)):
      switch advice {
      case .dontNeed, .pageOut, .free, .cold, .collapse, .guardInstall: [Self.bytes(of: range)]
      default: []
      }
    // A fork write-protects; a cut empties entries wherever the file is mapped.
    case .space(.fork), .space(.exit), .file(.truncate), .file(.punch): [0...UInt64.max]
    default: []
    }
  }

  private static func bytes(of range: PageRange) -> ClosedRange<UInt64> {
    let (count, overflows) = UInt64(max(range.pages, 0)).multipliedReportingOverflow(by: 4096)
    return bytes(from: range.address, overflows ? .max : count)
  }

  /// At least one byte; not beyond the last address.
  private static func bytes(from address: UInt64, _ count: UInt64) -> ClosedRange<UInt64> {
    let (end, overflows) = address.addingReportingOverflow(max(count, 1) - 1)
    return address...(overflows ? .max : end)
  }
}
