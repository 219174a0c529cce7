import CPlatform
import Synchronization

// What the hot path's files name and the hot path does not run: its types, without what they do.
//
// The hot path itself is the library's files as they are (`check-aarch64.sh` lists them). The fields that it reads are
// those of the library, of the same types.

public enum PageError: Error {
  case badAddress, invalidArgument, outOfMemory, segmentationViolation, busError
  static let pageOfFileIsLost = PageError.busError
}

public final class PhysicalMemory: Sendable {
  @usableFromInline let frames: FrameTable
  let tablePages = TablePages()
  let deferred = Deferred()
  let allocationFailures = AllocationFailures()

  init(_ frames: FrameTable) { self.frames = frames }

  @usableFromInline func put(_ frame: Frame, _ counts: UInt64) { if frame.put(counts) { freeAfterLastPut(frame) } }

  @inline(never) func freeAfterLastPut(_ frame: Frame) { frame.clear(Frame.allocatedBit) }
}

public final class AddressSpace: Sendable {
  static let pagesPerSection = 64

  public let memory: PhysicalMemory
  public let engine: PinEngine
  @usableFromInline let table: PageTable
  @usableFromInline let frames: FrameTable
  @usableFromInline let events: ShardedCounters

  init(_ memory: PhysicalMemory, _ engine: PinEngine, _ table: PageTable) {
    self.memory = memory
    self.engine = engine
    self.table = table
    frames = memory.frames
    events = ShardedCounters()
  }

  func fault(at address: VirtualAddress, _ access: PageAccess) throws(PageError) {}

  // With the special bit the entry alone decides (`NormalPage.swift`).
  @inlinable @inline(__always) func isNormal(_ leaf: Leaf, at address: VirtualAddress) -> Bool { true }

  // The page of zeroes is held out of line (`ZeroPages.swift`).
  @inline(never)
  func zeroPages(behind leaf: Leaf, at address: VirtualAddress, limit: Int, _ options: PinOptions) -> Int { 0 }
  @inline(never) func retainZeroFrame(_ holdDelta: UInt64, pages: Int) -> Bool { zeroFrame.retain(holdDelta) }
  var zeroFrame: Frame { frames.frame(PFN(0)) }
}

final class TablePages: Sendable {
  func allocate() -> UnsafeMutableRawPointer { .allocate(byteCount: Page.size, alignment: Page.size) }
  func allocateIfPossible() -> UnsafeMutableRawPointer? { allocate() }
  func free(_ page: UnsafeMutableRawPointer) { page.deallocate() }
}

struct AllocationFailures {
  func isNext() -> Bool { false }
}

struct DeferredWord {
  static func tablePage(_ page: UnsafeMutableRawPointer) -> DeferredWord { DeferredWord() }
  static func object(_ object: AnyObject) -> DeferredWord { DeferredWord() }
}

final class Deferred: Sendable {
  func enqueue(_ word: DeferredWord) {}
}

final class DeferredQueue: Sendable {
  init(_ end: (DeferredWord) -> Void) {}
  func enqueue(_ word: DeferredWord) {}
  func drainIfFull() {}
  func barrier() {}
}

extension RCU {
  static var endings: DeferredQueue { DeferredQueue { _ in } }
}

struct GracePeriod {
  static var next: GracePeriod { GracePeriod() }
  func wait() {}
}

final class Guarded<Value>: @unchecked Sendable {
  private var value: Value
  init(_ value: Value) { self.value = value }
  func withLock<Result>(_ body: (inout Value) -> Result) -> Result { body(&value) }
}

extension Frame {
  static let hugeBit: UInt64 = 1 << 38
  static func + (frame: Frame, count: Int) -> Frame { Frame(frame.descriptor + count) }
}

extension PFN {
  @inlinable @inline(__always) var hugeStart: PFN { PFN(rawValue & ~UInt64(Page.pagesPerHuge - 1)) }
  var isHugeAligned: Bool { self == hugeStart }
}
