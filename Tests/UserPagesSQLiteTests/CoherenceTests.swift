import CSQLite
import Foundation
import TestSupport
import Testing
import UserPages

@testable import UserPagesSQLite

/// Which positions of a WAL's index the pool takes its pages to be of. The test writes the index, as SQLite in another
/// process does, and stops between two of its stores.
@Suite struct CoherenceTests {
  private static let (first, second): (UInt64, UInt64) = (0x1111_0000_0000_0001, 0x2222_0000_0000_0002)

  /// A new WAL's header is in the index before the number of frames in the file is cleared.
  @Test func aWALThatBeginsAnewIsNoPosition() throws {
    try withStage { stage in
      stage.setHeader(salt: Self.first, lastFrame: 7)
      stage.setBackfilled(7)
      _ = try stage.coherence.revalidate(stage.index)
      #expect(stage.isCurrent)
      stage.setHeader(salt: Self.second, lastFrame: 0)
      _ = try stage.coherence.revalidate(stage.index)
      #expect(!stage.isCurrent)
      // The other process commits as many frames as there were, and checkpoints them.
      stage.setBackfilled(0)
      stage.setHeader(salt: Self.second, lastFrame: 7)
      stage.setBackfilled(7)
      #expect(!stage.isCurrent)
      _ = try stage.coherence.revalidate(stage.index)
      #expect(stage.isCurrent)
    }
  }

  /// As before. A checkpoint of this process begins and ends in between.
  @Test func aCheckpointBesideANewWALRecordsNoPosition() throws {
    try withStage { stage in
      stage.setHeader(salt: Self.first, lastFrame: 7)
      stage.setBackfilled(7)
      _ = try stage.coherence.revalidate(stage.index)
      try stage.load()
      stage.setHeader(salt: Self.second, lastFrame: 0)
      try stage.coherence.beginCheckpoint(stage.index)
      #expect(stage.cache.residentPages == 0)
      stage.coherence.endCheckpoint(stage.index)
      #expect(!stage.isCurrent)
      stage.setBackfilled(0)
      stage.setHeader(salt: Self.second, lastFrame: 7)
      stage.setBackfilled(7)
      #expect(!stage.isCurrent)
    }
  }

  /// A header with copies of two WALs is none.
  @Test func aHeaderInTheMakingIsNoPosition() throws {
    try withStage { stage in
      stage.setHeader(salt: Self.first, lastFrame: 7)
      stage.setBackfilled(7)
      stage.setHeader(salt: Self.second, lastFrame: 0, copies: 1..<2)
      _ = try stage.coherence.revalidate(stage.index)
      #expect(!stage.isCurrent)
    }
  }

  /// EXCLUSIVE is the last look at the file before a checkpoint that takes no lock of the WAL's.
  @Test func exclusiveForgetsWhatMayBeStale() throws {
    try withStage { stage in
      stage.setHeader(salt: Self.first, lastFrame: 7)
      stage.setBackfilled(5)
      _ = try stage.coherence.revalidate(stage.index)
      try stage.load()
      try stage.coherence.enterExclusive(stage.index)
      #expect(stage.cache.residentPages > 0)
      stage.setBackfilled(6)
      try stage.coherence.enterExclusive(stage.index)
      #expect(stage.cache.residentPages == 0)
      // The other process was killed between two stores.
      try stage.load()
      stage.setHeader(salt: Self.second, lastFrame: 0)
      try stage.coherence.enterExclusive(stage.index)
      #expect(stage.cache.residentPages == 0)
    }
  }

  /// Another process was killed before its checkpoint came to an end. No position says so.
  @Test func aCheckpointForgetsWhatADeadOneMayHaveWritten() throws {
    try withStage { stage in
      stage.setHeader(salt: Self.first, lastFrame: 7)
      for isExclusive in [false, true] {
        func begin() throws {
          if isExclusive {
            try stage.coherence.enterExclusive(stage.index)
          } else {
            try stage.coherence.beginCheckpoint(stage.index)
          }
        }
        stage.setBackfilled(5)
        stage.setAttempted(5)
        try begin()
        stage.coherence.endCheckpoint(stage.index)
        try stage.load()
        try begin()
        #expect(stage.cache.residentPages > 0)
        stage.coherence.endCheckpoint(stage.index)
        stage.setAttempted(7)
        try begin()
        #expect(stage.cache.residentPages == 0)
        // What it writes now it must not forget.
        #expect(stage.isCurrent)
        try stage.cache.write([1, 2, 3], at: 0)
        #expect(try stage.coherence.revalidate(stage.index))
        #expect(stage.cache.dirtyPages == 1)
        try stage.cache.flush(0..<2)
        stage.coherence.endCheckpoint(stage.index)
      }
    }
  }

  /// Without an index a connection knows what the file was when it got SHARED. With a WAL that is not enough.
  @Test(arguments: [1, 2])
  func exclusiveWithoutAnIndexForgetsAWALsPages(version: UInt8) throws {
    try withStage(version: version) { stage in
      try stage.coherence.enterShared(stage.inner)
      try stage.load()
      try stage.coherence.enterExclusive(nil)
      #expect((stage.cache.residentPages > 0) == (version == 1))
      stage.coherence.leaveShared()
    }
  }

