import Measuring

/// The kinds of work.
enum FaultWork: String, CaseIterable, Sendable {
  /// The first store to each page of a mapping.
  case fault
  /// A mapping of 16 pages made and unmapped.
  case mapUnmap = "map-unmap"
  /// The same, each page stored to in between.
  case mapTouchUnmap = "map-touch-unmap"
  /// A fork of a space with resident pages, whose child ends at once.
  case fork

  static let mappingPages = 16

  /// What one of its operations is.
  var unit: String {
    switch self {
    case .fault: "page"
    case .mapUnmap, .mapTouchUnmap: "mapping"
    case .fork: "page"
    }
  }

  /// Whether several threads can do it side by side.
  var isParallel: Bool { self != .fork }
}

/// Somebody who does that work. One thread's share at a time; a share is made, timed, and undone.
protocol FaultSubject: Sendable {
  var name: String { get }

  func can(_ work: FaultWork) -> Bool

  /// Makes what `operations` operations of each of `threads` threads need.
  func prepare(_ work: FaultWork, operations: Int, threads: Int) throws(Failure)

  /// Does them for one thread; this is what is timed.
  func perform(_ work: FaultWork, operations: Int, thread: Int) throws(Failure)

  func undo(_ work: FaultWork, operations: Int, threads: Int) throws(Failure)
}
