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
    // More than a thread's cache is given back on one thread. Others must find it.
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

  // MARK: Blocks of 512

  @Test func blocksAreAlignedAndDisjoint() throws {
    // The last 200 pages are less than a block.
    let memory = try PhysicalMemory(ramPages: 5 * 512 + 200)
    let blocks = allBlocks(of: memory)
    #expect(blocks.count == 5)
    #expect(memory.freePages == 200)
    for first in blocks {
      for index in 0..<512 {
        let descriptor = memory.frames.frame(first + index).descriptor
        #expect(descriptor.pointee.state.load(ordering: .relaxed) == Frame.allocatedBit)
        #expect(descriptor.pointee.counts.load(ordering: .relaxed) == 0)
      }
    }
    for first in blocks.shuffled() { memory.allocator.freeHuge(first) }
    #expect(memory.freePages == memory.ramPages)
    #expect(allFrames(of: memory).count == memory.ramPages)
  }

  @Test func brokenBlocksRecombine() throws {
    let memory = try PhysicalMemory(ramPages: 6 * 512 + 3)
    var random = SeededGenerator(seed: TestSeed.named("broken blocks"))
    // Broken by single allocations, then by single frees of what was given out whole.
    for whole in [false, true] {
      var frames: Set<PFN> = []
      if whole {
        for first in allBlocks(of: memory) { frames.formUnion((0..<512).map { first + $0 }) }
      }
      frames.formUnion(allFrames(of: memory))
      #expect(frames.count == memory.ramPages)
      // As long as each block misses a frame there is none.
      let missing = (0..<6).map { block in block * 512 + random.below(512) }.map { lowest(frames) + $0 }
      for pfn in frames.subtracting(missing).shuffled(using: &random) { memory.allocator.free(pfn) }
      #expect(memory.allocator.allocateHuge() == nil)
      var expected: Set<PFN> = []
      for pfn in missing.shuffled(using: &random) {
        memory.allocator.free(pfn)
        expected.insert(PFN(pfn.rawValue & ~511))
        let blocks = allBlocks(of: memory)
        #expect(blocks == expected)
        for first in blocks { memory.allocator.freeHuge(first) }
      }
      #expect(memory.freePages == memory.ramPages)
    }
  }

  @Test func singleFramesSpareWholeBlocks() throws {
    let memory = try PhysicalMemory(ramPages: 8 * 512)
    var held = (0..<300).compactMap { _ in memory.allocator.allocate() }
    // What a cache holds beyond the frames that are out is gathered where it is needed.
    let blocks = allBlocks(of: memory)
    #expect(blocks.count == 7)
    for first in blocks { memory.allocator.freeHuge(first) }
    // The rest of the broken block is used up before the next one is broken.
    while held.count < 512 { held.append(try #require(memory.allocator.allocate())) }
    #expect(Set(held.map { $0.rawValue / 512 }).count == 1)
    #expect(allBlocks(of: memory).count == 7)
    for pfn in held { memory.allocator.free(pfn) }
    for first in blocks { memory.allocator.freeHuge(first) }
  }

  @Test func singleFramesTakeEverything() throws {
    let memory = try PhysicalMemory(ramPages: 4 * 512 + 100)
    let block = try #require(memory.allocator.allocateHuge())
    let frames = allFrames(of: memory)
    #expect(frames.count == 3 * 512 + 100)
    #expect(memory.allocator.allocateHuge() == nil)
    #expect(memory.freePages == 0)
    memory.allocator.freeHuge(block)
    #expect(allFrames(of: memory).count == 512)
  }

  @Test func blocksAndFramesFromTwoThreads() throws {
    let memory = try PhysicalMemory(ramPages: 6 * 512 + 40)
    let torture = Torture("blocks and frames")
    let owners = Board(1 << 13)
    let blocksTaken = torture.tally("blocks", goal: 20)
    let blocksRefused = torture.tally("blocks refused", goal: 5)
    @Sendable func claim(_ pfn: PFN, _ run: WorkerContext) {
      let stamp = UInt64(run.index + 1)
      torture.expect(owners.claim(Int(pfn.rawValue) & 8191, stamp) == stamp, "\(pfn) belongs to two threads")
      // An owner's byte in the frame itself, which a debug build's poison would meet.
      memory.frames.bytes(of: pfn).store(stamp)
    }
    @Sendable func disclaim(_ pfn: PFN, _ run: WorkerContext) {
      let found = memory.frames.bytes(of: pfn).load(as: UInt64.self)
      torture.expect(found == UInt64(run.index + 1), "\(pfn) was written to by \(found)")
      owners.set(Int(pfn.rawValue) & 8191, 0)
    }
    torture.run([
      Worker("take and give back", threads: 2) { run in
        var frames: [PFN] = []
        var blocks: [PFN] = []
        while run.next() {
          if run.random.oneIn(2) {
            for _ in 0..<run.random.below(1200) {
              guard let pfn = memory.allocator.allocate() else { break }
              claim(pfn, run)
              frames.append(pfn)
            }
          } else if let first = memory.allocator.allocateHuge() {
            blocksTaken.count()
            for index in 0..<512 { claim(first + index, run) }
            blocks.append(first)
          } else {
            blocksRefused.count()
          }
          // Whole or in pieces.
          if let first = run.random.oneIn(2) ? blocks.popLast() : nil {
            for index in 0..<512 { disclaim(first + index, run) }
            if run.random.oneIn(2) {
              memory.allocator.freeHuge(first)
            } else {
              for index in 0..<512 { memory.allocator.free(first + index) }
            }
          }
          for _ in 0..<(run.random.oneIn(3) ? frames.count : run.random.below(frames.count + 1)) {
            let pfn = frames.remove(at: run.random.below(frames.count))
            disclaim(pfn, run)
            memory.allocator.free(pfn)
          }
        }
        for first in blocks {
          for index in 0..<512 { disclaim(first + index, run) }
          memory.allocator.freeHuge(first)
        }
        for pfn in frames {
          disclaim(pfn, run)
          memory.allocator.free(pfn)
        }
      }
    ])
    #expect(torture.failures == [])
    #expect(memory.freePages == memory.ramPages)
    let blocks = allBlocks(of: memory)
    #expect(blocks.count == 6, "a block did not recombine")
    #expect(allFrames(of: memory).count == 40)
    for first in blocks { memory.allocator.freeHuge(first) }
  }

  @Test func noneIsSaidOnlyWhenThereIsNone() throws {
    // Three threads hold at most 60 of 64 frames: each thread finds one, wherever the others' caches have it.
    let memory = try PhysicalMemory(ramPages: 64)
    let torture = Torture("never none")
    torture.run([
      Worker("allocate and free", threads: 3) { run in
        var held: [PFN] = []
        while run.next() {
          while held.count < 20 {
            guard let pfn = memory.allocator.allocate() else {
              torture.fail("no frame although four are free")
              break
            }
            held.append(pfn)
          }
          run.pauseRandomly()
          for _ in 0..<run.random.below(held.count + 1) { memory.allocator.free(held.removeLast()) }
        }
        for pfn in held { memory.allocator.free(pfn) }
      }
    ])
    #expect(torture.failures == [])
  }

  private func allBlocks(of memory: PhysicalMemory) -> Set<PFN> {
    var blocks: Set<PFN> = []
    while let first = memory.allocator.allocateHuge() {
      #expect(first.rawValue % 512 == 0)
      #expect(blocks.insert(first).inserted, "\(first) was given out twice")
    }
    return blocks
  }

  private func allFrames(of memory: PhysicalMemory) -> Set<PFN> {
    var frames: Set<PFN> = []
    while let pfn = memory.allocator.allocate() {
      #expect(frames.insert(pfn).inserted, "\(pfn) was given out twice")
    }
    return frames
  }

  private func lowest(_ frames: Set<PFN>) -> PFN { frames.min() ?? PFN(0) }
}
