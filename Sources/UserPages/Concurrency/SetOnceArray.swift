import Synchronization

/// Places for objects, each set at most once, read by any thread without a lock and without reference counting.
///
/// For the parts of a whole that are made when they are first needed: the locks and trees of a space's stripes.
///
/// ORDERING [set-once]: a place is set with release after its object is made, and read with acquire.
struct SetOnceArray<Object: AnyObject & Sendable>: @unchecked Sendable {
  // The address of a retained object, or 0. Freed by the owner.
  private let places: UnsafeMutablePointer<Atomic<UInt>>
  let count: Int

  init(count: Int) {
    self.count = count
    places = .allocate(capacity: count)
    for index in 0..<count { (places + index).initialize(to: Atomic(0)) }
  }

  /// Frees the memory, and lets go of the objects. No thread may read any more.
  func release() {
    for index in 0..<count {
      if let object = UnsafeRawPointer(bitPattern: places[index].load(ordering: .relaxed)) {
        Unmanaged<Object>.fromOpaque(object).release()
      }
    }
    places.deinitialize(count: count)
    places.deallocate()
  }

  /// The object at `index`, which lives as long as the array. Nil if there is none yet.
  @inline(__always)
  subscript(index: Int) -> Unretained<Object>? {
    // ORDERING [set-once]: acquire.
    UnsafeRawPointer(bitPattern: places[index].load(ordering: .acquiring)).map {
      Unretained(Unmanaged<Object>.fromOpaque($0))
    }
  }

  /// Sets the place at `index`, which has no object. One thread at a time.
  func set(_ object: Object, at index: Int) {
    let word = UInt(bitPattern: Unmanaged.passRetained(object).toOpaque())
    // ORDERING [set-once]: release.
    let old = places[index].exchange(word, ordering: .releasing)
    precondition(old == 0, "a place was set twice")
  }

  /// Calls `body` with each object.
  func forEach(_ body: (Object) -> Void) { for index in 0..<count { self[index]?.with(body) } }
}
