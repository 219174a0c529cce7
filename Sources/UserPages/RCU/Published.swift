/// A value that readers reach without a lock and that a writer may replace: it stays where it is until a grace period
/// after `retire`.
///
/// A trivial handle, so that copying it costs no reference counting. The holder keeps it valid by being inside a
/// read-side section that was entered before the value was made unreachable, or by holding the lock under which it is.
struct Published<Value: ~Copyable>: @unchecked Sendable {
  // Valid until the queue has freed it, see above.
  private let pointer: UnsafeMutablePointer<Value>

  init(_ value: consuming Value) {
    pointer = .allocate(capacity: 1)
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
  func retired() -> DeferredWord { .object(Owner(pointer)) }

  /// Frees at once what nobody has ever seen, or no longer can.
  func destroy() { _ = Owner(pointer) }

  private final class Owner {
    let pointer: UnsafeMutablePointer<Value>

    init(_ pointer: UnsafeMutablePointer<Value>) { self.pointer = pointer }

    deinit {
      pointer.deinitialize(count: 1)
      pointer.deallocate()
    }
  }
}
