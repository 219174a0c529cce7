import TestSupport
import Testing

@testable import UserPages

/// Whole pages that a mirror lends.
@Suite struct MirrorPageTests {
  @Test(.disabled(if: Sanitizer.isThread, "there the load is in a section, which the reuse waits for"))
  func theyAreLent() throws {
    try withMirror { _, space, mirror in
      try space.map(at: mirrorBase, pages: 2, protection: .readWrite)
      let outcome: Bool = try mirror.withPage(at: mirrorBase, for: .write) { page in
        page.store(UInt64(5), toByteOffset: 8)
        return RCU.isReading
      }
      #expect(outcome)
      #expect(try mirror.withPage(at: mirrorBase, for: .read) { $0.load(fromByteOffset: 8, as: UInt64.self) } == 5)
      let seen: UInt64? = try mirror.withPageOptimistically(at: mirrorBase) { page in
        page.load(fromByteOffset: 8, as: UInt64.self)
      }
      #expect(seen == 5)
      let again: UInt64? = try mirror.withPageOptimistically(at: mirrorBase) { page in
        try? space.unmap(at: mirrorBase.page(1), pages: 1)
        return page.load(fromByteOffset: 8, as: UInt64.self)
      }
      // Nothing of the second page was remembered. A revocation of any page counts nevertheless, if there is an entry
      // node.
      #expect(again == nil)
      #expect(throws: PageError.badAddress) { _ = try mirror.withPageOptimistically(at: mirrorBase.page(1)) { _ in 0 } }
    }
  }

  private struct Refusal: Error, Equatable {
    let byte: UInt8
  }

  /// Its error is the call's. One from a page that was revoked meanwhile is dropped with the page.
  @Test(.disabled(if: Sanitizer.isThread, "there the load is in a section, which the reuse waits for"))
  func aClosureMayThrow() throws {
    try withMirror { _, space, mirror in
      try space.map(at: mirrorBase, pages: 2, protection: .readWrite)
      try mirror.store(UInt8(7), at: mirrorBase)
      #expect(throws: Refusal(byte: 7)) {
        try mirror.withPage(at: mirrorBase, for: .read) { page throws -> Int in throw Refusal(byte: page.load()) }
      }
      #expect(throws: Refusal(byte: 1)) {
        try mirror.withPage(at: mirrorBase, for: .write) { _ throws -> Int in throw Refusal(byte: 1) }
      }
      #expect(throws: Refusal(byte: 7)) {
        _ = try mirror.withPageOptimistically(at: mirrorBase) { page throws -> Int in
          throw Refusal(byte: page.load())
        }
      }
      #expect(!RCU.isReading)
      let revoked = try mirror.withPageOptimistically(at: mirrorBase) { _ throws -> Int in
        try space.unmap(at: mirrorBase, pages: 1)
        throw Refusal(byte: 2)
      }
      #expect(revoked == nil)
      // The mirror's own error comes first.
      #expect(throws: PageError.badAddress) {
        try mirror.withPage(at: mirrorBase, for: .read) { _ throws -> Int in throw Refusal(byte: 0) }
      }
    }
  }
}
