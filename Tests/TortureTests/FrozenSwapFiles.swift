#if DEBUG
  import Foundation
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// The real file behind a swap area, changed while a machine opens it.
    @Suite struct FrozenSwapFiles {
      /// The name is given to another file between opening and locking: the lock must be on the file that other
      /// machines will find.
      @Test func aNameThatAnotherFileGets() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("swap-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("swap").path
        @Sendable func machine(_ path: String) throws -> PhysicalMemory {
          try PhysicalMemory(ramPages: 4, swapFile: .file(at: path, pages: 4))
        }
        let freezer = Freezer()
        defer { freezer.remove() }
        let made = Locked<PhysicalMemory?>(nil)
        let maker = freezer.start("machine", freezeAt: .lockedFileBetweenLockAndLook) {
          let machine = try machine(path)
          made.withLock { $0 = machine }
        }
        #expect(maker.waitUntilFrozen())
        try FileManager.default.moveItem(atPath: path, toPath: path + "-old")
        // Another program makes a file of that name.
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        maker.thaw()
        try maker.join()
        #expect(throws: PageError.busy) { _ = try machine(path) }
        // What was opened first is not locked any more.
        _ = try machine(path + "-old")
        #expect(made.withLock { $0?.freePages } == 4)
      }
    }
  }
#endif
