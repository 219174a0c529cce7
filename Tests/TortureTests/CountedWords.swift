import TestSupport
import UserPages

/// Words of which each thread counts up its own in every page, and looks at the others': none is lost, none goes back.
struct CountedWords {
  let space: AddressSpace
  /// Where the threads store.
  let region: Region
  /// Where they look at each other's words: `region`, or another mapping of the same pages.
  let view: Region
  let threads: Int
  /// What has been stored, `region.pages` words a thread.
  let published: Board

  init(_ space: AddressSpace, _ region: Region, view: Region? = nil, threads: Int = 2, published: Board? = nil) {
    self.space = space
    self.region = region
    self.view = view ?? region
    self.threads = threads
    self.published = published ?? Board(threads * region.pages)
  }

  /// Looks at another thread's word of a random page, then counts the own one up.
  func countUp(_ run: inout WorkerContext, _ torture: Torture) throws {
    let page = run.random.below(region.pages)
    let other = run.random.below(threads)
    let mine = run.index * region.pages + page
    // Before the load: what was announced by then must be seen.
    let before = published[other * region.pages + page]
    let own = published[mine]
    let seen = try space.load(at: view.address(page) + 8 * other, as: UInt64.self)
    torture.expect(seen >= before, "page \(page) shows \(seen) of thread \(other) after \(before) was stored")
    let last = try space.load(at: region.address(page) + 8 * run.index, as: UInt64.self)
    torture.expect(last == own, "thread \(run.index) stored \(own) to page \(page) and finds \(last)")
    try space.store(own + 1, at: region.address(page) + 8 * run.index)
    published.announce(mine, own + 1)
  }

  /// The threads. Each calls `makeRoom` if there is no frame to be had.
  func counting(
    _ torture: Torture, goal: Int = 64, makeRoom: (@Sendable (inout WorkerContext) throws -> Void)? = nil
  ) -> Worker {
    let stored = torture.tally("stores", goal: goal)
    return Worker("count", threads: threads) { run in
      while run.next() {
        do {
          try countUp(&run, torture)
          stored.count()
        } catch PageError.outOfMemory where makeRoom != nil {
          try makeRoom?(&run)
        }
        run.pauseRandomly()
      }
    }
  }
}
