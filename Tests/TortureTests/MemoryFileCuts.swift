import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// A memory file that is cut, punched and made longer, against everything that can meet its pages.
  @Suite struct MemoryFileCuts {
    private func cuts(
      _ name: String, _ kind: CutFile.Kind = .either, engine: PinEngine,
      _ others: (CutFile, Machine, Torture) throws -> [Worker]
    ) throws {
      try race("\(name) against \(kind) of a memory file", engine: engine) { torture, machine in
        let cut = try CutFile(machine, engine: engine)
        torture.run([cut.cutting(kind, torture)] + (try others(cut, machine, torture)))
        cut.end()
      }
    }

    /// Faults, loads and stores by two mappings, and `read`.
    @Test(arguments: Engines.all, [CutFile.Kind.cut, .hole, .either])
    func accesses(engine: PinEngine, kind: CutFile.Kind) throws {
      try cuts("access", kind, engine: engine) { cut, machine, torture in
        // A `write` would make the file longer while the cutting thread looks.
        [
          cut.counting(by: kind == .hole ? [.table, .alias, .file] : [.table, .alias], torture),
          CountedWords(cut.space, cut.kept).counting(torture), .neighbour(machine, engine: engine, torture),
        ]
      }
    }

    /// Pins of one page and of ranges keep what they hold, and never get what is gone.
    @Test(arguments: Engines.all)
    func pins(engine: PinEngine) throws {
      try cuts("pin", engine: engine) { cut, machine, torture in
        [
          cut.counting(by: [.table, .pin], torture), holding(cut, lane: 2, torture),
          holdingRanges(cut, lane: 3, torture),
          .neighbour(machine, engine: engine, torture),
        ]
      }
    }

    /// What a device stores to a page that it holds stays there, whether or not the file still has the page.
    private func holding(_ cut: CutFile, lane: Int, _ torture: Torture) -> Worker {
      let held = torture.tally("pages held", goal: 16)
      let options: [PinOptions] = [.write, [.write, .longTerm], [.get, .write], [.write, .fastOnly]]
      return Worker("pin") { run in
        while run.next() {
          let address = cut.region.address(run.random.below(cut.region.pages))
          let options = options[run.random.below(options.count)]
          guard let pin = try cut.space.pin(at: address, options, orGiveUpOn: [.badAddress, .tryAgain]) else {
            continue
          }
          let word = UInt64(run.turn)
          pin.deviceBytes.store(word, toByteOffset: Stamp.deviceOffset(lane))
          for _ in 0..<4 { run.pauseRandomly() }
          let seen = pin.deviceBytes.load(fromByteOffset: Stamp.deviceOffset(lane), as: UInt64.self)
          torture.expect(seen == word, "the device stored \(word) and finds \(seen)")
          pin.release(dirty: true)
          held.count()
        }
      }
    }

    /// The same for a range that the cut divides. Device and program see one page before the cut.
    private func holdingRanges(_ cut: CutFile, lane: Int, _ torture: Torture) -> Worker {
      let held = torture.tally("ranges held", goal: 8)
      let whole = torture.tally("ranges over the cut", goal: 1)
      let offset = Stamp.deviceOffset(lane)
      return Worker("range") { run in
        while run.next() {
          let options: PinOptions = run.random.oneIn(2) ? .write : [.write, .longTerm]
          let start = CutFile.start + (cut.firstCut - 2) * Page.size
          let pins = try cut.space.pin(
            at: start, pages: 2 + cut.region.pages, options, orGiveUpOn: [.badAddress, .tryAgain])
          guard let pins else { continue }
          let word = UInt64(run.turn)
          for page in 0..<pins.count { pins.deviceBytes(at: page).store(word, toByteOffset: offset) }
          for _ in 0..<4 { run.pauseRandomly() }
          for page in 0..<pins.count {
            let seen = pins.deviceBytes(at: page).load(fromByteOffset: offset, as: UInt64.self)
            torture.expect(seen == word, "page \(page) of a range: the device stored \(word) and finds \(seen)")
          }
          for page in 0..<min(2, pins.count) {
            let seen = try cut.space.load(at: start + page * Page.size + offset, as: UInt64.self)
            torture.expect(
              seen == word, "page \(page), before the cut: the device stored \(word), the program sees \(seen)")
          }
          if pins.count > 2 { whole.count() }
          pins.release(dirty: true)
          held.count()
        }
      }
    }

    /// Children inherit entries while they go. No child shows a page beyond the end.
    @Test(arguments: Engines.all)
    func forks(engine: PinEngine) throws {
      try race("fork against cut of a memory file", engine: engine) { torture, machine in
        let cut = try CutFile(machine, engine: engine)
        let children = Children()
        torture.run([
          cut.cutting(.either, children: children, torture), cut.counting(torture),
          Worker("fork") { run in
            var lane = cut.lane(2)
            let made = torture.tally("children", goal: 16)
            while run.next() {
              let child = try cut.space.fork()
              children.add(child)
              for _ in 0..<4 {
                try cut.countUp(&lane, in: child, cut.region, &run)
                run.pauseRandomly()
              }
              children.removeAll()
              child.exit()
              made.count()
            }
          },
        ])
        cut.end()
      }
    }

    /// Private copies, which copy-on-write makes, forks share, and page-out and reclaim take to the swap file. A cut
    /// takes them all, and a hole leaves them.
    @Test(arguments: Engines.all, [CutFile.Kind.cut, .harmlessHole])
    func privateCopies(engine: PinEngine, kind: CutFile.Kind) throws {
      try race("private copies against \(kind) of a memory file", engine: engine, swapPages: 128) { torture, machine in
        let cut = try CutFile(machine, engine: engine, sharing: .private)
        let children = Children()
        let made = torture.tally("children", goal: 8)
        let out = torture.tally("pages out", goal: 1)
        @Sendable func pageOut() throws {
          try cut.space.advise(at: cut.region.start, pages: cut.region.pages, .pageOut)
          let kinds = (0..<cut.region.pages).map { cut.space.entry(at: cut.region.address($0)).kind }
          if kinds.contains(.swap) { out.count() }
        }
        torture.run([
          cut.cutting(kind, children: children, after: pageOut, torture),
          // One mapping: copies of the other are pages of their own.
          cut.counting(by: [.table, .pin, .mirror], torture),
          Worker("fork") { run in
            while run.next() {
              let child = try cut.space.fork()
              children.add(child)
              let page = run.random.below(cut.region.pages)
              try child.storeUnlessCut(UInt64(run.turn), at: cut.region.address(page))
              run.pauseRandomly()
              children.removeAll()
              child.exit()
              made.count()
            }
          },
          Worker("page out") { run in
            while run.next() {
              try pageOut()
              if run.random.oneIn(4) { _ = machine.memory.reclaim(pages: 2) }
              usleep(200)
            }
          },
        ])
        cut.end()
      }
    }

    /// Mirrored accesses beside the program's.
    @Test(arguments: Engines.all)
    func mirrors(engine: PinEngine) throws {
      try cuts("mirror", engine: engine) { cut, machine, torture in
        [cut.counting(by: [.mirror, .table], torture), .neighbour(machine, engine: engine, torture)]
      }
    }

    /// Mappings that come, move, lose permissions and go, and spaces that end.
    @Test(arguments: Engines.all)
    func mappings(engine: PinEngine) throws {
      try cuts("remap, protect, unmap, exit", engine: engine) { cut, machine, torture in
        [
          cut.counting(torture), moving(cut, lane: 2, torture),
          Worker("live") { run in
            var lane = cut.lane(3)
            while run.next() {
              let space = AddressSpace(machine.memory, engine: engine)
              try space.map(
                at: cut.region.start, pages: cut.region.pages, protection: .readWrite, sharing: .shared,
                backing: .file(cut.file), offset: cut.firstCut)
              for _ in 0..<4 { try cut.countUp(&lane, in: space, cut.region, &run) }
              if run.random.oneIn(2) { space.exit() }
            }
          },
        ]
      }
    }

    private func moving(_ cut: CutFile, lane index: Int, _ torture: Torture) -> Worker {
      let moved = torture.tally("mappings moved", goal: 16)
      // In 2 MiB of their own, so that nodes come and go too.
      let (here, there): (VirtualAddress, VirtualAddress) = (0xC000_0000, 0xC100_0000)
      return Worker("move") { [space = cut.space, pages = cut.region.pages] run in
        var lane = cut.lane(index)
        let offset = lane.offset
        func countUp(loadingFrom view: VirtualAddress, storingTo other: VirtualAddress) throws {
          let place = run.random.below(pages)
          try cut.countUp(&lane, page: place, torture) {
            try space.loadUnlessCut(at: view + place * Page.size + offset)
          } store: {
            try space.storeUnlessCut($0, at: other + place * Page.size + offset)
          }
        }
        while run.next() {
          try space.map(
            at: here, pages: pages, protection: .readWrite, sharing: .shared, backing: .file(cut.file),
            offset: cut.firstCut)
          try countUp(loadingFrom: here, storingTo: here)
          try space.remap(at: here, pages: pages, to: there, newPages: pages)
          try countUp(loadingFrom: there, storingTo: there)
          try space.protect(at: there, pages: pages, .read)
          try countUp(loadingFrom: there, storingTo: cut.region.start)
          try space.protect(at: there, pages: pages, .readWrite)
          try countUp(loadingFrom: cut.region.start, storingTo: there)
          try space.unmap(at: there, pages: pages)
          moved.count()
        }
      }
    }

    /// 2 MiB that lose a part, and come again as a whole. Spaces come and go, so that the tables have room for an entry
    /// of 2 MiB again.
    @Test(
      .disabled(if: Sanitizer.isThread, "there a file's 2 MiB are cut before a program has mapped them"),
      arguments: Engines.all, [CutFile.Kind.cut, .hole])
    func hugePages(engine: PinEngine, kind: CutFile.Kind) throws {
      try race("2 MiB against \(kind) of a memory file", engine: engine, frames: HugeRegion.frames) {
        torture, machine in
        let cut = try CutFile(machine, engine: engine, pages: Page.pagesPerHuge, firstCut: 300, every: 53)
        torture.run([cut.cutting(kind, also: [0], torture), cut.livingInHugePages(machine, engine: engine, torture)])
        cut.end()
      }
    }
  }
}
