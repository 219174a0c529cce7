/// A value that readers reach without a lock and a writer may replace: it stays where it is until a grace period after
/// `retired`.
///
/// A trivial handle: to copy it costs no reference counting. It is valid inside a read-side section that was entered
/// before the value was made unreachable. It is also valid under the lock under which values are made unreachable.
///
/// In memory a value comes behind a word pair that says how it is destroyed. So the queue of deferred frees needs to
/// know no types, and no object has to be made when a value retires.
struct Published<Value: ~Copyable>: @unchecked Sendable {
  // Valid until the queue has freed it.
  private let pointer: UnsafeMutablePointer<Value>

  /// - Parameter queue: the one that the value will be given to when it is retired.
  init(_ value: consuming Value, in queue: DeferredQueue.Handle) {
    precondition(
      MemoryLayout<Value>.alignment <= PublishedCell.headerBytes
        && MemoryLayout<Value>.size <= PublishedCell.bytes - PublishedCell.headerBytes,
      "a published value does not fit into a cell")
    let cell = queue.takePublishedCell()
    cell.initializeMemory(as: (any PublishedCell.Destroyer.Type).self, to: Destroyer.self)
    pointer = (cell + PublishedCell.headerBytes).bindMemory(to: Value.self, capacity: 1)
    pointer.initialize(to: value)
  }

  /// The handle that `word` was made from.
  init?(word: UInt64) {
    guard let pointer = UnsafeMutablePointer<Value>(bitPattern: UInt(word)) else { return nil }
    self.pointer = pointer
  }

  /// The handle as a word, for an atomic entry or a tree.
  var word: UInt64 { UInt64(UInt(bitPattern: pointer)) }

  /// The value. Read in place: nothing is copied or retained.
  var value: Value {
    @inline(__always) unsafeAddress { UnsafePointer(pointer) }
  }

  static func == (left: Published, right: Published) -> Bool { left.pointer == right.pointer }

  /// What frees the value after a grace period.
  ///
  /// - Parameter holdsObject: whether the value holds an object: its end may run a user's code. A value that holds
  ///   none, and no other memory, is freed without being destroyed.
  func retired(holdsObject: Bool = true) -> DeferredWord {
    let cell = UnsafeMutableRawPointer(pointer) - PublishedCell.headerBytes
    return holdsObject ? .published(cell) : .plainPublished(cell)
  }

  /// Frees at once a value that no reader has seen, or can still see.
  func destroy() { PublishedCell.destroy(UnsafeMutableRawPointer(pointer) - PublishedCell.headerBytes) }

  private enum Destroyer: PublishedCell.Destroyer {
    static func destroy(_ value: UnsafeMutableRawPointer) {
      value.assumingMemoryBound(to: Value.self).deinitialize(count: 1)
    }
  }
}

/// The memory of a published value of whatever type.
///
/// Cells are of one size, and those of plain values are used again: a thread that maps and unmaps takes and frees one
/// each time. Debug builds, and those with `-DUSERPAGES_NEW_CELLS`, use none again. So sanitizers and the checker see
/// an access to a value that was freed.
enum PublishedCell {
  /// The size of a cell: the header, and the largest value.
  static let bytes = 96
  /// The size of the destroyer's place. The value comes behind it.
  static let headerBytes = 16

  protocol Destroyer {
    static func destroy(_ value: UnsafeMutableRawPointer)
  }

  static func destroy(_ cell: UnsafeMutableRawPointer) {
    cell.load(as: (any Destroyer.Type).self).destroy(cell + headerBytes)
    cell.deallocate()
  }
}

extension DeferredQueue {
  /// A cell with unspecified contents, from the heap or used before.
  func takePublishedCell() -> UnsafeMutableRawPointer {
    #if DEBUG || USERPAGES_NEW_CELLS
      publishedCells.make()
    #else
      publishedCells.take() ?? publishedCells.make()
    #endif
  }

  /// Frees the cell of a value that holds nothing.
  func freePlainCell(_ cell: UnsafeMutableRawPointer) {
    #if DEBUG || USERPAGES_NEW_CELLS
      cell.deallocate()
    #else
      publishedCells.free(cell)
    #endif
  }
}
