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
  /// The pages in which one half loads or stores while the other half changes their entries.
  func racedTranslations(_ places: RacePlaces) -> Set<RacePieces.Page> {
    var pages: Set<RacePieces.Page> = []
    for (accessing, changing) in zip(halves, halves.reversed()) {
      let changed = changing.flatMap(\.changedTranslations)
      for access in accessing.compactMap(\.accessedBytes) {
        for change in changed where change.space == nil || change.space == access.space {
          guard change.bytes.overlaps(access.bytes) else { continue }
          let both = access.bytes.clamped(to: change.bytes)
          for page in both.lowerBound / 4096...both.upperBound / 4096 {
            pages.insert(places.page(of: page * 4096, in: access.space))
          }
        }
      }
    }
    return pages
  }
}

extension Statement {
  /// The bytes that a load or store of the program accesses.
  fileprivate var accessedBytes: (space: String, bytes: ClosedRange<UInt64>)? {
    switch self {
    case .access(.read(let space, let address, let count)): (space, PageRange.bytes(from: address, UInt64(count)))
    case .access(.write(let space, let address, let bytes)):
      (space, PageRange.bytes(from: address, UInt64(bytes.bytes.count)))
    default: nil
    }
  }

  /// The bytes of the entries that the statement may empty, replace or write-protect. Without a space: of every space.
  fileprivate var changedTranslations: [(space: String?, bytes: ClosedRange<UInt64>)] {
    let everything = 0...UInt64.max
    switch self {
    case .space(.unmap(let space, let range)), .space(.protect(let space, let range, _)): return [(space, range.bytes)]
    case .space(.map(let map)): return [(map.space, map.range.bytes)]
    case .space(.remap(let space, let from, let to, _)): return [(space, from.bytes), (space, to.bytes)]
    case .space(.advise(let space, let range, let advice)):
      switch advice {
      case .dontNeed, .pageOut, .free, .cold, .collapse, .guardInstall: return [(space, range.bytes)]
      default: return []
      }
    // A fork write-protects the parent's entries.
    case .space(.fork(let parent, _)): return [(parent, everything)]
    case .space(.exit(let space)): return [(space, everything)]
    // A cut empties entries wherever the file is mapped.
    case .file(.truncate), .file(.punch): return [(nil, everything)]
    default: return []
    }
  }
}
