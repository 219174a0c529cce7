#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension AllocationFailureTests {
    private static let guarded: VirtualAddress = 0xc0_0000

    /// Operations that need table nodes, or memory beside RAM.
    static let beyondFrames: [Operation] = [
      Operation(testDescription: "guard markers") { stage in
        try stage.space.advise(at: Stage.huge + 600 * Page.size, pages: 4, .guardInstall)
        let isGuarded = stage.space.entry(at: Stage.huge + 603 * Page.size).kind == .guardMarker
        #expect(isGuarded)
        try stage.space.advise(at: Stage.huge + 600 * Page.size, pages: 4, .guardRemove)
      },
      Operation(
        testDescription: "fork of guard markers",
        prepare: { stage in
          try stage.space.map(
            at: guarded, pages: 8, protection: .readWrite, sharing: .shared, backing: .file(stage.cache))
          try stage.space.advise(at: guarded, pages: 1, .guardInstall)
        },
        run: { stage in
          let child = try stage.space.fork()
          let isGuarded = child.entry(at: guarded).kind == .guardMarker
          #expect(isGuarded)
          child.exit()
        }),
      Operation(
        testDescription: "fork of 2 MiB", prepare: { try $0.space.store(UInt64(1), at: Stage.huge) },
        run: { stage in
          let child = try stage.space.fork()
          #expect(try child.load(at: Stage.huge, as: UInt64.self) == 1)
          child.exit()
        }),
      Operation(testDescription: "insertion by number") { stage in
        let address = Stage.mixed + 3 * Page.size
        try stage.space.insertMixed(stage.image.firstPFN + 3, at: address)
        #expect(try stage.space.load(at: address, as: UInt8.self) == 4)
      },
      Operation(testDescription: "caches, files, images and devices") { stage in
        _ = try PageCache(stage.memory, MemoryStore(pages: 4), limit: 2, maximumPages: 1 << 20)
        _ = try PageCacheFile(stage.memory, pages: 1 << 20)
        _ = try Image(stage.memory, pages: 2) { UInt8($0) }
        _ = try DeviceRange(stage.memory, pages: 2)
      },
    ]
  }
#endif
