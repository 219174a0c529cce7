import Synchronization

/// An array of atomic words, shared by a run's threads.
public final class Board: Sendable {
  private final class Cell: Sendable {
    let value: Atomic<UInt64>
    init(_ value: UInt64) { self.value = Atomic(value) }
  }

  private let cells: [Cell]

  /// `count` words, all `value`.
  public init(_ count: Int, value: UInt64 = 0) {
    cells = (0..<count).map { _ in Cell(value) }
  }

  /// A word: read with acquire, written with release.
  public subscript(index: Int) -> UInt64 {
    get { cells[index].value.load(ordering: .acquiring) }
    set { cells[index].value.store(newValue, ordering: .releasing) }
  }

  /// Writes a word.
  public func set(_ index: Int, _ value: UInt64) {
    cells[index].value.store(value, ordering: .releasing)
  }

  /// Writes a word in the one order that all threads agree on.
  public func announce(_ index: Int, _ value: UInt64) {
    cells[index].value.store(value, ordering: .sequentiallyConsistent)
  }

  /// Puts `value` where zero was. Returns what is there now.
  public func claim(_ index: Int, _ value: UInt64) -> UInt64 {
    let result = cells[index].value.compareExchange(
      expected: 0, desired: value, ordering: .acquiringAndReleasing)
    return result.exchanged ? value : result.original
  }
}
