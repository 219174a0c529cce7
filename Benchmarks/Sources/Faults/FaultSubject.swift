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
  /// A look-up of a mapping among many others, in no order.
  case lookUp = "look-up"
  /// A mapping of one page made and unmapped between two of many others.
  case mapUnmapAmong = "map-unmap-among"

  static let mappingPages = 16

  /// What one operation is.
  var unit: String {
    switch self {
    case .fault: "page"
    case .mapUnmap, .mapTouchUnmap: "mapping"
    case .fork: "page"
    case .lookUp: "look-up"
    case .mapUnmapAmong: "mapping"
    }
  }

  /// Whether several threads can do it at once.
  var isParallel: Bool { self != .fork && self != .mapUnmapAmong }

  /// Whether it needs many mappings that are there before.
  var isAmongMany: Bool { self == .lookUp || self == .mapUnmapAmong }
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
