import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// A seal that meets operations on its range: what they do, they do before it or not at all.
  @Suite struct SealRaces {
    private static let region = Region(at: 0x7000_0000, pages: 2)

    @Test(arguments: Engines.all)
    func operations(engine: PinEngine) throws {
      try race("seal against unmap, map, protect, remap and advice", engine: engine) { torture, machine in
        // The space of the moment, and what may be done with it. A sealed space has served.
        let current = Locked(AddressSpace(machine.memory, engine: engine))
        let refused = torture.tally("operations that a seal refused", goal: 4)
        torture.run([
          Worker("seal") { run in
            while run.next() {
              let space = AddressSpace(machine.memory, engine: engine)
              try space.map(at: Self.region.start, pages: Self.region.pages, protection: .readWrite)
              current.withLock { $0 = space }
              run.pauseRandomly()
              let isSealed = try tolerating(.outOfMemory) { () throws(PageError) in
                try space.seal(at: Self.region.start, pages: Self.region.pages)
              }
              if !isSealed { continue }
              // From here on nothing changes.
              let before = space.mapping(at: Self.region.start)
              torture.expect(before?.range.upperBound == Self.region.address(2), "a sealed mapping is not whole")
              run.pauseRandomly()
              let after = space.mapping(at: Self.region.start)
              torture.expect(
                after?.range == before?.range && after?.protection == before?.protection,
                "a mapping changed after it was sealed")
            }
          },
          Worker("change", threads: 2) { run in
            while run.next() {
              let space = current.withLock { $0 }
              let start = Self.region.start
              let isDone = try tolerating(.notPermitted, .outOfMemory, .badAddress) { () throws(PageError) in
                switch run.random.below(5) {
                case 0: try space.unmap(at: start, pages: 1)
                case 1: try space.map(at: start, pages: 2, protection: .readWrite)
                case 2: try space.protect(at: start, pages: 2, run.random.oneIn(2) ? .read : .readWrite)
                case 3: try space.remap(at: start, pages: 2, to: 0x9000_0000, newPages: 2)
                default: try space.advise(at: start, pages: 2, .dontNeed)
                }
              }
              if !isDone { refused.count() }
            }
          },
        ])
        current.withLock { $0.exit() }
      }
    }
  }
}
