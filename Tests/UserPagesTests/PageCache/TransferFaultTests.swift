import Foundation
import TestSupport
import Testing

@testable import UserPages

/// A disk that fails at one transfer: by a call of its own, or by one completion among those of a ring.
///
/// No byte is lost that a sync called safe, and every error is seen once.
@Suite struct TransferFaultTests {
  /// What goes wrong with a transfer.
  enum Fault: CaseIterable, Sendable {
    case inputOutput, noSpace
    /// The disk says that it failed, and has done all of it.
    case inputOutputInVain
    /// It is short by all pages but one, by one page, inside its first page.
    case onePage, allButOne, insideAPage
    case interrupted, tryAgain, cancelled

    /// Whether it is an error of the disk. The others are finished by a further call.
    var isError: Bool { [.inputOutput, .noSpace, .inputOutputInVain].contains(self) }

    func fault(of transfer: Transfer) -> TransferFault? {
      let all = transfer.pageCount * Page.size
      switch self {
      case .inputOutput: return TransferFault(transferring: 0, result: -Int(EIO))
      case .noSpace: return TransferFault(transferring: 0, result: -Int(ENOSPC))
      case .inputOutputInVain: return TransferFault(transferring: all, result: -Int(EIO))
      case .onePage: return all > Page.size ? TransferFault(transferring: Page.size, result: Page.size) : nil
      case .allButOne:
        return all > Page.size ? TransferFault(transferring: all - Page.size, result: all - Page.size) : nil
      case .insideAPage: return TransferFault(transferring: 512, result: 512)
      case .interrupted: return TransferFault(transferring: 0, result: -Int(EINTR))
      case .tryAgain: return TransferFault(transferring: 0, result: -Int(EAGAIN))
      // Only a ring cancels.
      case .cancelled: return transfer.isTogether ? TransferFault(transferring: 0, result: -Int(ECANCELED)) : nil
      }
    }
  }

  /// What the disk is made to do: one transfer, counted from 0, goes wrong.
  private final class Disk: Sendable {
    private struct State {
      var count = 0
      var hit: Transfer?
      var isOver = false
    }

    private let state = Locked(State())
    private let fault: Fault
    private let target: Int
    private let writes: Bool

    init(_ fault: Fault, _ target: Int, writes: Bool) {
      (self.fault, self.target, self.writes) = (fault, target, writes)
    }

    /// The transfer that went wrong. Nil if the program had none with that number, or none that could.
    var hit: Transfer? { state.withLock { $0.hit } }
    /// From here on nothing goes wrong.
    func repair() { state.withLock { $0.isOver = true } }

    /// Transfers in the direction that goes wrong.
    var count: Int { state.withLock { $0.count } }

    func fault(of transfer: Transfer) -> TransferFault? {
      guard transfer.isWrite == writes else { return nil }
      return state.withLock { state in
        if state.isOver { return nil }
        state.count += 1
        guard state.count == target + 1, let planned = fault.fault(of: transfer) else { return nil }
        state.hit = transfer
        return planned
      }
    }
  }

  private static let pages = 24
  private static let start: VirtualAddress = 0x4000_0000

