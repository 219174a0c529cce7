import Scenario

/// A reason why Linux's answer depends on its configuration or on chance. The library may then answer otherwise.
///
/// This list is complete. Each case excuses exactly the answers that its reason explains.
public enum Chance: String, CaseIterable, Sendable {
  /// Whether the kernel merged two neighbouring mappings that are alike.
  ///
  /// Linux does not merge private mappings with different `anon_vma`s, or with memory accounted for differently. The library
  /// merges all mappings that are alike. Only an `mremap` that grows or shrinks shows it: the range must lie in one mapping.
  case joinedMappings = "joined mappings"
  /// Whether a mapping may be collapsed.
  ///
  /// Linux wants an `anon_vma`, 2 MiB of room in the mapping as Linux merged it, and a page table. A fork may have copied a
  /// page table that maps nothing. The library wants 2 MiB of room in the mapping as the library merged it.
  case collapsible = "collapsible mappings"

  /// Returns the reason that excuses the difference between two answers, or nil.
  static func explaining(_ statement: Statement, library: String, kernel: String) -> Chance? {
    if case .space(.remap(_, let from, let to)) = statement, from.pages > 0, from.pages != to.pages,
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
