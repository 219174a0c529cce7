import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// Where freed blocks go.
@Suite(.timeLimit(.minutes(2)))
struct FreeListPoolTests {
  private func take(_ count: Int, from pool: FreeListPool) -> [UnsafeMutableRawPointer] {
    (0..<count).map { _ in pool.take() ?? pool.make() }
  }

  /// Runs `body` on a thread that has a number of its own, since the calling thread lives as long.
  private func onAnotherThread(_ body: @escaping @Sendable () -> Void) {
    let hasEnded = DispatchSemaphore(value: 0)
    Thread {
      body()
      hasEnded.signal()
    }.start()
    hasEnded.wait()
  }

  @Test func aThreadTakesWhatItFreedLast() {
    let pool = FreeListPool(bytes: 64, alignment: 64)
    let blocks = take(3 * FreeListPool.stackSize, from: pool)
    #expect(pool.inUse == blocks.count)
    for block in blocks { pool.free(block) }
    #expect(pool.inUse == 0)
    // Stacks of a thread and of the depot give every block back once.
    let again = take(blocks.count, from: pool)
    #expect(again.first == blocks.last)
    #expect(Set(again) == Set(blocks))
    for block in again { pool.free(block) }
  }

  @Test func aThreadTakesWhatAnotherFreed() {
    let pool = FreeListPool(bytes: 64, alignment: 64)
    let count = 4 * FreeListPool.stackSize
    let freed = Set(take(count, from: pool).map { UInt(bitPattern: $0) })
    for block in freed { pool.free(UnsafeMutableRawPointer(bitPattern: block)!) }
    onAnotherThread {
      let taken = self.take(count, from: pool)
      let shared = taken.filter { freed.contains(UInt(bitPattern: $0)) }
      // Two stacks stay with the thread that freed them.
      #expect(shared.count == 2 * FreeListPool.stackSize)
      for block in taken { pool.free(block) }
    }
    #expect(pool.inUse == 0)
  }

  @Test func theDepotKeepsNoMoreThanItsBytes() {
    // A stack of these is more than half of what the depot keeps: so it keeps one.
    let bytes = FreeListPool.depotBytes / FreeListPool.stackSize / 2 + 8
    let pool = FreeListPool(bytes: bytes, alignment: 8)
    let count = 5 * FreeListPool.stackSize
    let blocks = take(count, from: pool)
    for block in blocks { pool.free(block) }
    var kept = 0
    while let block = pool.take() {
      kept += 1
      block.deallocate()
    }
    #expect(kept == 3 * FreeListPool.stackSize)
  }

  /// A block of a page takes one page: some lie side by side, which those of the heap never do.
  @Test func aPageTakesAPage() {
    let pool = FreeListPool(bytes: Page.size, alignment: Page.size)
    let blocks = take(256, from: pool)
    let addresses = Set(blocks.map { UInt(bitPattern: $0) })
    #expect(addresses.count == 256 && addresses.allSatisfy { $0 % UInt(Page.size) == 0 })
    #expect(addresses.count { addresses.contains($0 + UInt(Page.size)) } > 64)
    for block in blocks { (block + Page.size - 8).storeBytes(of: 1, as: UInt.self) }
    for block in blocks { pool.free(block) }
    #expect(Set(take(256, from: pool).map { UInt(bitPattern: $0) }) == addresses)
    for block in blocks { pool.free(block) }
  }

  @Test func noBlockIsWithTwoThreads() {
    let pool = FreeListPool(bytes: 64, alignment: 64)
    // More threads than pairs of stacks: the last ones share one.
    let threads = 80
    let collisions = Atomic<Int>(0)
    let handed = Guarded<[UnsafeMutableRawPointer]>([])
    let group = DispatchGroup()
    let mayEnd = DispatchSemaphore(value: 0)
    for thread in 0..<threads {
      group.enter()
      Thread {
        let mark = UInt(thread)
        for round in 0..<40 {
          let own = self.take(FreeListPool.stackSize + thread, from: pool)
          for block in own { (block + 8).storeBytes(of: mark, as: UInt.self) }
          for block in own where (block + 8).load(as: UInt.self) != mark {
            collisions.add(1, ordering: .relaxed)
          }
          // Every other time another thread frees them.
          let others = handed.withLock { waiting in
            if round % 2 == 0 {
              waiting += own
              return [] as [UnsafeMutableRawPointer]
            }
            defer { waiting = own }
            return waiting
          }
          for block in others { pool.free(block) }
        }
        group.leave()
        // So that all threads have numbers at one time.
        mayEnd.wait()
      }.start()
    }
    group.wait()
    for block in handed.withLock({ $0 }) { pool.free(block) }
    #expect(collisions.load(ordering: .relaxed) == 0)
    #expect(pool.inUse == 0)
    for _ in 0..<threads { mayEnd.signal() }
  }
}
