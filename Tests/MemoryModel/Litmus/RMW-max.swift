// The greater of two values, sequentially consistent, as store buffering: an update like others.
//
// outcome: r1=0 r2=7
// outcome: r1=7 r2=0
// outcome: r1=7 r2=7
import MemoryModel
import Synchronization

final class Shared: Sendable {
  let x = Atomic(0), y = Atomic(0)
  let r1 = Atomic(-1), r2 = Atomic(-1)

  static func at(_ pointer: UnsafeMutableRawPointer?) -> Shared {
    Unmanaged<Shared>.fromOpaque(pointer!).takeUnretainedValue()
  }
}

@_cdecl("mm_test") public func test(_ unused: UnsafeMutableRawPointer?) {
  let shared = Shared()
  let pointer = Unmanaged.passUnretained(shared).toOpaque()
  let first = mm_spawn(
    {
      let shared = Shared.at($0)
      shared.x.max(7, ordering: .sequentiallyConsistent)
      shared.r1.store(shared.y.load(ordering: .sequentiallyConsistent), ordering: .relaxed)
    }, pointer)
  let second = mm_spawn(
    {
      let shared = Shared.at($0)
      shared.y.max(7, ordering: .sequentiallyConsistent)
      shared.r2.store(shared.x.load(ordering: .sequentiallyConsistent), ordering: .relaxed)
    }, pointer)
  mm_join(first)
  mm_join(second)
  mm_observe("r1", shared.r1.load(ordering: .relaxed))
  mm_observe("r2", shared.r2.load(ordering: .relaxed))
}
