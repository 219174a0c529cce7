import Measuring

/// The kinds of work.
enum FaultWork: String, CaseIterable, Sendable {
  /// The first store to each page of a mapping.
  case fault
  /// A mapping of 16 pages made and unmapped.
  case mapUnmap = "map-unmap"
  /// The same, each page stored to in between.
  case mapTouchUnmap = "map-touch-unmap"
  /// A fork of a space with resident pages. The child ends at once.
  case fork

  static let mappingPages = 16

  /// What one operation is.
  var unit: String {
    switch self {
    case .fault: "page"
    case .mapUnmap, .mapTouchUnmap: "mapping"
    case .fork: "page"
    }
  }

  /// Whether several threads can do it at once.
  var isParallel: Bool { self != .fork }
}

/// What does that work: the library, the kernel, or `memset`. Each measurement prepares the work, times it and undoes
/// it.
protocol FaultSubject: Sendable {
  var name: String { get }

  func can(_ work: FaultWork) -> Bool

  /// Makes what `threads` threads need for `operations` operations each.
  func prepare(_ work: FaultWork, operations: Int, threads: Int) throws(Failure)

  /// Does one thread's operations. Only this is timed.
  func perform(_ work: FaultWork, operations: Int, thread: Int) throws(Failure)

  func undo(_ work: FaultWork, operations: Int, threads: Int) throws(Failure)
}
