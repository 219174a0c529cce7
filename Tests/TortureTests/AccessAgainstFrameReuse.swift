import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Loads and stores of spaces that hand each other their frames: none may come through to the next owner.
  @Suite struct AccessAgainstFrameReuse {
    @Test(arguments: Engines.all)
    func fewFrames(engine: PinEngine) throws {
      try race("access against frame reuse", engine: engine, frames: 20) { torture, machine in
        let region = Region(at: 0x7000_0000, pages: 4)
        let spaces = (1...2).map { _ in AddressSpace(machine.memory, engine: engine) }
        var workers: [Worker] = [.neighbour(machine, engine: engine, pages: 6, torture)]
        for (index, space) in spaces.enumerated() {
          let owner = UInt8(index + 1)
          try space.map(at: region.start, pages: region.pages, protection: .readWrite)
          workers.append(.loading(space, region, owner: owner, torture))
          workers.append(.storing(space, region, owner: owner, torture))
          workers.append(
            Worker("throw away \(owner)") { run in
              while run.next() {
                let page = run.random.below(region.pages)
                try space.advise(at: region.address(page), pages: 1, .dontNeed)
                run.pauseRandomly()
              }
            })
        }
        torture.run(workers)
        spaces.forEach { $0.exit() }
      }
    }
  }
}
