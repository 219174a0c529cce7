import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// 2 MiB of a memory file that are put into one frame all the time, against everything that can meet their pages.
  @Suite struct FileCollapseRaces {
    /// Takes a page out that no thread looks at, and puts the 2 MiB into another frame, by one mapping or the other.
    private func collapsing(_ cut: CutFile, _ torture: Torture) -> Worker {
      let done = torture.tally("collapses", goal: 4)
      return Worker("collapse") { run in
        while run.next() {
          try cut.file.punchHole(1..<2)
          let start = run.random.oneIn(2) ? CutFile.start : CutFile.secondStart
          do throws(PageError) {
            try cut.space.advise(at: start, pages: Page.pagesPerHuge, .collapse)
            done.count()
          } catch {
            switch error {
            // A page is held, the file has no page at the moment, no 2 MiB are free.
            case .tryAgain, .invalidArgument, .outOfMemory: break
            default: throw error
            }
          }
          run.pauseRandomly()
        }
      }
    }

    private func collapsing(
      _ name: String, engine: PinEngine, swapPages: Int = 0,
      _ others: (CutFile, Machine, Torture) throws -> [Worker]
    ) throws {
      try race(
        "\(name) against collapse of a memory file", engine: engine, frames: HugeRegion.frames, swapPages: swapPages
      ) { torture, machine in
        let cut = try CutFile(machine, engine: engine, pages: Page.pagesPerHuge, firstCut: 4, every: 73)
        torture.run([collapsing(cut, torture)] + (try others(cut, machine, torture)))
        cut.end()
      }
    }

    /// Nothing is lost: loads, stores, pins, mirrors, `read` and `write` find what was stored last.
    @Test(arguments: Engines.all)
    func accesses(engine: PinEngine) throws {
      try collapsing("load, store, pin, read, write", engine: engine) { cut, machine, torture in
        [
          cut.counting(by: CutFile.Way.allCases, threads: 2, torture),
          .neighbour(machine, engine: engine, torture),
        ]
      }
    }

    /// Cuts and holes beside it: every page comes anew, and first touches fill places that are about to be withheld.
    @Test(arguments: Engines.all)
    func cuts(engine: PinEngine) throws {
      try collapsing("cut", engine: engine) { cut, machine, torture in
        [cut.cutting(.either, torture), cut.counting(by: [.table, .alias, .mirror, .pin], torture)]
      }
    }

    /// Pages that go to the swap file, and come in again for the collapse.
    @Test(arguments: Engines.all)
    func pageOut(engine: PinEngine) throws {
      try collapsing("page-out", engine: engine, swapPages: 1024) { cut, machine, torture in
        [
          cut.counting(by: [.table, .alias, .file], torture),
          Worker("page out") { run in
            while run.next() {
              // Holes make pages of their own again, which can go out.
              try cut.file.punchHole(2..<4)
              try cut.file.write([1], at: 2 * Page.size)
              try cut.space.advise(at: CutFile.start, pages: cut.filePages, .pageOut)
              run.pauseRandomly()
            }
          },
        ]
      }
    }

    /// Children, which map the pages as well, collapse them and end.
    @Test(arguments: Engines.all)
    func forks(engine: PinEngine) throws {
      try collapsing("fork", engine: engine) { cut, _, torture in
        [
          cut.counting(by: [.table, .pin], torture),
          Worker("fork") { run in
            var lane = cut.lane(2)
            let made = torture.tally("children", goal: 4)
            while run.next() {
              let child = try cut.space.fork()
              for _ in 0..<4 {
                try cut.countUp(&lane, in: child, cut.region, &run)
                run.pauseRandomly()
              }
              child.exit()
              made.count()
            }
          },
        ]
      }
    }

    /// Another mapping of the file that comes, moves, loses permissions and goes.
    @Test(arguments: Engines.all)
    func mappings(engine: PinEngine) throws {
      try collapsing("remap, protect, unmap, exit", engine: engine) { cut, machine, torture in
        [
          cut.counting(by: [.table, .pin], torture),
          Worker("live") { run in
            var lane = cut.lane(2)
            while run.next() {
              let space = AddressSpace(machine.memory, engine: engine)
              try space.map(
                at: CutFile.secondStart, pages: Page.pagesPerHuge, protection: .readWrite, sharing: .shared,
                backing: .file(cut.file), hugePages: true)
              for _ in 0..<2 { try cut.countUp(&lane, in: space, cut.alias, &run) }
              try space.remap(
                at: CutFile.secondStart, pages: Page.pagesPerHuge, to: CutFile.start, newPages: Page.pagesPerHuge)
              for _ in 0..<2 { try cut.countUp(&lane, in: space, cut.region, &run) }
              try space.protect(at: CutFile.start, pages: 3, .read)
              for _ in 0..<2 { try cut.countUp(&lane, in: space, cut.region, &run) }
              if run.random.oneIn(2) { space.exit() }
            }
          },
        ]
      }
    }
  }
}
