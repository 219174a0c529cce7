import Testing

@testable import UserPages

/// What ends a space or an operation, apart from races.
@Suite struct TeardownTests {
  @Test(arguments: PinEngine.allCases)
  func theLastReferenceToASpaceMayFallInsideASection(engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let file = try PageCacheFile(memory, pages: 4, fill: 1)
    var space: AddressSpace? = AddressSpace(memory, engine: engine)
    try space?.map(at: 0x10000, pages: 4, protection: .readWrite, sharing: .shared, backing: .file(file))
    try space?.map(at: 0x20000, pages: 4, protection: .readWrite)
    for page in 0..<4 {
      try space?.store(UInt64(2), at: 0x10000 + page * Page.size)
      try space?.store(UInt64(2), at: 0x20000 + page * Page.size)
    }
    RCU.read { space = nil }
    file.drop()
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  @Test func anyLaterGracePeriodServes() {
    let required = GracePeriod.next
    RCU.synchronize()
    #expect(required.hasEnded)
    // Would be a precondition failure if it had to begin a grace period.
    RCU.read { required.wait() }
  }

  @Test func aGracePeriodThatHasNotBegunHasNotEnded() {
    // Inside a section no grace period that begins now can end, on any thread.
    RCU.read { #expect(!GracePeriod.next.hasEnded) }
    #expect(GracePeriod.none.hasEnded)
  }

  @Test func aGracePeriodIsBegunIfNoneServes() {
    let required = RCU.read { GracePeriod.next }
    required.wait()
    #expect(required.hasEnded)
  }
}
