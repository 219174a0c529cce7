// Two threads make empty arrays and append to others: no race. All empty arrays have one storage, to which the
// standard library writes its count again.
//
// outcome: sum=2
import MemoryModel

/// Not a constant to the compiler.
private final class Counts: @unchecked Sendable {
  let none: Int
  init(none: Int) { self.none = none }
}

@_cdecl("mm_test") public func test(_ unused: UnsafeMutableRawPointer?) {
  let counts = Counts(none: 0)
  let pointer = Unmanaged.passUnretained(counts).toOpaque()
  var threads: [Int32] = []
  for _ in 0..<2 {
    threads.append(
      mm_spawn(
        {
          let none = Unmanaged<Counts>.fromOpaque($0!).takeUnretainedValue().none
          var numbers = [Int](unsafeUninitializedCapacity: none) { _, count in count = none }
          numbers.append(1)
          mm_assert(numbers.count == 1 ? 1 : 0, "an empty array was not empty")
        }, pointer))
  }
  for thread in threads { mm_join(thread) }
  mm_observe("sum", threads.count)
}
