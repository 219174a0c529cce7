import Scenario

/// A reason why Linux's answer depends on its configuration or on chance. The library may then answer otherwise.
///
/// This list is complete. Each case excuses exactly the answers that its reason explains.
public enum Chance: String, CaseIterable, Sendable {
  /// Whether the kernel merged two neighbouring mappings that are alike.
  ///
  /// Linux does not merge private mappings with different `anon_vma`s, or with memory accounted for differently. The
  /// library merges all mappings that are alike. An `mremap` that grows or shrinks shows it: the range must lie in one
  /// mapping. So does a reference for reading, where 2 MiB lie in two mappings: it gets a part of a huge page if they
  /// were merged, else the zero page, which the next store leaves.
  case joinedMappings = "joined mappings"
  /// Whether a mapping may be collapsed.
  ///
  /// Linux wants an `anon_vma`, 2 MiB of room in the mapping as Linux merged it, and a page table. A fork may have
  /// copied a page table that maps nothing. The library wants 2 MiB of room in the mapping as the library merged it.
  case collapsible = "collapsible mappings"

  /// Returns the reason that excuses the difference between the two answers to a line of `file`, or nil.
  static func explaining(_ index: Int, of file: ScenarioFile, library: String, kernel: String) -> Chance? {
    let statement = file.lines[index].statement
    if case .pin(.peek(let name, _, _)) = statement, kernel.prefix(while: { $0 != "*" }).allSatisfy({ $0 == "0" }),
      file.lines[..<index].contains(where: { $0.statement.isReference(name, across: file.lines[..<index]) })
    {
      return .joinedMappings
    }
    if case .space(.remap(_, let from, let to, _)) = statement, from.pages > 0, from.pages != to.pages,
      kernel == "EFAULT", library == "ok" || library == "ENOMEM"
    {
      return .joinedMappings
    }
    if case .space(.advise(_, _, .collapse)) = statement, (kernel == "EINVAL") != (library == "EINVAL") {
      return .collapsible
    }
    return nil
  }
}

extension Statement {
  /// Whether the statement takes a reference for reading, under the name, in 2 MiB that no single mapping of `lines`
  /// covers, and some with huge pages cover in part.
  fileprivate func isReference(_ name: String, across lines: ArraySlice<ScenarioLine>) -> Bool {
    guard case .pin(.get(name, _, let range, [])) = self, range.address < 1 << 47, range.pages > 0 else { return false }
    let huge: UInt64 = 1 << 21
    let blocks = (range.address / huge)...((range.address + UInt64(range.pages) * 4096 - 1) / huge)
    let mappings = lines.compactMap { line -> Range<UInt64>? in
      guard case .space(.map(let map)) = line.statement, map.huge, map.backing == .anonymous,
        map.range.address < 1 << 47
      else { return nil }
      return map.range.address..<map.range.address + UInt64(map.range.pages) * 4096
    }
    return blocks.contains { block in
      let bytes = block * huge..<(block + 1) * huge
      let touching = mappings.filter { $0.overlaps(bytes) }
      return !touching.isEmpty
        && !touching.contains { $0.lowerBound <= bytes.lowerBound && $0.upperBound >= bytes.upperBound }
    }
  }
}
