import Foundation
import TestSupport
import Testing

@testable import UserPages

/// A real file that is read into frames and written from them.
@Suite struct DirectFileTests {
  private func withPath(_ contents: [UInt8] = [], _ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("direct-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = folder.appendingPathComponent("file").path
    try Data(contents).write(to: URL(fileURLWithPath: path))
    try body(path)
  }

  private func contents(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

  private func pattern(_ count: Int, seed: Int) -> [UInt8] {
    (0..<count).map { (index: Int) -> UInt8 in
      let mixed: Int = (index &* 31) ^ (index >> 8) ^ seed
      return UInt8(truncatingIfNeeded: mixed)
    }
  }

  /// Frames in no order, some of them neighbours, and the list that a store gets.
  private func withFrames(_ count: Int, _ body: ([FrameBytes]) throws -> Void) throws {
    let memory = try PhysicalMemory(ramPages: 2 * count)
    let pfns = try (0..<2 * count).map { _ in try memory.allocateFrame(.mayReclaim) }
    let chosen = (0..<count).map { (index: Int) -> PFN in
      let isEven = index % 3 == 0
      return pfns[isEven ? 2 * index : 2 * index + 1]
    }
    for pfn in pfns { memory.frames.bytes(of: pfn).fill(0xEE) }
    try body(chosen.map { memory.frames.bytes(of: $0) })
    for pfn in pfns { memory.discardFrame(pfn) }
  }

  @Test(arguments: [true, false])
  func pagesComeAndGo(isDirect: Bool) throws {
    let before = pattern(7 * Page.size, seed: 1)
    try withPath(before) { path in
      let store = try DirectFile(file: FrameFile(path: path, isDirect: isDirect))
      #expect(isDirect || !store.isDirect)
      try withFrames(5) { frames in
        try store.read(from: 1, into: LentPages(frames, isWritable: true))
        for (index, frame) in frames.enumerated() {
          #expect(frame.copy() == Array(before[(1 + index) * Page.size..<(2 + index) * Page.size]))
        }
        let after = pattern(5 * Page.size, seed: 2)
        for (index, frame) in frames.enumerated() {
          frame.copy(Array(after[index * Page.size..<(index + 1) * Page.size]))
        }
        try store.write(from: 2, LentPages(frames, isWritable: false))
        try store.sync()
        #expect(try contents(path) == Array(before[..<(2 * Page.size)]) + after)
      }
    }
  }

  /// A length that is no multiple of the page: the tail is filled with zeroes in memory, and the file keeps its length.
  @Test(arguments: [true, false], [1, 511, 512, 4095])
  func theLengthSurvives(isDirect: Bool, tail: Int) throws {
    let before = pattern(2 * Page.size + tail, seed: 3)
    try withPath(before) { path in
      let store = try DirectFile(file: FrameFile(path: path, isDirect: isDirect))
      #expect(store.byteCount == before.count)
      try withFrames(2) { frames in
        try store.read(from: 1, into: LentPages(frames, isWritable: true))
        #expect(frames[1].copy() == Array(before[(2 * Page.size)...]) + [UInt8](repeating: 0, count: Page.size - tail))
        frames[1].fill(0x55)
        try store.write(from: 1, LentPages(frames, isWritable: false))
        #expect(try contents(path) == Array(before[..<(2 * Page.size)]) + [UInt8](repeating: 0x55, count: tail))
        // What lay beyond the end was not written: a file that grows shows zeroes there.
        try store.setByteCount(3 * Page.size)
        try store.read(from: 2, into: LentPages([frames[0]], isWritable: true))
        #expect(frames[0].copy(fromByteOffset: tail, count: Page.size - tail).allSatisfy { $0 == 0 })
      }
    }
  }

  /// Pages here and there, more stretches of them than a ring takes at once, the last page of the file among them.
  @Test(arguments: [true, false], [true, false])
  func scatteredPages(isDirect: Bool, usesRing: Bool) throws {
    let before = pattern(300 * Page.size + 100, seed: 5)
    let numbers = (0...300).filter { $0 % 3 != 1 }
    try withPath(before) { path in
      let store = try DirectFile(file: FrameFile(path: path, isDirect: isDirect, usesRing: usesRing))
      try withFrames(numbers.count) { frames in
        var after = before
        for (frame, number) in zip(frames, numbers) {
          let bytes = pattern(Page.size, seed: number)
          frame.copy(bytes)
          let end = min((number + 1) * Page.size, after.count)
          after.replaceSubrange(number * Page.size..<end, with: bytes[..<(end - number * Page.size)])
        }
        let errors = store.write(LentPages(frames, isWritable: false), at: numbers)
        let found = try contents(path)
        #expect(errors.allSatisfy { $0 == nil } && errors.count == numbers.count)
        #expect(found == after)
        for frame in frames { frame.fill(0xEE) }
        let readErrors = store.read(into: LentPages(frames, isWritable: true), at: numbers)
        #expect(readErrors.allSatisfy { $0 == nil } && readErrors.count == numbers.count)
        for (frame, number) in zip(frames, numbers) {
          let bytes = Array(after[number * Page.size..<min((number + 1) * Page.size, after.count)])
          #expect(frame.copy() == bytes + [UInt8](repeating: 0, count: Page.size - bytes.count), "page \(number)")
        }
      }
    }
  }

  /// What was asked for, and what the kernel gives: a ring is for direct transfers.
  @Test func theEngine() throws {
    try withPath { path in
      #expect(try DirectFile(path: path, transfers: .calls).transfers == .calls)
      #expect(try DirectFile(file: FrameFile(path: path, isDirect: false)).transfers == .calls)
      let store = try DirectFile(path: path)
      #expect(store.transfers == (store.isDirect && TransferRing() != nil ? .ring : .calls))
      // As a kernel without io_uring does, this one refuses a ring without entries.
      #expect(TransferRing(entries: 0) == nil)
    }
  }

  /// More threads than there are rings, each with transfers of its own.
  @Test func manyThreads() throws {
    let before = pattern(64 * Page.size, seed: 8)
    try withPath(before) { path in
      let store = try DirectFile(path: path)
      let failures = Locked(0)
      let threads = 2 * TransferRings.limit
      let done = Rounds(threads)
      for thread in 0..<threads {
        runThread {
          defer { done.arrive() }
          let numbers = (0..<64).filter { $0 % (thread + 2) != 0 }
          guard let memory = try? PhysicalMemory(ramPages: 64) else { return failures.withLock { $0 += 1 } }
          let pfns = numbers.compactMap { _ in try? memory.allocateFrame(.mayReclaim) }
          let frames = pfns.map { memory.frames.bytes(of: $0) }
          for _ in 0..<20 {
            for frame in frames { frame.fill(0xEE) }
            let errors = store.read(into: LentPages(frames, isWritable: true), at: numbers)
            let isRight = zip(frames, numbers).allSatisfy { frame, number in
              frame.copy() == Array(before[number * Page.size..<(number + 1) * Page.size])
            }
            if !isRight || errors.contains(where: { $0 != nil }) { failures.withLock { $0 += 1 } }
          }
          for pfn in pfns { memory.discardFrame(pfn) }
        }
      }
      done.wait()
      #expect(failures.withLock { $0 } == 0)
    }
  }

  /// The kernel refuses what the ring is asked for, now and then or for good: calls do the rest.
  @Test(arguments: [EAGAIN, EBUSY, EINTR, ENOMEM, EPERM], [1, 63, 1000])
  func aRingThatRefuses(error: Int32, times: Int) throws {
    let before = pattern(32 * Page.size, seed: 9)
    let numbers = (0..<32).filter { $0 % 2 == 0 }
    try withPath(before) { path in
      let file = try FrameFile(path: path)
      let store = try DirectFile(file: file)
      try withFrames(numbers.count) { frames in
        file.withRing { $0.refuse(error, times: times) }
        let readErrors = store.read(into: LentPages(frames, isWritable: true), at: numbers)
        // The disk refuses a transfer with EPERM as well: that is believed.
        let isBelieved = error == EPERM && store.transfers == .ring
        let expected: PageError? = isBelieved ? .file(.read, errno: EPERM) : nil
        #expect(readErrors == [PageError?](repeating: expected, count: numbers.count))
        guard !isBelieved else { return }
        for (frame, number) in zip(frames, numbers) {
          #expect(frame.copy() == Array(before[number * Page.size..<(number + 1) * Page.size]))
          frame.fill(UInt8(number))
        }
        file.withRing { $0.refuse(error, times: times) }
        let errors = store.write(LentPages(frames, isWritable: false), at: numbers)
        #expect(errors == [PageError?](repeating: nil, count: numbers.count))
        let after = try contents(path)
        for number in 0..<32 {
          let first = number % 2 == 0 ? UInt8(number) : before[number * Page.size]
          #expect(after[number * Page.size] == first)
        }
      }
    }
  }

  /// A file that cannot be written: each page has its error, whichever way it was written.
  @Test(arguments: [true, false])
  func scatteredPagesThatCannotBeWritten(usesRing: Bool) throws {
    try withPath(pattern(8 * Page.size, seed: 6)) { path in
      let store = try DirectFile(file: FrameFile(owning: open(path, O_RDONLY), isDirect: true, usesRing: usesRing))
      try withFrames(4) { frames in
        let errors = store.write(LentPages(frames, isWritable: false), at: [0, 1, 3, 5])
        #expect(errors == [PageError?](repeating: .file(.write, errno: EBADF), count: 4))
        try store.read(from: 0, into: LentPages(frames, isWritable: true))
      }
      #expect(throws: PageError.file(.inspect, errno: EBADF)) { _ = try DirectFile(owning: -1) }
    }
  }

  /// Another program makes the file longer. Neither a write of the last page that is known nor a length beyond it cuts
  /// what was added.
  @Test func whatAnotherProgramAddedStays() throws {
    try withPath(pattern(Page.size + 100, seed: 7)) { path in
      let store = try DirectFile(path: path)
      #expect(truncate(path, off_t(5 * Page.size)) == 0)
      try withFrames(2) { frames in try store.write(from: 0, LentPages(frames, isWritable: false)) }
      #expect(try contents(path).count == 5 * Page.size)
      #expect(throws: PageError.file(.resize, errno: ESTALE)) { try store.setByteCount(3 * Page.size) }
      #expect(try contents(path).count == 5 * Page.size)
      try store.refreshByteCount()
      #expect(store.byteCount == 5 * Page.size)
      try store.setByteCount(3 * Page.size)
      #expect(try contents(path).count == 3 * Page.size)
    }
  }

  /// A cache that forgets its pages learns the length as well.
  @Test(arguments: [1, 9]) func aLengthThatAnotherProgramSets(pages: Int) throws {
    try withPath(pattern(4 * Page.size, seed: 8)) { path in
      let cache = try PageCache(try PhysicalMemory(ramPages: 64), try DirectFile(path: path), limit: 16)
      #expect(try cache.read(at: 3 * Page.size, count: 1).count == 1)
      #expect(truncate(path, off_t(pages * Page.size)) == 0)
      try cache.invalidate()
      #expect(cache.byteCount == pages * Page.size)
      try cache.write([1], at: (pages + 1) * Page.size)
      #expect(cache.byteCount == (pages + 1) * Page.size + 1)
      try cache.sync()
      #expect(try contents(path).count == (pages + 1) * Page.size + 1)
    }
  }

  @Test func theLengthIsSet() throws {
    try withPath { path in
      let store = try DirectFile(path: path)
      #expect(store.byteCount == 0)
      try store.setByteCount(3 * Page.size + 1)
      #expect(store.byteCount == 3 * Page.size + 1)
      try withFrames(4) { frames in
        try store.read(from: 0, into: LentPages(frames, isWritable: true))
        #expect(frames.allSatisfy { $0.firstOther(than: 0) == nil })
        for frame in frames { frame.fill(7) }
        try store.write(from: 0, LentPages(frames, isWritable: false))
        try store.punchHole(1..<2)
        try store.read(from: 0, into: LentPages(frames, isWritable: true))
        #expect(frames.map { $0.firstOther(than: 7) == nil } == [true, false, true, false])
        #expect(frames[1].firstOther(than: 0) == nil)
      }
      #expect(throws: PageError.invalidArgument) { try store.setByteCount(-1) }
      #expect(try contents(path).count == 3 * Page.size + 1)
    }
  }

  @Test func oneUserAtATime() throws {
    try withPath { path in
      do {
        let first = try DirectFile(path: path)
        #expect(throws: PageError.busy) { _ = try DirectFile(path: path) }
        #expect(throws: PageError.busy) {
          _ = try PhysicalMemory(ramPages: 4, swapFile: .file(at: path, pages: 4))
        }
        #expect(first.byteCount == 0)
      }
      _ = try DirectFile(path: path)
    }
  }

  @Test func whatIsNoFile() throws {
    try withPath { path in
      #expect(throws: PageError.file(.open, errno: EISDIR)) {
        _ = try DirectFile(path: (path as NSString).deletingLastPathComponent)
      }
      #expect(throws: PageError.file(.open, errno: ENOTDIR)) { _ = try DirectFile(path: path + "/file") }
      mkfifo(path + "-pipe", 0o600)
      #expect(throws: PageError.file(.open, errno: EINVAL)) { _ = try DirectFile(path: path + "-pipe") }
    }
  }

  /// Another program cuts the file in spite of the lock: what is missing is an error, not zeroes.
  @Test func aFileThatIsCutBehindItsBack() throws {
    try withPath(pattern(4 * Page.size, seed: 4)) { path in
      let store = try DirectFile(path: path)
      #expect(truncate(path, off_t(2 * Page.size + 5)) == 0)
      try withFrames(2) { frames in
        try store.read(from: 0, into: LentPages(frames, isWritable: true))
        #expect(throws: PageError.file(.readWhole, errno: EIO)) {
          try store.read(from: 2, into: LentPages(frames, isWritable: true))
        }
        #expect(throws: PageError.file(.readWhole, errno: EIO)) {
          try store.read(from: 3, into: LentPages([frames[0]], isWritable: true))
        }
      }
    }
  }
}
