import TestSupport
import Testing

@testable import UserPages

/// Frames from and to the allocator.
@Suite struct AllocatorTests {
  @Test func everyFrameOnce() throws {
    let memory = try PhysicalMemory(ramPages: 1000)
    var frames: Set<PFN> = []
    while let pfn = memory.allocator.allocate() {
      #expect(frames.insert(pfn).inserted, "\(pfn) was given out twice")
    }
    #expect(frames.count == 1000)
    #expect(memory.freePages == 0)
    for pfn in frames.shuffled() { memory.allocator.free(pfn) }
    #expect(memory.freePages == 1000)
  }

  @Test func threadsDoNotStarveEachOther() throws {
    // More than a thread's cache is given back on one thread; others must find it.
    let memory = try PhysicalMemory(ramPages: 300)
    let torture = Torture("allocator")
    let owners = Board(2048)
    torture.run([
      Worker("allocate and free", threads: 3) { run in
        var held: [PFN] = []
        while run.next() {
          for _ in 0..<run.random.below(90) {
            guard let pfn = memory.allocator.allocate() else { break }
            let owner = owners.claim(Int(pfn.rawValue) & 2047, UInt64(run.index + 1))
            torture.expect(owner == UInt64(run.index + 1), "\(pfn) belongs to two threads")
            held.append(pfn)
          }
          for _ in 0..<run.random.below(held.count + 1) {
            guard let pfn = held.popLast() else { break }
            owners.set(Int(pfn.rawValue) & 2047, 0)
            memory.allocator.free(pfn)
          }
        }
        for pfn in held {
          owners.set(Int(pfn.rawValue) & 2047, 0)
          memory.allocator.free(pfn)
        }
      }
    ])
    #expect(torture.failures == [])
    #expect(memory.freePages == 300)
    var count = 0
    while memory.allocator.allocate() != nil { count += 1 }
    #expect(count == 300, "a frame was lost")
  }
}
