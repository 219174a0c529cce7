import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pages that get guard markers and lose them, under accesses and pins.
  @Suite struct GuardRaces {
    private static let region = Region(at: 0x7000_0000, pages: 4)

    /// While the markers are there, which the board says by an odd number, each access and each pin is refused.
    @Test(arguments: Engines.all)
    func accessesAndPins(engine: PinEngine) throws {
      try race("access and pin against guard markers", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        try space.map(at: Self.region.start, pages: Self.region.pages, protection: .readWrite)
        let epoch = Board(1)
        let refused = torture.tally("refusals", goal: 16)
        let pinned = torture.tally("pins", goal: 4)
        torture.run([
          Worker("guard") { run in
            while run.next() {
              try space.advise(at: Self.region.start, pages: Self.region.pages, .guardInstall)
              epoch[0] += 1
              run.pauseRandomly()
              epoch[0] += 1
              try space.advise(at: Self.region.start, pages: Self.region.pages, .guardRemove)
              run.pauseRandomly()
            }
          },
          Worker("access", threads: 2) { run in
            while run.next() {
              let address = Self.region.address(run.random.below(Self.region.pages))
              let before = epoch[0]
              let isDone: Bool
              if run.random.oneIn(2) {
                isDone = try space.attemptStore(UInt64(run.turn), at: address)
              } else {
                isDone = try space.attemptLoad(at: address) != nil
              }
              let wasGuarded = before & 1 == 1 && epoch[0] == before
              torture.expect(!(isDone && wasGuarded), "an access went through a marker")
              if !isDone { refused.count() }
            }
          },
          Worker("pin", threads: 2) { run in
            while run.next() {
              let address = Self.region.address(run.random.below(Self.region.pages))
              let before = epoch[0]
              do throws(PageError) {
                let pin = try space.pin(at: address, run.random.oneIn(2) ? .write : [])
                torture.expect(before & 1 == 0 || epoch[0] != before, "a pin went through a marker")
                pinned.count()
                // The pin keeps its page, whatever becomes of the entry.
                run.pauseRandomly()
                pin.release()
              } catch {
                torture.expect(error == .badAddress, "a pin failed with \(error.name)")
              }
            }
          },
          .neighbour(machine, engine: engine, torture),
        ])
        space.exit()
      }
    }
  }
}

#if DEBUG
  extension TortureTests {
    @Suite struct FrozenGuards {
      /// A fault has found the entry empty and has its page. It must not put it over a marker.
      @Test(arguments: Engines.lockless)
      func aFaultThatFoundTheEntryEmpty(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let store = freezer.start("store", freezeAt: .faultBeforeInstall) {
            freezer.expect(.segmentationViolation) { () throws(PageError) in try space.store(UInt64(7), at: 0x5000) }
          }
          #expect(store.waitUntilFrozen())
          try space.advise(at: 0x5000, pages: 1, .guardInstall)
          store.thaw()
          try store.join()
          #expect(space.entry(at: 0x5000).kind == .guardMarker)
          space.exit()
        }
      }

      /// A fault has the entry locked when the marker comes. The marker waits, and takes the page away.
      @Test(arguments: Engines.lockless)
      func aFaultThatHasTheEntryLocked(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let store = freezer.start("store", freezeAt: .faultBetweenBeginAndStore) {
            // It may come before the marker or after.
            _ = try space.attemptStore(UInt64(7), at: 0x5000)
          }
          #expect(store.waitUntilFrozen())
          let guarding = freezer.start("guard") { try space.advise(at: 0x5000, pages: 1, .guardInstall) }
          #expect(!guarding.mayFinish(), "a marker replaced a locked entry")
          store.thaw()
          try store.join()
          try guarding.join()
          #expect(space.entry(at: 0x5000).kind == .guardMarker)
          space.exit()
        }
      }

      /// A pin has read the entry, and its page goes under it. It backs out, and the slow path meets the marker.
      @Test(arguments: [YieldPoint.pinBetweenEntryAndReference, .pinBetweenReferenceAndSecondLook], Engines.lookTwice)
      func aPinThatHasReadTheEntry(place: YieldPoint, engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let pin = freezer.start("pin", freezeAt: place) {
            freezer.expect(.badAddress) { () throws(PageError) in try space.pin(at: 0x5000, .write).release() }
          }
          #expect(pin.waitUntilFrozen())
          let guarding = freezer.start("guard") { try space.advise(at: 0x5000, pages: 1, .guardInstall) }
          #expect(guarding.waitUntilPast(.unmapBetweenClearAndFree))
          pin.thaw()
          try pin.join()
          try guarding.join()
          space.exit()
        }
      }
    }
  }
#endif
