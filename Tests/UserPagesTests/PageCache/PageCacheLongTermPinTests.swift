import TestSupport
import Testing

@testable import UserPages

/// Long-term pins for writing: not on a file that is written back, where the page would never be clean again.
@Suite struct PageCacheLongTermPinTests {
  @Test(arguments: Engines.all, [true, false])
  func onFilesWithWriteBack(engine: PinEngine, isResident: Bool) throws {
    try CacheStage.run(engine: engine) { stage in
      let address = stage.address(1)
      if isResident { try stage.space.store(UInt64(1), at: address) }
      #expect(throws: PageError.badAddress) { try stage.space.pin(at: address, [.write, .longTerm]).release() }
      #expect(throws: PageError.badAddress) {
        try stage.space.pin(at: address, pages: 2, [.write, .longTerm]).release()
      }
      if engine != .locked {
        #expect(throws: PageError.tryAgain) {
          try stage.space.pin(at: address, [.write, .longTerm, .fastOnly]).release()
        }
      }
      try stage.space.pin(at: address, .longTerm).release()
      try stage.space.pin(at: address, .write).release()
      // A memory file, and a private copy.
      try stage.space.map(at: 0x9000_0000, pages: 1, protection: .readWrite, sharing: .shared)
      try stage.space.map(at: 0xA000_0000, pages: 1, protection: .readWrite, backing: .file(stage.cache))
      for place in [VirtualAddress(0x9000_0000), VirtualAddress(0xA000_0000)] {
        let pin = try stage.space.pin(at: place, [.write, .longTerm])
        pin.deviceBytes.store(UInt64(9))
        #expect(try stage.space.load(at: place, as: UInt64.self) == 9)
        pin.release(dirty: true)
        if engine != .locked { try stage.space.pin(at: place, [.write, .longTerm, .fastOnly]).release() }
      }
    }
  }
}
