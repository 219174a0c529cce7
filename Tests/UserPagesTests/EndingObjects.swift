import Foundation
import TestSupport

@testable import UserPages

/// Where objects ended, and whether a user's code may run there.
final class Ends: Sendable {
  private let all = Locked<[String]>([])
  var seen: [String] { all.withLock { $0 } }

  /// Called at an object's end: "free" if the thread holds nothing, otherwise what it is inside of.
  func add(_ locks: [OwnedLock] = []) {
    let isFree = ReclaimScope.mayRelease && !RCU.isReading && !locks.contains { $0.isHeldByCaller }
    let name = Thread.isReadingAhead ? "reading ahead" : isFree ? "free" : "inside"
    all.withLock { $0.append(name) }
  }
}

extension Thread {
  /// Whether the calling thread is one that a cache reads ahead by.
  static var isReadingAhead: Bool {
    (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) == "gup-readahead\n"
  }
}

/// A backing of one page that tells of its end. It does not keep the machine.
final class EndingBacking: Backing {
  private let pfn: PFN
  private let atFault: @Sendable () -> Void
  private let atEnd: @Sendable () -> Void

  init(
    _ memory: PhysicalMemory, atFault: @escaping @Sendable () -> Void = {}, atEnd: @escaping @Sendable () -> Void
  ) {
    pfn = memory.zeroPage
    self.atFault = atFault
    self.atEnd = atEnd
  }

  deinit { atEnd() }

  var pageCount: Int { 1 }
  func fault(page: Int, write: Bool) -> FaultAnswer {
    atFault()
    return .frameNumber(pfn, writable: false)
  }
}

extension AddressSpace {
  /// Maps a backing and unmaps it again, so that its end waits in the deferred queue.
  func leave(_ backing: EndingBacking, at address: VirtualAddress = 0x9000_0000) throws {
    try map(at: address, pages: 1, protection: .read, sharing: .shared, backing: .mixed(backing))
    try unmap(at: address, pages: 1)
  }
}

/// A file that lies in a page cache.
final class FileInCache: PageStore {
  private let cache: PageCache

  init(_ cache: PageCache) { self.cache = cache }

  var byteCount: Int { cache.byteCount }

  func read(from page: Int, into pages: borrowing LentPages) throws(PageError) {
    for index in 0..<pages.count {
      let bytes = try cache.read(at: (page + index) * Page.size, count: Page.size)
      pages[index].copy(from: bytes.span.bytes)
    }
  }

  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) {
    for index in 0..<pages.count {
      let bytes = pages[index].copy(count: Page.size)
      try cache.write(bytes, at: (page + index) * Page.size)
    }
  }

  func setByteCount(_ count: Int) throws(PageError) { try cache.setByteCount(count) }
  func punchHole(_ pages: Range<Int>) throws(PageError) { try cache.punchHole(pages) }
  func sync() throws(PageError) { try cache.sync() }
}

extension MemoryStore {
  /// Calls `hook` before the next call is carried out.
  func onNextCall(_ hook: @escaping @Sendable () -> Void) {
    onCall { [self] _ in
      onCall(nil)
      hook()
    }
  }
}
