import Foundation
import TestSupport
import Testing
import UserPages

/// A backing that owns the frame of each page, and moves pages from frame to frame.
private final class OwnFrames: Backing {
  /// A frame in a class, so that an array can hold it.
  private final class Held: Sendable {
    let frame: FrameReference
    init(_ frame: consuming FrameReference) { self.frame = frame }
  }

  private let memory: PhysicalMemory
  /// Nil while the page moves.
  private let frames: Locked<[Held?]>
  private let moves = InvalidationSequence()
  private let spaces = BackingUsers()
  let pageCount: Int
  var sequence: InvalidationSequence? { moves }
  var users: BackingUsers? { spaces }

  init(_ memory: PhysicalMemory, pages: Int) throws {
    self.memory = memory
    pageCount = pages
    frames = Locked(try (0..<pages).map { _ in Held(try memory.allocate()) })
  }

  func fault(page: Int, write: Bool) -> FaultAnswer {
    guard let held = frames.withLock({ $0[page] }) else { return .retry }
    do throws(PageError) { return .frame(try held.frame.retain()) } catch { return .outOfMemory }
  }

  /// Gives a page another frame, with the first `words` words of the old one. One thread moves pages.
  func move(page: Int, words: Int) throws {
    let new = try memory.allocate()
    guard let old = frames.withLock({ frames in frames[page].take() }) else { return }
    moves.advance()
    _ = spaces.unmap(page: page, of: self)
    RCU.synchronize()
    for word in 0..<words {
      let value = old.frame.deviceBytes().load(fromByteOffset: 8 * word, as: UInt64.self)
      new.deviceBytes().store(value, toByteOffset: 8 * word)
    }
    let held = Held(new)
    frames.withLock { $0[page] = held }
  }
}

extension TortureTests {
  /// Frames that a backing owns, under faults, accesses, pins, forks, and the backing's own moves.
  @Suite struct OwnFrameRaces {
    @Test(arguments: Engines.all)
    func moves(engine: PinEngine) throws {
      try race("frames of a backing", engine: engine, frames: 128) { torture, machine in
        let backing = try OwnFrames(machine.memory, pages: 6)
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: backing.pageCount)
        try space.map(
          at: region.start, pages: region.pages, protection: .readWrite, sharing: .shared, backing: .mixed(backing))
        let published = Board(2 * region.pages)
        let moved = torture.tally("moves", goal: 16)
        let pinned = torture.tally("pins", goal: 16)
        @Sendable func words(_ page: Int) -> [UInt64] { (0..<2).map { published[$0 * region.pages + page] } }
        torture.run([
          CountedWords(space, region, published: published).counting(torture),
          Worker("move") { run in
            while run.next() {
              try backing.move(page: run.random.below(region.pages), words: 2)
              moved.count()
              run.pauseRandomly()
            }
          },
          // For reading alone: a page that moves leaves its old frame to the pin.
          Worker("pin", threads: 2) { run in
            while run.next() {
              let page = run.random.below(region.pages)
              let before = words(page)
              let pin = try space.pin(at: region.address(page), run.random.oneIn(2) ? [] : .get)
              for _ in 0..<2 {
                for thread in 0..<2 {
                  let seen = pin.deviceBytes.load(fromByteOffset: 8 * thread, as: UInt64.self)
                  torture.expect(seen >= before[thread], "page \(page) shows \(seen) after \(before[thread])")
                  torture.expect(seen <= 1 << 40, "page \(page) shows \(seen): its frame has another owner")
                }
                run.pauseRandomly()
              }
              pin.release()
              pinned.count()
            }
          },
          Worker("fork") { run in
            while run.next() {
              let page = run.random.below(region.pages)
              let before = words(page)
              let child = try space.fork()
              for thread in 0..<2 {
                let seen = try child.load(at: region.address(page) + 8 * thread, as: UInt64.self)
                torture.expect(seen >= before[thread], "a child sees \(seen) after \(before[thread])")
              }
              child.exit()
            }
          },
          .neighbour(machine, engine: engine, torture),
        ])
        space.exit()
      }
    }
  }
}
