import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// A page that is pinned while its mapping goes away stays what it was until the pin is released.
  @Suite struct PinAgainstUnmap {
    @Test(arguments: Engines.all)
    func anonymous(engine: PinEngine) throws {
      try race("pin against unmap", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 8)
        torture.run([
          .pinning(space, PinRole(region: region), torture),
          .neighbour(machine, engine: engine, torture),
          Worker("unmap") { run in
            while run.next() {
              try space.map(at: region.start, pages: region.pages, protection: .readWrite)
              try space.stamp(region, life: run.turn)
              run.pauseRandomly()
              try unmapPiecemeal(space, region, &run)
            }
          },
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func mappedOver(engine: PinEngine) throws {
      // A mapping at the same place replaces the old one in one call: the old pages are unmapped on the way.
      try race("pin against a mapping over it", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        torture.run([
          .pinning(space, PinRole(region: region), torture),
          .neighbour(machine, engine: engine, torture),
          Worker("map over") { run in
            while run.next() {
              try space.map(at: region.start, pages: region.pages, protection: .readWrite)
              try space.stamp(region, life: run.turn)
              run.pauseRandomly()
            }
          },
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func fileAndDrop(engine: PinEngine) throws {
      // The pages of a file outlive the file's cache while they are mapped or pinned.
      try race("pin against unmap of a dropped file", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        torture.run([
          .pinning(space, PinRole(region: region), torture),
          .neighbour(machine, engine: engine, torture),
          Worker("drop") { run in
            while run.next() {
              let file = try PageCacheFile(machine.memory, pages: region.pages)
              try space.map(
                at: region.start, pages: region.pages, protection: .readWrite, sharing: .shared, backing: .file(file))
              try space.stamp(region, life: run.turn)
              run.pauseRandomly()
              try space.unmap(at: region.start, pages: region.pages)
              run.pauseRandomly()
              file.drop()
            }
          },
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func exit(engine: PinEngine) throws {
      // A space that exits takes its mappings with it, not the pages that others have pinned.
      try race("pin against exit", engine: engine) { torture, machine in
        torture.run([
          .neighbour(machine, engine: engine, torture),
          Worker("exit") { run in
            while run.next() {
              let space = AddressSpace(machine.memory, engine: engine)
              try space.map(at: 0x4000, pages: 2, protection: .readWrite)
              try space.stamp(Stamp(owner: 1, page: 0, life: run.turn), at: 0x4000)
              let pin = try space.pin(at: 0x4000, run.random.oneIn(2) ? .write : [])
              space.exit()
              var watch = StampWatch(owner: 1, page: 0, rule: .once)
              for _ in 0..<3 {
                if let wrong = watch.look(pin.deviceBytes) { torture.fail(wrong) }
                run.pauseRandomly()
              }
              torture.expect(
                pin.deviceBytes.load(as: UInt64.self) == Stamp(owner: 1, page: 0, life: run.turn).word,
                "the page lost its stamp when its space exited")
              pin.release()
            }
          },
        ])
      }
    }
  }
}

/// Unmaps a region in one call or in several, in any order.
func unmapPiecemeal(_ space: AddressSpace, _ region: Region, _ run: inout WorkerContext) throws {
  switch run.random.below(3) {
  case 0:
    try space.unmap(at: region.start, pages: region.pages)
  case 1:
    for page in (0..<region.pages).shuffled(using: &run.random) {
      try space.unmap(at: region.address(page), pages: 1)
    }
  default:
    let cut = 1 + run.random.below(region.pages - 1)
    try space.unmap(at: region.address(cut), pages: region.pages - cut)
    run.pauseRandomly()
    try space.unmap(at: region.start, pages: cut)
  }
}
