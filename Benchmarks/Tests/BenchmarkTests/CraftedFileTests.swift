import Glibc
import Measuring
import Testing
import UserPages

@testable import oltp

/// Databases and logs with right checksums and wrong numbers. Each is refused in words; none ends the process.
@Suite struct CraftedFileTests {
  static let extremes: [UInt64] = [
    0, 1 << 31, 1 << 39, 1 << 52, 1 << 62, UInt64(Int64.max), 1 << 63, .max,
  ]

  /// Opens and recovers, as the tool does before a run. What it throws must be a failure in words.
  func open(_ run: InterruptedRun, forced: Bool) throws {
    do {
      let database = try DatabaseFile(path: run.path, scale: nil) { _ in }
      _ = try database.recoverIfNeeded(forced: forced)
      let books = try Books.read(
        file: database.file, geometry: database.geometry, historyPages: database.superblock.historyPages)
      if let problem = books.imbalance(transactions: nil) { throw Failure(problem) }
      _ = try database.beginRun(carried: books.history)
    } catch let failure as Failure {
      #expect(!failure.description.isEmpty)
    }
  }

  @Test(arguments: 1...10) func headerField(index: Int) throws {
    let run = try InterruptedRun(transactions: 16, poolPages: 64)
    for state in [Superblock.State.clean, .running] {
      for value in Self.extremes {
        try run.editHeader { $0.state = state }
        var saved = [UInt8](repeating: 0, count: Page.size)
        try InterruptedRun.editPage(0, of: run.path) { page in
          saved.withUnsafeMutableBytes { $0.copyMemory(from: UnsafeRawBufferPointer(start: page, count: Page.size)) }
          page.storeBytes(of: value, toByteOffset: PageHeader.size + 8 * index, as: UInt64.self)
          PageHeader.seal(page)
        }
        try open(run, forced: false)
        // `beginRun` may have emptied the log; what matters is that the process is still there.
        try InterruptedRun.editPage(0, of: run.path) { page in
          saved.withUnsafeBytes { page.copyMemory(from: $0.baseAddress!, byteCount: Page.size) }
        }
      }
    }
  }

  /// Words of a record: its sequence number, and page and slot of its four changes.
  @Test(arguments: [0, 8, 16, 120, 128, 232, 240, 344, 352], [false, true])
  func recordField(offset: Int, forced: Bool) throws {
    for value in Self.extremes where value != 0 || offset != 16 {
      let run = try InterruptedRun(transactions: 16, poolPages: 64)
      try run.editBlock(1) { block in
        (block + LogBlock.offset(ofSlot: 3) + offset).storeBytes(of: value, as: UInt64.self)
      }
      try open(run, forced: forced)
    }
  }

  /// A record for a page of history beyond any that its transactions can have filled: no file of that size is written.
  @Test func recordFarBeyondTheHistory() throws {
    let run = try InterruptedRun(transactions: 16, poolPages: 64)
    let page = UInt64(Geometry(scale: 1).historyStart + 100_000)
    try run.editBlock(2) { block in
      (block + LogBlock.offset(ofSlot: 0) + 344).storeBytes(of: page, as: UInt64.self)
    }
    #expect(throws: Failure.self) { try run.recover() }
    #expect(try run.recover(forced: true).outcome?.transactions == 8)
  }

  /// A balance in a table, and sums of balances, that do not fit.
  @Test(arguments: [Int64.max, Int64.min, 1 << 61]) func balance(value: Int64) throws {
    let run = try InterruptedRun(transactions: 0, poolPages: 64)
    try run.recover()
    for page in [Geometry(scale: 1).accountStart, Geometry(scale: 1).historyStart] {
      try InterruptedRun.editPage(page, of: run.path) { address in
        for slot in 0..<(page == Geometry(scale: 1).historyStart ? 1 : 2) {
          let row = address + RowLocation(page: page, slot: slot).offset
          (row + 8).copyMemory(from: withUnsafeBytes(of: value) { Array($0) }, byteCount: 8)
        }
        PageHeader.seal(address)
      }
    }
    let books = try run.recover().books
    #expect(books.imbalance(transactions: nil)?.contains("beyond") == true)
  }

  /// A log of eight TiB that is one hole after its records: what is not there is not read.
  @Test func hugeSparseLog() throws {
    let run = try InterruptedRun(transactions: 16, poolPages: 64)
    #expect(truncate(run.logPath, 1 << 43) == 0)
    #expect(try run.recover().outcome?.transactions == 16)
  }
}
