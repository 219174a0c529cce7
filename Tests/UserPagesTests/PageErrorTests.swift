import Foundation
import TestSupport
import Testing

@testable import UserPages

/// Each error of a file says what was tried and why it failed, wherever it comes out.
@Suite struct PageErrorTests {
  typealias Step = PageError.FileStep

  static let codes = [ENOSPC, ENOMEM, EIO, EINVAL, EDQUOT, EBUSY, EAGAIN, EROFS, EOPNOTSUPP]

  /// The steps that a store takes.
  static let storeSteps: [Step] = [.read, .write, .resize, .punch, .sync]

  @Test(arguments: Step.allCases, codes)
  func everyStepAndErrno(step: Step, code: Int32) {
    let error = PageError.file(step, errno: code)
    let reason = "cannot \(step.rawValue) the file: \(String(cString: strerror(code)))"
    #expect(error.errno == code && error.description == "\(error.name): \(reason)")
    #expect(!error.name.hasPrefix("errno"))
    // Lack of memory is an error for a program, too. All else is a signal.
    let isLackOfMemory = code == ENOMEM
    #expect(error.isLackOfMemory == isLackOfMemory)
    #expect(error.ofFault == (isLackOfMemory ? error : .busErrorOfFile(step, errno: code)))
    #expect(error.ofFault.ofFault == error.ofFault)
    #expect(error.ofFault.errno == (isLackOfMemory ? ENOMEM : nil))
    #expect(error.ofFault.description == (isLackOfMemory ? "ENOMEM: \(reason)" : "SIGBUS: \(reason)"))
  }

  /// What is no file's error is a bus error without a step, and `outOfMemory` stays itself.
  @Test func whatIsNoErrorOfAFile() {
    for error in [PageError.busy, .tryAgain, .invalidArgument, .readOnly] { #expect(error.ofFault == .busError) }
    #expect(PageError.outOfMemory.ofFault == .outOfMemory)
  }

  /// A store's error comes out of the cache's call, and of an access by a program. A pin gets what Linux gives it.
  @Test(arguments: storeSteps, codes)
  func everyCallOfAStore(step: Step, code: Int32) throws {
    let error = PageError.file(step, errno: code)
    try CacheStage.run { stage in
      let (cache, space) = (stage.cache, stage.space)
      stage.store.fail { call, _ in Self.step(of: call) == step ? error : nil }
      switch step {
      case .read:
        var word: UInt64 = 0
        #expect(throws: error) {
          try withUnsafeMutableBytes(of: &word) { bytes in
            var span = MutableRawSpan(_unsafeBytes: bytes)
            _ = try cache.read(at: 0, into: &span)
          }
        }
        #expect(throws: error.ofFault) { _ = try stage.word(1) }
        #expect(throws: error.ofFault) { try space.store(UInt64(1), at: stage.address(2)) }
        #expect(throws: code == ENOMEM ? error : .badAddress) { try space.pin(at: stage.address(3)).release() }
        #expect(throws: code == ENOMEM ? error : .badAddress) {
          try space.advise(at: stage.address(4), pages: 1, .populateRead)
        }
        #expect(throws: code == ENOMEM ? PageError.tryAgain : .outOfMemory) {
          try space.lock(at: stage.address(5), pages: 1)
        }
      case .write, .sync:
        try space.store(UInt64(1), at: stage.address(1))
        #expect(throws: error) { try cache.sync() }
      case .resize:
        #expect(throws: error) { try cache.setByteCount(Page.size) }
      default:
        #expect(throws: error) { try cache.punchHole(0..<1) }
      }
      stage.store.fail(nil)
    }
  }

  private static func step(of call: MemoryStore.Call) -> Step {
    switch call {
    case .read: .read
    case .write: .write
    case .setByteCount: .resize
    case .punchHole: .punch
    case .sync: .sync
    }
  }

  /// A backing's answer says where its error came from. One of 2 MiB is asked again for a page.
  @Test(arguments: Step.allCases, codes)
  func everyAnswerOfABacking(step: Step, code: Int32) throws {
    final class Failing: Backing {
      let error: PageError
      init(_ error: PageError) { self.error = error }
      let pageCount = 1024
      func fault(page: Int, write: Bool) -> FaultAnswer { .failed(error) }
      func hugeFault(page: Int, write: Bool) -> FaultAnswer? { .failed(error) }
    }
    let error = PageError.file(step, errno: code)
    let memory = try PhysicalMemory(ramPages: 64)
    let space = AddressSpace(memory)
    try space.map(
      at: 0x4000_0000, pages: 1024, protection: .readWrite, sharing: .shared, backing: .file(Failing(error)),
      hugePages: true)
    #expect(throws: error.ofFault) { try space.load(at: 0x4000_0000, as: UInt64.self) }
    #expect(throws: error.ofFault) { try space.store(UInt64(1), at: 0x4000_1000) }
    space.exit()
  }

  /// The files behind a machine's memory: the kernel's errno, `ENOMEM` and `ENOSPC` included, and the call.
  @Test func memoryOfTheMachine() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    func add(_ file: Int32) throws(PageError) {
      _ = try memory.sections.add(pages: 1, described: false, file: file, writable: true, shared: true)
    }
    // No process has as many descriptors.
    #expect(throws: PageError.file(.map, errno: EBADF)) { try add(Int32.max) }
    let readOnly = open("/dev/zero", O_RDONLY | O_CLOEXEC)
    defer { close(readOnly) }
    #expect(throws: PageError.file(.map, errno: EACCES)) { try add(readOnly) }
    #expect(throws: PageError.file(.inspect, errno: EBADF)) { _ = try FrameFile(owning: Int32.max) }
    #expect(memory.census().isClean)
  }

  /// A pattern's page that its file does not take: a fault, a read and an insertion by number say so.
  @Test func aPatternThatItsFileDoesNotTake() throws {
    let readOnly = open("/dev/null", O_RDONLY | O_CLOEXEC)
    let pattern = try PatternFile(descriptor: readOnly, pages: 4) { _ in 7 }
    #expect(throws: PageError.file(.write, errno: EBADF)) { try pattern.fill(0..<1) }
  }
}
