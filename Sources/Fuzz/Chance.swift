import Scenario

/// Where Linux's answer hangs on configuration or chance, so that the library is free to answer otherwise.
///
/// This is the whole list. Each case says why, and excuses no more than the reason does.
public enum Chance: String, CaseIterable, Sendable {
  /// Whether two neighbouring mappings that are alike became one. Linux leaves private mappings apart where joining them
  /// would tie what remembers their pages' users together (another `anon_vma`, or one inherited from a parent), or where
  /// their memory is accounted for differently; the library joins whatever is alike. It shows in one place only: an
  /// `mremap` that grows or shrinks must begin and end in one mapping.
  case joinedMappings = "joined mappings"
  /// Whether a mapping may be collapsed. Linux asks what remembers its pages' users (an `anon_vma`, which comes with the first
  /// store to the mapping, or to one that it was joined with), and whether the mapping as it has joined it has room for
  /// 2 MiB; the library asks the latter of the mapping as it has joined it. And Linux asks whether there is a page table, which
  /// a fork may have copied although nothing is in it any more.
  case collapsible = "collapsible mappings"

  /// The reason to excuse a difference, where there is one.
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
