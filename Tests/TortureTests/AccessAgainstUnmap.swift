import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Loads and stores in flight while the page under them is unmapped: they hit the page or a fault, never another
  /// page.
  @Suite struct AccessAgainstUnmap {
    @Test(arguments: Engines.all)
    func anonymous(engine: PinEngine) throws {
      try race("access against unmap", engine: engine, frames: 96) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 8)
        torture.run([
          .loading(space, region, torture),
          .storing(space, region, torture),
          .neighbour(machine, engine: engine, torture),
          .mapping(space, region) { run in try unmapPiecemeal(space, region, &run) },
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func storeAfterUnmapReturned(engine: PinEngine) throws {
      // When unmap returned, no store in flight may still land: a shared file shows whatever lands.
      try race("access against unmap of a shared file", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        let file = try PageCacheFile(machine.memory, pages: region.pages)
        torture.run([
          .storing(space, region, threads: 2, torture),
          .unmapping(file, space, region, torture),
        ])
        space.exit()
        file.drop()
      }
    }
  }
}

extension Worker {
  /// Maps private memory, lets others use it for a moment, and takes it away, over and over.
  static func mapping(
    _ space: AddressSpace, _ region: Region, takingAway: @escaping @Sendable (inout WorkerContext) throws -> Void
  ) -> Worker {
    Worker("change") { run in
      while run.next() {
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        run.pauseRandomly()
        run.pauseRandomly()
        try takingAway(&run)
      }
    }
  }

  /// Maps a shared file and unmaps it again, over and over. The file shows whether a store lands after `unmap` has
  /// returned.
  static func unmapping(_ file: PageCacheFile, _ space: AddressSpace, _ region: Region, _ torture: Torture) -> Worker {
    Worker("unmap") { run in
      while run.next() {
        try space.map(
          at: region.start, pages: region.pages, protection: .readWrite, sharing: .shared, backing: .file(file))
        run.pauseRandomly()
        try space.unmap(at: region.start, pages: region.pages)
        let before = try file.read(at: 0, count: region.pages * Page.size)
        run.pauseRandomly()
        run.pauseRandomly()
        let after = try file.read(at: 0, count: region.pages * Page.size)
        torture.expect(before == after, "a store landed after unmap had returned")
      }
    }
  }
}
