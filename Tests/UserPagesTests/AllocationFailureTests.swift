#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  /// The allocations of every operation fail one at a time, and then all from there on. The operation is done or
  /// undone, and what programs see is right. It succeeds when memory is back, and nothing is lost.
  @Suite struct AllocationFailureTests {
    typealias Stage = FailureStage

    struct Operation: CustomTestStringConvertible, Sendable {
      let testDescription: String
      /// Whether programs or the disk see that it is done.
      var isSeen = false
      /// What else it may leave if it fails.
      var part: (@Sendable (Stage) throws -> Void)?
      var prepare: @Sendable (Stage) throws -> Void = { _ in }
      let run: @Sendable (Stage) throws -> Void
    }

    private static let operations: [Operation] = [
      Operation(testDescription: "first touch", isSeen: true) {
        try $0.space.store(UInt64(1), at: Stage.anonymous + 5 * Page.size)
      },
      Operation(testDescription: "first touch of 2 MiB", isSeen: true) {
        try $0.space.store(UInt64(1), at: Stage.huge)
      },
      Operation(testDescription: "populate") {
        try $0.space.advise(at: Stage.anonymous, pages: 8, .populateWrite)
      },
      Operation(
        testDescription: "copy-on-write", isSeen: true, prepare: { $0.child = try $0.space.fork() },
        run: { try $0.space.store(UInt64(1), at: Stage.anonymous) }),
      Operation(
        testDescription: "copy-on-write of 2 MiB", isSeen: true,
        prepare: {
          try $0.space.store(UInt64(1), at: Stage.huge)
          $0.child = try $0.space.fork()
        },
        run: {
          try $0.space.store(UInt64(2), at: Stage.huge)
          #expect(try $0.child?.load(at: Stage.huge, as: UInt64.self) == 1)
        }),
      Operation(
        testDescription: "pin that unshares", prepare: { $0.child = try $0.space.fork() },
        run: { try $0.space.pin(at: Stage.anonymous, .longTerm).release() }),
      Operation(testDescription: "long-term pin that moves its page") {
        let pin = try $0.space.pin(at: Stage.anonymous, [.longTerm, .write])
        #expect(pin.deviceBytes.load(as: UInt64.self) == 100)
        pin.release()
      },
      Operation(
        testDescription: "long-term pin that moves a cache's page",
        prepare: { try $0.space.store(UInt64(7), at: Stage.file) },
        run: {
          let pin = try $0.space.pin(at: Stage.file, .longTerm)
          #expect(pin.deviceBytes.load(as: UInt64.self) == 7)
          pin.release()
        }),
      Operation(testDescription: "range pin") {
        let pins = try $0.space.pin(at: Stage.anonymous, pages: 8, .write)
        let count = pins.count
        pins.release()
        if count < 8 { throw PageError.outOfMemory }
      },
      Operation(testDescription: "fork of pinned pages") { stage in
        let pins = try stage.space.pin(at: Stage.anonymous, pages: 4, .write)
        do {
          let child = try stage.space.fork()
          for page in 0..<4 {
            let seen = try child.load(at: Stage.anonymous + page * Page.size, as: UInt64.self)
            #expect(seen == UInt64(100 + page))
          }
          child.exit()
          pins.release()
        } catch {
          try stage.space.store(UInt64(55), at: Stage.anonymous)
          #expect(pins.deviceBytes(at: 0).load(as: UInt64.self) == 55, "a fork that failed parted pin and program")
          try stage.space.store(UInt64(100), at: Stage.anonymous)
          pins.release()
          throw error
        }
      },
      Operation(
        testDescription: "fork of pinned 2 MiB", prepare: { try $0.space.store(UInt64(1), at: Stage.huge) },
        run: { stage in
          let pin = try stage.space.pin(at: Stage.huge, .write)
          do {
            try stage.space.fork().exit()
            pin.release()
          } catch {
            pin.release()
            throw error
          }
        }),
      Operation(testDescription: "remap") {
        try $0.space.remap(at: Stage.anonymous, pages: 8, to: 0x30_0000, newPages: 8)
        try $0.space.remap(at: 0x30_0000, pages: 8, to: Stage.anonymous, newPages: 8)
      },
      Operation(
        testDescription: "split by a protection",
        prepare: { try $0.space.store(UInt64(1), at: Stage.huge) },
        run: { try $0.space.protect(at: Stage.huge, pages: 3, .read) }),
      Operation(
        testDescription: "collapse",
        prepare: { stage in
          for page in 0..<40 { try stage.space.store(UInt64(page), at: Stage.huge + page * Page.size) }
          try stage.space.protect(at: Stage.huge, pages: 3, .read)
          try stage.space.protect(at: Stage.huge, pages: 3, .readWrite)
        },
        run: { try $0.space.advise(at: Stage.huge, pages: 512, .collapse) }),
      Operation(
        testDescription: "swap-in",
        prepare: { stage in
          try stage.space.advise(at: Stage.anonymous, pages: 4, .pageOut)
          stage.memory.flushDeferredFrees()
        },
        run: { stage throws in #expect(try stage.space.load(at: Stage.anonymous, as: UInt64.self) == 100) }),
      Operation(testDescription: "page-out") { try $0.space.advise(at: Stage.anonymous, pages: 4, .pageOut) },
      Operation(testDescription: "reclaim") { #expect($0.memory.reclaim(pages: 2) == 2) },
      Operation(testDescription: "load of a cache's page") { _ = try $0.space.load(at: Stage.file, count: 1) },
      Operation(testDescription: "store to a cache's page", isSeen: true) {
        try $0.space.store(UInt8(9), at: Stage.file)
      },
      Operation(testDescription: "copy of a cache's page", isSeen: true) {
        try $0.space.store(UInt8(9), at: Stage.copied)
      },
      Operation(testDescription: "read of a file") { stage throws in
        #expect(try stage.cache.read(at: 0, count: 8 * Page.size).count == 8 * Page.size)
      },
      Operation(testDescription: "write to a file", isSeen: true) { try $0.cache.write([1, 2, 3], at: 0) },
      Operation(
        testDescription: "write that makes a file longer", isSeen: true,
        part: { try $0.cache.setByteCount(12 * Page.size + 3) },
        run: { try $0.cache.write([1, 2, 3], at: 12 * Page.size) }
      ),
      Operation(
        testDescription: "truncation", isSeen: true, prepare: { try $0.cache.write([1], at: 9 * Page.size) },
        run: { try $0.cache.setByteCount(8 * Page.size) }),
      Operation(
        testDescription: "hole", isSeen: true, prepare: { try $0.cache.write([1], at: 9 * Page.size) },
        run: { stage throws in
          try stage.cache.punchHole(9..<10)
          #expect(try stage.cache.read(at: 9 * Page.size, count: 1) == [0])
        }),
      Operation(testDescription: "pin of a cache's page without a mapping") { stage in
        let pin = try stage.cache.pin(page: 2)
        #expect(pin.load(as: UInt8.self) == 3)
        pin.release()
      },
      Operation(testDescription: "store and load through a mirror", isSeen: true) { stage throws in
        let mirror = try stage.space.mirror(at: Stage.anonymous, pages: 8, for: .write)
        try mirror.store(UInt64(6), at: Stage.anonymous + 6 * Page.size)
        #expect(try mirror.load(at: Stage.anonymous + Page.size, as: UInt64.self) == 101)
      },
      Operation(
        testDescription: "sync", isSeen: true, prepare: { try $0.space.store(UInt8(9), at: Stage.file) },
        run: { try $0.cache.sync() }
      ),
      Operation(testDescription: "load of a memory file, with 2 MiB") {
        _ = try $0.space.load(at: Stage.plainFile, count: 1)
      },
      Operation(testDescription: "write to a memory file", isSeen: true) {
        try $0.plain.write([1], at: 700 * Page.size)
      },
      Operation(testDescription: "copy of an image's page", isSeen: true) {
        try $0.space.store(UInt8(9), at: Stage.mixed)
      },
      Operation(testDescription: "migration of an image's page") { stage in
        #expect(try stage.space.load(at: Stage.mixed + Page.size, count: 1) == [2])
        try stage.image.migrateToCache(page: 1)
        #expect(try stage.space.load(at: Stage.mixed + Page.size, count: 1) == [2])
        try stage.image.migrateToImage(page: 1)
      },
      Operation(testDescription: "frames of one's own") {
        try $0.memory.allocate().put()
        try $0.memory.allocateHuge().put()
      },
    ]

    @Test(arguments: operations + beyondFrames, Engines.all)
    private func everyAllocation(operation: Operation, engine: PinEngine) throws {
      let outcomes = try outcomes(of: operation, engine)
      for isLasting in [false, true] {
        var number = 0
        var failed = 1
        // One round more than there are allocations: the last one fails none.
        while failed > 0 {
          // A fork of 2 MiB has hundreds of allocations, all alike.
          number += max(1, number / 8)
          let name = "\(operation.testDescription), allocation \(number)\(isLasting ? " and all after it" : "")"
          try #require(number < 1024, "\(name): there is no end")
          failed = try onMachine(name) { memory in
            try run(operation, on: memory, engine, failing: number, lasting: isLasting, name)
          }
          // On a machine of its own: a look faults pages in, and the operation is to be tried again without that.
          if failed > 0 {
            let left = try onMachine(name) { memory in
              try remains(of: operation, on: memory, engine, failing: number, lasting: isLasting)
            }
            #expect(left.map(outcomes.contains) != false, "\(name) is neither done nor undone: \(left ?? [:])")
          }
        }
      }
    }

    private func onMachine<Result>(_ name: String, _ body: (PhysicalMemory) throws -> Result) throws -> Result {
      let machine = try Machine(frames: 4096, movable: 1024, swapPages: 64)
      let result = try body(machine.memory)
      #expect(machine.leaks() == [], "\(name)")
      return result
    }

    /// What there is before an operation, after it, and after a part of it that it may leave.
    private func outcomes(of operation: Operation, _ engine: PinEngine) throws -> [[String: [UInt64]]] {
      let ends = [{ _ in }, operation.run] + (operation.part.map { [$0] } ?? [])
      let outcomes = try ends.map { end in
        try onMachine(operation.testDescription) { memory in
          let stage = try Stage(memory, engine)
          defer { stage.end() }
          try operation.prepare(stage)
          try end(stage)
          return try stage.contents()
        }
      }
      #expect((outcomes[0] != outcomes[1]) == operation.isSeen, "\(operation.testDescription)")
      return outcomes
    }

    /// What an operation leaves that has failed. Nil if it succeeds all the same.
    private func remains(
      of operation: Operation, on memory: PhysicalMemory, _ engine: PinEngine, failing number: Int, lasting: Bool
    ) throws -> [String: [UInt64]]? {
      let stage = try Stage(memory, engine)
      defer { stage.end() }
      try operation.prepare(stage)
      memory.allocationFailures.fail(number, lasting: lasting)
      do {
        try operation.run(stage)
        memory.allocationFailures.stop()
        return nil
      } catch {
        memory.allocationFailures.stop()
        return try stage.contents()
      }
    }

    /// Returns how many allocations have failed.
    private func run(
      _ operation: Operation, on memory: PhysicalMemory, _ engine: PinEngine, failing number: Int, lasting: Bool,
      _ name: String
    ) throws -> Int {
      let stage = try Stage(memory, engine)
      try operation.prepare(stage)
      let failures = memory.allocationFailures
      failures.fail(number, lasting: lasting)
      let failed: Int
      do {
        try operation.run(stage)
        failed = failures.stop()
      } catch {
        failed = failures.stop()
        #expect(error as? PageError == .outOfMemory && failed > 0, "\(name): \(error)")
        try stage.check(name)
        // Memory is back.
        try operation.run(stage)
      }
      try stage.check(name)
      stage.end()
      return failed
    }
  }
#endif
