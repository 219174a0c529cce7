import Measuring
import UserPages

/// A thread that sorts in the database's address space. It maps an area, fills it, which faults its pages in, reads it
/// back and unmaps it, again and again.
///
/// At a steady rate it takes the same work from every engine. Without one it shows how the engines bear a busy mmap
/// lock.
struct SortWriter {
  let space: AddressSpace
  let index: Int
  let pages: Int
  /// Areas a second; 0 for as many as possible.
  let rate: Int
  private(set) var areas = 0

  init(space: AddressSpace, index: Int, pages: Int, rate: Int) {
    self.space = space
    self.index = index
    self.pages = pages
    self.rate = rate
  }

  mutating func run(_ control: RunControl) {
    var due = Clock.now()
    do throws(Failure) {
      while !control.stop.isRaised {
        try sort()
        areas += 1
        guard rate > 0 else { continue }
        due += 1_000_000_000 / UInt64(rate)
        let now = Clock.now()
        // A writer that is late starts anew from now: a burst would load the agents unevenly.
        if due < now { due = now } else { Clock.sleep(nanoseconds: due - now) }
      }
    } catch {
      control.fail(error)
    }
  }

  private func sort() throws(Failure) {
    let start = Areas.sort + (index << 30)
    var foreign = 0
    do throws(PageError) {
      try space.map(at: start, pages: pages, protection: .readWrite)
      try forEachWord { (address, stamp) throws(PageError) in try space.store(stamp, at: address) }
      try forEachWord { (address, stamp) throws(PageError) in
        if try space.load(at: address, as: UInt64.self) != stamp { foreign += 1 }
      }
      try space.unmap(at: start, pages: pages)
    } catch {
      throw Failure("a sort area", error)
    }
    // The page of another area, or a frame that was freed too early.
    if foreign > 0 { throw Failure("\(foreign) words of a sort area were not what its thread had stored") }
  }

  /// Eight words of each page.
  @inline(__always)
  private func forEachWord(_ body: (VirtualAddress, UInt64) throws(PageError) -> Void) throws(PageError) {
    for page in 0..<pages {
      for word in 0..<8 {
        try body(Areas.sort + (index << 30) + page * Page.size + word * 512, stamp(page, word))
      }
    }
  }

  private func stamp(_ page: Int, _ word: Int) -> UInt64 {
    (UInt64(truncatingIfNeeded: areas) << 32) ^ UInt64(page << 8 | word) ^ (UInt64(index) << 56)
  }
}
