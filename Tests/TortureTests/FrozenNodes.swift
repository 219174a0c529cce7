#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Threads that are frozen while they link or unlink table nodes, or look into the page cache.
    @Suite struct FrozenNodes {
      /// A whole stripe. An operation on it holds the whole space, and so unlinks the nodes of the third level too.
      private static let stripePages = (1 << 30) / Page.size

      @Test func nodeTakenBackWithChildren() throws {
        // A fault links a node into a parent that is being unlinked. Another fault has linked a node below it
        // meanwhile.
        try play { freezer, machine in
          let space = AddressSpace(machine.memory)
          let first: VirtualAddress = 0x80_0000_0000
          let second = first + Page.hugeSize
          try space.map(at: first, pages: 2 * Page.pagesPerHuge, protection: .readWrite)
          // Frozen when the second of its three nodes is linked: the first one hangs from the root.
          let linker = freezer.start("link", freezeAt: .nodeBetweenLinkAndLook, after: 1) {
            freezer.expect(.segmentationViolation) { () throws(PageError) in
              _ = try space.load(at: first, as: UInt8.self)
            }
          }
          #expect(linker.waitUntilFrozen())
          #expect(try space.load(at: second, as: UInt8.self) == 0)
          let unlinker = freezer.start("unmap", freezeAt: .unlinkBetweenLinkAndCollect) {
            try space.unmap(at: first, pages: Self.stripePages)
          }
          #expect(unlinker.waitUntilFrozen())
          linker.thaw()
          _ = linker.mayFinish()
          unlinker.thaw()
          try unlinker.join()
          try linker.join()
          space.exit()
        }
      }

      /// What walks to an address after the end of its mapping.
      enum Walker: CaseIterable {
        case load, pin

        func walk(to address: VirtualAddress, in space: AddressSpace, _ freezer: Freezer) {
          switch self {
          case .load:
            freezer.expect(.segmentationViolation) { () throws(PageError) in
              _ = try space.load(at: address, as: UInt8.self)
            }
          case .pin:
            freezer.expect(.badAddress) { () throws(PageError) in try space.pin(at: address, .write).release() }
          }
        }
      }

      /// A walk stands in a node, about to link one below it. The node is unlinked, or in the middle of that.
      @Test(arguments: Walker.allCases, [YieldPoint?.none, .unlinkBetweenLinkAndCollect])
      func aNodeIsLinkedBelowOneThatIsUnlinked(walker: Walker, place: YieldPoint?) throws {
        for passes in 1...2 {
          try play { freezer, machine in
            let space = AddressSpace(machine.memory)
            let address: VirtualAddress = 0x80_0000_0000
            try space.map(at: address, pages: 1, protection: .readWrite)
            let linker = freezer.start("link", freezeAt: .nodeBeforeLink, after: passes) {
              walker.walk(to: address, in: space, freezer)
            }
            #expect(linker.waitUntilFrozen())
            let unlinker = freezer.start("unmap", freezeAt: place) {
              try space.unmap(at: address, pages: Self.stripePages)
            }
            if place == nil { try unlinker.join() } else { #expect(unlinker.waitUntilFrozen()) }
            linker.thaw()
            _ = linker.mayFinish()
            unlinker.thaw()
            try unlinker.join()
            try linker.join()
            space.exit()
          }
        }
      }

      /// A walk has linked a node, and the node above it is unlinked and collected before it looks: the node is
      /// collected once.
      @Test(arguments: Walker.allCases)
      func aNodeThatWasCollectedIsNotTakenBack(walker: Walker) throws {
        for passes in 1...2 {
          try play { freezer, machine in
            let space = AddressSpace(machine.memory)
            let address: VirtualAddress = 0x80_0000_0000
            try space.map(at: address, pages: 1, protection: .readWrite)
            let linker = freezer.start("link", freezeAt: .nodeBetweenLinkAndLook, after: passes) {
              walker.walk(to: address, in: space, freezer)
            }
            #expect(linker.waitUntilFrozen())
            try space.unmap(at: address, pages: Self.stripePages)
            linker.thaw()
            try linker.join()
            space.exit()
          }
        }
      }

      /// A node that a walk takes back is not used again at once. Another walk that stands in it would link its own
      /// node into what has become another part of the table.
      @Test func aNodeIsNotReusedUnderAnotherWalk() throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory)
          let first: VirtualAddress = 0x80_0000_0000
          let second = first + Page.hugeSize
          // Where the second walk's node would be met if the node above it moved up a level.
          let third = first + Page.pagesPerHuge * Page.hugeSize
          try space.map(at: first, pages: 2 * Page.pagesPerHuge, protection: .readWrite)
          let reuser = freezer.start("first walk", freezeAt: .nodeBetweenLinkAndLook, after: 1) {
            Walker.load.walk(to: first, in: space, freezer)
          }
          #expect(reuser.waitUntilFrozen())
          let stander = freezer.start("second walk", freezeAt: .nodeBeforeLink) {
            Walker.load.walk(to: second, in: space, freezer)
          }
          #expect(stander.waitUntilFrozen())
          let unlinker = freezer.start("unmap", freezeAt: .unlinkBetweenLinkAndCollect) {
            try space.unmap(at: first, pages: Self.stripePages)
          }
          #expect(unlinker.waitUntilFrozen())
          // It takes its node back. It waits for the unmap then. If it used the node again, it would be frozen with it.
          reuser.thaw(until: .nodeBetweenLinkAndLook)
          for _ in 0..<4 where !reuser.mayFinish() {}
          stander.thaw(until: .nodeBetweenLinkAndLook)
          #expect(stander.waitUntilFrozen())
          unlinker.thaw()
          try unlinker.join()
          try space.map(at: third, pages: 1, protection: .readWrite)
          try space.store(UInt64(7), at: third)
          stander.thaw()
          try stander.join()
          reuser.thaw()
          try reuser.join()
          #expect(try space.load(at: third, as: UInt64.self) == 7)
          space.exit()
        }
      }

      @Test(arguments: 1...2)
      func nodesDoNotGather(passes: Int) throws {
        // A fault that its mapping's end overtook leaves no nodes behind, even if the space lives on.
        try play { freezer, machine in
          let space = AddressSpace(machine.memory)
          try space.map(at: 0x1000, pages: 1, protection: .readWrite)
          _ = try space.load(at: 0x1000, as: UInt8.self)
          let nodes = machine.memory.census().tableNodes
          let address: VirtualAddress = 0x20_0000_0000
          try space.map(at: address, pages: 1, protection: .readWrite)
          let faulter = freezer.start("load", freezeAt: .faultBeforeWalk, after: passes) {
            freezer.expect(.segmentationViolation) { () throws(PageError) in
              _ = try space.load(at: address, as: UInt8.self)
            }
          }
          #expect(faulter.waitUntilFrozen())
          try space.unmap(at: address, pages: 1)
          faulter.thaw()
          try faulter.join()
          machine.memory.flushDeferredFrees()
          // The stripe keeps its own.
          #expect(machine.memory.census().tableNodes == nodes + 1)
          space.exit()
        }
      }

      @Test(arguments: 1...2)
      func nodesOfAnInsertionDoNotGather(passes: Int) throws {
        // The same for an insertion: its mapping ends before it has walked the table.
        try play { freezer, machine in
          let space = AddressSpace(machine.memory)
          let image = try Image(machine.memory, pages: 1) { _ in 5 }
          try space.map(at: 0x1000, pages: 1, protection: .readWrite)
          _ = try space.load(at: 0x1000, as: UInt8.self)
          let nodes = machine.memory.census().tableNodes
          let address: VirtualAddress = 0x20_0000_0000
          try space.map(at: address, pages: 1, protection: .read, backing: .mixed(image))
          let inserter = freezer.start("insert", freezeAt: .faultBeforeWalk, after: passes) {
            freezer.expect(.badAddress) { () throws(PageError) in
              try space.insertPFN(image.firstPFN, at: address)
            }
          }
          #expect(inserter.waitUntilFrozen())
          try space.unmap(at: address, pages: 1)
          inserter.thaw()
          try inserter.join()
          machine.memory.flushDeferredFrees()
          // The stripe keeps its own.
          #expect(machine.memory.census().tableNodes == nodes + 1)
          space.exit()
        }
      }

      @Test func cachedFrameIsNotReusedUnderALookup() throws {
        // A reader has found a frame in the page cache and is about to take it: it may not become another page's.
        try play(frames: 4) { freezer, machine in
          let file = try PageCacheFile(machine.memory, pages: 1, fill: 9)
          #expect(try file.read(at: 0, count: 1) == [9])
          let free = machine.memory.freePages
          let reader = freezer.start("read", freezeAt: .cacheBetweenLookAndReference) {
            let bytes = try file.read(at: 0, count: 1)
            freezer.expect(bytes == [9], "the page cache shows \(bytes)")
          }
          #expect(reader.waitUntilFrozen())
          file.drop()
          let flusher = freezer.start("flush") { machine.memory.flushDeferredFrees() }
          #expect(!flusher.mayFinish(), "the frame was freed under a lookup")
          #expect(machine.memory.freePages == free)
          reader.thaw()
          try reader.join()
          try flusher.join()
          file.drop()
        }
      }
    }
  }
#endif