  @Test(arguments: Fault.allCases, [true, false])
  func everyTransfer(fault: Fault, usesRing: Bool) throws {
    for writes in [true, false] {
      var target = 0
      var together = 0
      while true {
        let disk = Disk(fault, target, writes: writes)
        try run(disk, fault, usesRing: usesRing, writes: writes)
        if target >= disk.count { break }
        if disk.hit?.isTogether == true { together += 1 }
        target += 1
      }
      #expect(target >= 6, "\(target) transfers")
      if usesRing, try Self.hasRing() { #expect(together >= 2, "\(together) of \(target) beside others") }
    }
  }

  /// Where locks end with the process, no write is left to a ring.
  @Test func writesByCalls() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("calls-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data([UInt8](repeating: 1, count: 16 * Page.size)).write(to: URL(fileURLWithPath: path))
    let transfers = Locked<[Transfer]>([])
    let file = try FrameFile(
      path: path,
      faults: { transfer in
        transfers.withLock { $0.append(transfer) }
        return nil
      })
    let hasRing = file.usesRing
    let store = try DirectFile(file: file, writesByRing: false)
    #expect(store.transfers == (hasRing ? .ringForReads : .calls))
    let memory = try PhysicalMemory(ramPages: 16)
    let frames = try (0..<3).map { _ in try memory.allocateFrame(.mayReclaim) }
    let bytes = frames.map { memory.frames.bytes(of: $0) }
    #expect(store.read(into: LentPages(bytes, isWritable: true), at: [0, 5, 9]) == [nil, nil, nil])
    #expect(store.write(LentPages(bytes, isWritable: false), at: [0, 5, 9]) == [nil, nil, nil])
    for frame in frames { memory.discardFrame(frame) }
    let seen = transfers.withLock { $0 }
    #expect(seen.filter(\.isWrite).count == 3 && seen.allSatisfy { !($0.isWrite && $0.isTogether) })
    #expect(seen.contains { !$0.isWrite && $0.isTogether } == hasRing)
  }

  /// Whether the kernel and the file system allow a ring.
  private static func hasRing() throws -> Bool {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("ring-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try FrameFile(path: path).usesRing
  }

  private func run(_ disk: Disk, _ fault: Fault, usesRing: Bool, writes: Bool) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("faults-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    // The last page ends inside.
    let contents = (0..<Self.pages * Page.size - 100).map { UInt8(truncatingIfNeeded: $0 / Page.size + 1) }
    try Data(contents).write(to: URL(fileURLWithPath: path))
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let store = try DirectFile(
        file: FrameFile(path: path, usesRing: usesRing, faults: { disk.fault(of: $0) }))
      let cache = try PageCache(memory, store, limit: Self.pages)
      let space = AddressSpace(memory, engine: .reference)
      try space.map(
        at: Self.start, pages: Self.pages, protection: .readWrite, sharing: .shared, backing: .file(cache))
      try program(cache, space, path, disk, fault, writes: writes)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean && memory.freePages == 64)
  }

  /// Stores here and there, syncs, evictions, and loads of all pages in order.
  private func program(
    _ cache: PageCache, _ space: AddressSpace, _ path: String, _ disk: Disk, _ fault: Fault, writes: Bool
  ) throws {
    let handles = [cache.open(), cache.open()]
    var seen = [0, 0]
    var busErrors = 0
    var expected = (0..<Self.pages).map { originalWord($0) }

    func attempt(_ body: () throws(PageError) -> Void) {
      do throws(PageError) { try body() } catch {
        #expect(error == .busErrorOfFile(.read, errno: fault == .noSpace ? ENOSPC : EIO))
        busErrors += 1
      }
      cache.waitForReads()
    }
    func sync() throws {
      for (index, handle) in handles.enumerated() {
        do throws(PageError) { try handle.sync() } catch {
          seen[index] += 1
          continue
        }
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        for page in 0..<Self.pages {
          #expect(MemoryStore.word(bytes, at: page * Page.size) == expected[page], "page \(page) is not safe")
        }
        #expect(bytes.count == Self.pages * Page.size - 100)
      }
    }

    for round in 1...1 {
      for page in [1, 2, 5, 6, 7, 11, 17, 20, 23] {
        let value = UInt64(round * 100 + page)
        attempt { () throws(PageError) in
          try space.store(value, at: Self.start + page * Page.size)
          expected[page] = value
        }
      }
      try sync()
      _ = cache.evict(Self.pages)
      // What is in memory already divides the windows: their parts are read side by side.
      for page in [8, 14, 19] + Array(0..<Self.pages) {
        attempt { () throws(PageError) in
          let word = try space.load(at: Self.start + page * Page.size, as: UInt64.self)
          #expect(word == expected[page], "page \(page) in round \(round)")
        }
      }
    }
    try sync()
    try sync()
    let isWriteError = writes && fault.isError && disk.hit != nil
    #expect(seen == (isWriteError ? [1, 1] : [0, 0]), "\(fault) in \(String(describing: disk.hit))")
    // Of a read that failed, the thread hears that asked for the page, and none if it was read ahead.
    #expect(busErrors <= (fault.isError && !writes ? 1 : 0))
    disk.repair()
    for page in 0..<Self.pages {
      #expect(try space.load(at: Self.start + page * Page.size, as: UInt64.self) == expected[page])
    }
  }
}
