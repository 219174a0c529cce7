/// How an address space takes its pins.
///
/// All engines pin the same pages for the same calls and differ in what a pin costs. A space and its forks share one
/// engine. Measured side by side by `pins` in Benchmarks.
///
/// Use `slot` if pins are frequent or short, or if threads pin the same pages. An unmap of private memory that a slot
/// has held then waits for a grace period. Use `reference` if such unmaps dominate. Fork, page-out and eviction wait
/// for a grace period and scan the slots with every engine: the spaces of a machine may share frames.
public enum PinEngine: String, CaseIterable, Sendable {
  /// The mmap lock for reading, then the page-table lock, as Linux 2.6.24 did. The baseline.
  case locked
  /// No lock: an atomic addition to the frame's counts and a second look at the entry, as Linux since 2008
  /// (`gup_fast`).
  case reference
  /// A store into a slot of the pinning thread: no lock, no atomic addition, no second look. A range is a list of
  /// frames in one slot. Long-term pins, 2 MiB of a range, and pins that find no slot of their thread free are
  /// references.
  case slot
}