  /// A checkpoint finds the index spoiled and makes it anew. What it then writes must not be forgotten before the file
  /// has it.
  @Test func aRecoveryInACheckpointForgetsBeforeTheFirstWrite() throws {
    try withStage { stage in
      stage.setHeader(salt: Self.first, lastFrame: 7)
      stage.setBackfilled(5)
      try stage.coherence.beginCheckpoint(stage.index)
      try stage.load()
      try stage.coherence.beginRecovery()
      #expect(stage.cache.residentPages == 0)
      stage.setBackfilled(0)
      stage.coherence.endRecovery()
      try stage.cache.write([1, 2, 3], at: 0)
      #expect(stage.cache.dirtyPages == 1)
      // Another connection of the process reads.
      _ = try stage.coherence.revalidate(stage.index)
      #expect(stage.cache.dirtyPages == 1)
      try stage.cache.flush(0..<2)
      stage.setBackfilled(7)
      stage.coherence.endCheckpoint(stage.index)
      #expect(stage.isCurrent)
    }
  }

  /// A transaction of another process is seen though the last look was a moment ago.
  @Test func eachLookReadsTheHeader() throws {
    try withStage(version: 1) { stage in
      for count in 1...200 {
        for _ in 0..<2 {
          try stage.coherence.enterShared(stage.inner)
          try stage.load()
          stage.coherence.leaveShared()
        }
        // Of the change counter.
        stage.setByte(UInt8(count), at: 27)
        try stage.coherence.enterShared(stage.inner)
        #expect(stage.cache.residentPages == 0, "transaction \(count)")
        stage.coherence.leaveShared()
      }
    }
  }

  /// A program that takes no lock leaves the header as it is.
  @Test func lengthAndTimeAreAskedForAgain() throws {
    try withStage(version: 1) { stage in
      #expect(try stage.coherence.enterShared(stage.inner) == 2 * Page.size)
      try stage.load()
      stage.coherence.leaveShared()
      // The clock that stamps the file goes on.
      usleep(20_000)
      stage.setByte(1, at: 200)
      try stage.coherence.enterShared(stage.inner)
      #expect(stage.cache.residentPages == 0)
      stage.coherence.leaveShared()
      usleep(20_000)
      stage.setByte(1, at: 3 * Page.size - 1)
      #expect(try stage.coherence.enterShared(stage.inner) == 3 * Page.size)
      #expect(stage.cache.byteCount == 3 * Page.size)
      stage.coherence.leaveShared()
    }
  }

  /// Checkpoints change the length while a process has SHARED.
  @Test func aWALsFileHasNoKnownLength() throws {
    try withStage { stage in
      let length = try stage.coherence.enterShared(stage.inner)
      #expect(length == nil)
      stage.coherence.leaveShared()
    }
  }

  private func withStage(version: UInt8 = 2, _ body: (Stage) throws -> Void) throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      var header = [UInt8](repeating: 0, count: 2 * Page.size)
      (header[18], header[19]) = (version, version)
      try Data(header).write(to: URL(fileURLWithPath: path))
      try body(try Stage(path))
    }
  }
}

/// A pool's cache over a file, and a WAL's index in memory of the test's.
private final class Stage {
  /// A file object of SQLite's that can read.
  private struct Object {
    var base = sqlite3_file()
    let descriptor: Int32
  }

  private static let indexSize = 136

  let cache: PageCache
  let coherence: Coherence
  let index: WALIndex
  private let descriptor: Int32
  private let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
  private let object = UnsafeMutablePointer<Object>.allocate(capacity: 1)

  init(_ path: String) throws {
    descriptor = open(path, O_RDWR | O_CLOEXEC)
    let file = try DirectFile(owning: descriptor)
    cache = try PageCache(try PhysicalMemory(ramPages: 64), file, limit: 16, takesStores: false)
    coherence = Coherence(cache, descriptor: descriptor)
    let start = UnsafeMutableRawPointer.allocate(byteCount: Self.indexSize, alignment: 8)
    start.initializeMemory(as: UInt8.self, repeating: 0, count: Self.indexSize)
    index = WALIndex(start: start)
    var methods = sqlite3_io_methods()
    methods.iVersion = 1
    methods.xRead = { file, bytes, count, offset in
      let object = UnsafeMutableRawPointer(file!).assumingMemoryBound(to: Object.self)
      return pread(object.pointee.descriptor, bytes, Int(count), off_t(offset)) == Int(count) ? SQLITE_OK : SQLITE_IOERR
    }
    self.methods.initialize(to: methods)
    let second = open(path, O_RDONLY | O_CLOEXEC)
    object.initialize(to: Object(descriptor: second))
    object.pointee.base.pMethods = UnsafePointer(self.methods)
  }

  deinit {
    close(object.pointee.descriptor)
    index.start.deallocate()
    object.deallocate()
    methods.deallocate()
  }

  /// What the default VFS's object of a connection is.
  var inner: InnerFile {
    InnerFile(file: UnsafeMutableRawPointer(object).assumingMemoryBound(to: sqlite3_file.self))
  }

  var isCurrent: Bool { coherence.isCurrent(index) }

  /// Has the cache read the file's first page.
  func load() throws { #expect(try cache.read(at: 0, count: 20).count == 20) }

  /// Writes to the file as another process does.
  func setByte(_ value: UInt8, at offset: Int) {
    let written = withUnsafeBytes(of: value) { pwrite(descriptor, $0.baseAddress, 1, off_t(offset)) }
    #expect(written == 1)
  }

  /// Writes the header's copies, the second one first as SQLite does.
  func setHeader(salt: UInt64, lastFrame: UInt32, copies: Range<Int> = 0..<2) {
    for copy in copies.reversed() {
      index.start.storeBytes(of: lastFrame, toByteOffset: 48 * copy + 16, as: UInt32.self)
      index.start.storeBytes(of: salt, toByteOffset: 48 * copy + 32, as: UInt64.self)
    }
  }

  func setAttempted(_ frames: UInt32) { index.start.storeBytes(of: frames, toByteOffset: 128, as: UInt32.self) }

  func setBackfilled(_ frames: UInt32) { index.start.storeBytes(of: frames, toByteOffset: 96, as: UInt32.self) }
}
