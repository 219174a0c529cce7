/// Something to free after a grace period, in one word: what it is in the low three bits, which one above them.
///
/// The RCU room knows two kinds. Rooms above define theirs with the tags that are left, and free them themselves.
struct DeferredWord {
  let rawValue: UInt64

  init(tag: UInt64, payload: UInt64) {
    assert(tag < 8 && payload & 7 == 0)
    rawValue = payload | tag
  }

  init(rawValue: UInt64) { self.rawValue = rawValue }

  var tag: UInt64 { rawValue & 7 }
  var payload: UInt64 { rawValue & ~7 }

  /// A reference to give up; the object's `deinit` does the rest.
  static func object(_ object: AnyObject) -> DeferredWord {
    DeferredWord(tag: 0, payload: UInt64(UInt(bitPattern: Unmanaged.passRetained(object).toOpaque())))
  }

  /// Plain memory to deallocate.
  static func memory<T>(_ pointer: UnsafeMutablePointer<T>) -> DeferredWord {
    DeferredWord(tag: 1, payload: UInt64(UInt(bitPattern: pointer)))
  }

  /// Frees what this room knows; returns false for the kinds of the rooms above.
  func freeHere() -> Bool {
    guard tag < 2, let pointer = UnsafeMutableRawPointer(bitPattern: UInt(payload)) else { return false }
    if tag == 0 {
      Unmanaged<AnyObject>.fromOpaque(pointer).release()
    } else {
      pointer.deallocate()
    }
    return true
  }
}
