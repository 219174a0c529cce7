import TestSupport
import Testing
import UserPages

/// What a protecting thread tells the others: the number of the window in which the region is not writable, or zero.
///
/// A window opens after `protect` returned and closes before the next `protect` is called. A thread that finds the same
/// window before and after an attempt knows that the whole attempt lay inside it.
struct ProtectionWindow: Sendable {
  private let board = Board(1)

  /// The open window, or zero.
  var current: UInt64 { board[0] }
  func open(_ number: Int) { board.announce(0, UInt64(number)) }
  func close() { board.announce(0, 0) }
}

extension Worker {
  /// Takes write permission away and gives it back, over and over.
  static func protecting(
    _ space: AddressSpace, _ region: Region, to writeProtected: Protection, _ window: ProtectionWindow,
    whileWriteProtected: @escaping @Sendable (inout WorkerContext) throws -> Void = { $0.pauseRandomly() }
  ) -> Worker {
    Worker("protect") { run in
      while run.next() {
        try space.protect(at: region.start, pages: region.pages, writeProtected)
        window.open(run.turn)
        try whileWriteProtected(&run)
        run.pauseRandomly()
        window.close()
        try space.protect(at: region.start, pages: region.pages, .readWrite)
        run.pauseRandomly()
      }
      try space.protect(at: region.start, pages: region.pages, .readWrite)
    }
  }
}

extension TortureTests {
  /// No pin for writing starts and succeeds while a page is protected against writing.
  @Suite struct PinAgainstProtect {
    @Test(arguments: Engines.all, [Protection.read, .none])
    func anonymous(engine: PinEngine, writeProtected: Protection) throws {
      try race("pin against protect \(writeProtected.rawValue)", engine: engine) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        try space.stamp(region, life: 1)
        let window = ProtectionWindow()
        torture.run([
          .protecting(space, region, to: writeProtected, window),
          .pinning(space, PinRole(region: region), threads: 1, torture),
          attempts(space, region, writeProtected: writeProtected, window, torture),
        ])
        space.exit()
      }
    }

    /// Pins, and finds out whether the attempt lay in a window in which it had to fail.
    private func attempts(
      _ space: AddressSpace, _ region: Region, writeProtected: Protection, _ window: ProtectionWindow,
      _ torture: Torture
    ) -> Worker {
      let refused = torture.tally("pins refused in a window", goal: 2)
      let granted = torture.tally("pins granted outside one", goal: 2)
      return Worker("attempt") { run in
        while run.next() {
          let page = run.random.below(region.pages)
          let mustFail: PinOptions = writeProtected.isEmpty && run.random.oneIn(2) ? [] : .write
          let options = run.random.oneIn(2) ? mustFail : mustFail.union(.fastOnly)
          let before = window.current
          let pin = try space.pin(at: region.address(page), options, orGiveUpOn: [.badAddress, .tryAgain])
          let inside = before != 0 && window.current == before
          if let pin {
            torture.expect(!inside, "a pin (options \(options.rawValue)) began and succeeded in window \(before)")
            granted.count()
            pin.release()
          } else if inside {
            refused.count()
          }
        }
      }
    }
  }
}
