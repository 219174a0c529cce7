/// How an address space takes its pins.
///
/// All engines pin the same pages for the same calls and differ in what a pin costs. A space and its forks share one engine.
/// Measured side by side by `pins` in Benchmarks.
public enum PinEngine: String, CaseIterable, Sendable {
  /// The mmap lock for reading, then the page-table lock, as Linux 2.6.24 did. The baseline.
  case locked
  /// No lock: an atomic addition to the frame's counts and a second look at the entry, as Linux since 2008 (`gup_fast`).
  case reference
  /// A store into a slot of the pinning thread: no lock, no atomic addition, no second look. Long-term pins, ranges, and pins that
  /// find all slots of their thread taken are references.
  case slot
}
