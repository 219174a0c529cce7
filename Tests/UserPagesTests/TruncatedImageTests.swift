import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing
import UserPages

/// Images that are real files, truncated while they are mapped and read: bus errors of the mapping, no signal to the
/// process.
@Suite struct TruncatedImageTests {
  private static let start = VirtualAddress(0x10000)

  /// A temporary file with page n filled with the byte n + 1.
  private final class ImageFile: Sendable {
    let path = NSTemporaryDirectory() + "/truncated-image-\(UUID().uuidString)"

    init(pages: Int) throws {
      let bytes = Data((0..<pages * Page.size).map { UInt8(truncatingIfNeeded: $0 / Page.size + 1) })
      try bytes.write(to: URL(fileURLWithPath: path))
    }

    deinit { unlink(path) }

    func truncate(toPages pages: Int) { #expect(Glibc.truncate(path, off_t(pages * Page.size)) == 0) }
  }

  /// Runs `body` with a mapping of an image, and checks that nothing is held at the end.
  private func withMapping(
    pages: Int = 8, sharing: Sharing = .private, _ body: (ImageFile, Image, AddressSpace) throws -> Void
  ) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let file = try ImageFile(pages: pages)
      let image = try Image(memory, path: file.path)
      let space = AddressSpace(memory)
      try space.map(at: Self.start, pages: pages, protection: .readWrite, sharing: sharing, backing: .mixed(image))
      try body(file, image, space)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
    #expect(memory.freePages == memory.ramPages)
  }

  @Test(arguments: [false, true])
  func loadsOfALostPageAreBusErrors(touchedBefore: Bool) throws {
    try withMapping { file, image, space in
      if touchedBefore { _ = try space.load(at: Self.start, count: 8 * Page.size) }
      file.truncate(toPages: 5)
      let lost = Self.start + 6 * Page.size
      #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) { try space.load(at: lost, as: UInt64.self) }
      #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) {
        try space.load(at: lost + 1, as: UInt64.self)
      }
      #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) { try space.load(at: lost, count: 10) }
      #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) {
        var bytes = [UInt8](repeating: 0xee, count: 10)
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        try space.load(at: lost, into: &raw)
      }
      #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) {
        try space.withPage(at: lost, for: .read) { $0.load(as: UInt8.self) }
      }
      #expect(throws: PageError.file(.readWhole, errno: EIO)) { try image.read(at: 6 * Page.size, count: 1) }
      // Another page is lost as well, and those that are left are as they were.
      #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) {
        try space.load(at: Self.start, count: 8 * Page.size)
      }
      for page in 0..<5 {
        #expect(try space.load(at: Self.start + page * Page.size, as: UInt8.self) == UInt8(page + 1))
        #expect(try image.read(at: page * Page.size, count: 1) == [UInt8(page + 1)])
      }
    }
  }

  @Test func copiesOfALostPageAreBusErrors() throws {
    for touchedBefore in [false, true] {
      try withMapping { file, image, space in
        if touchedBefore { _ = try space.load(at: Self.start, count: 8 * Page.size) }
        try space.store(UInt8(0x77), at: Self.start + 7 * Page.size)
        file.truncate(toPages: 5)
        let lost = Self.start + 6 * Page.size
        #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) { try space.store(UInt8(1), at: lost) }
        #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) {
          try space.withPage(at: lost, for: .write) { $0.store(UInt8(1)) }
        }
        #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) { try image.migrateToCache(page: 6) }
        // A page that was copied before is the program's own.
        #expect(try space.load(at: Self.start + 7 * Page.size, count: 2) == [0x77, 8])
        let child = try space.fork()
        #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) { try child.load(at: lost, as: UInt8.self) }
        child.exit()
      }
    }
  }

  @Test func sharedStoresToALostPageAreBusErrors() throws {
    try withMapping(sharing: .shared) { file, _, space in
      _ = try space.load(at: Self.start, count: 8 * Page.size)
      file.truncate(toPages: 5)
      #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) {
        try space.store(UInt8(1), at: Self.start + 6 * Page.size)
      }
      try space.store(UInt8(0x55), at: Self.start)
      #expect(try space.load(at: Self.start, as: UInt8.self) == 0x55)
    }
  }

  /// Threads read the same pages while they are lost: each load gives the file's bytes or a bus error, and none gives
  /// zeroes.
  @Test func noThreadReadsZeroesInPlaceOfALostPage() throws {
    let pages = 250
    for _ in 0..<20 {
      try withMapping(pages: pages) { file, _, space in
        let wrong = Atomic<Int>(0)
        let lost = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: 4) { thread in
          if thread == 0 {
            usleep(UInt32.random(in: 0..<300))
            file.truncate(toPages: 2)
          }
          for page in 2..<pages {
            let address = Self.start + page * Page.size
            do throws(PageError) {
              while true {
                let value =
                  thread % 2 == 0 ? try space.load(at: address) : try space.load(at: address, count: 8).last ?? 0
                guard value == UInt8(truncatingIfNeeded: page + 1) else {
                  wrong.add(1, ordering: .relaxed)
                  break
                }
              }
            } catch {
              if error == .busErrorOfFile(.readWhole, errno: EIO) { lost.add(1, ordering: .relaxed) }
            }
          }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
        #expect(lost.load(ordering: .relaxed) == 4 * (pages - 2))
      }
    }
  }

  /// The end of an image ends its watch: the same frame numbers hold another file's pages afterwards.
  @Test func anotherImageInTheSamePlaceIsWhole() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    for _ in 0..<3 {
      let file = try ImageFile(pages: 4)
      let image = try Image(memory, path: file.path)
      #expect(try image.read(at: 3 * Page.size, count: 1) == [4])
      file.truncate(toPages: 0)
      #expect(throws: PageError.file(.readWhole, errno: EIO)) { try image.read(at: 3 * Page.size, count: 1) }
    }
  }

  /// More lost pages than the kernel lets a process have mappings: then the whole file is given up.
  @Test(.enabled(if: !Sanitizer.isPresent, "a sanitizer needs mappings of its own"))
  func manyLostPagesAreBusErrors() async {
    await #expect(processExitsWith: .success) {
      let limit = try #require(
        Int(String(contentsOfFile: "/proc/sys/vm/max_map_count", encoding: .utf8).trimmingCharacters(in: .newlines)))
      // Every other page, so that no two replaced pages lie side by side and become one mapping.
      let pages = 2 * min(limit, 100_000) + 4096
      let path = NSTemporaryDirectory() + "/many-lost-\(getpid())"
      let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
      defer { unlink(path) }
      try #require(ftruncate(descriptor, off_t(pages * Page.size)) == 0)
      let image = try Image(try PhysicalMemory(ramPages: 64), path: path)
      try #require(ftruncate(descriptor, 0) == 0)
      for page in stride(from: 0, to: pages, by: 2) {
        do throws(PageError) {
          _ = try image.read(at: page * Page.size, count: 1)
          fatalError("page \(page) was read")
        } catch {
          precondition(error == .file(.readWhole, errno: EIO))
        }
      }
      // In this process, or the test would say nothing: some page that was never touched is marked as well.
      if limit <= 100_000 {
        #expect(throws: PageError.file(.readWhole, errno: EIO)) { try image.read(at: Page.size, count: 1) }
      }
    }
  }

  /// A bus error that is not an image's ends the process, as without the library.
  @Test func otherBusErrorsAreStillFatal() async {
    await #expect(processExitsWith: .signal(SIGBUS)) {
      signal(SIGBUS, SIG_DFL)
      let file = try ImageFile(pages: 4)
      let image = try Image(try PhysicalMemory(ramPages: 64), path: file.path)
      _ = try image.read(at: 0, count: 1)
      TruncatedImageTests.touchAnotherTruncatedFile()
    }
  }

  /// A handler that was there before gets what is not an image's.
  @Test func anEarlierHandlerGetsOtherBusErrors() async {
    await #expect(processExitsWith: .exitCode(71)) {
      signal(SIGBUS) { _ in _exit(71) }
      let file = try ImageFile(pages: 4)
      let image = try Image(try PhysicalMemory(ramPages: 64), path: file.path)
      file.truncate(toPages: 1)
      #expect(throws: PageError.file(.readWhole, errno: EIO)) { try image.read(at: 2 * Page.size, count: 1) }
      TruncatedImageTests.touchAnotherTruncatedFile()
    }
  }

  private static func touchAnotherTruncatedFile() {
    let descriptor = memfd()
    ftruncate(descriptor, off_t(Page.size))
    let bytes = mmap(nil, Page.size, PROT_READ, MAP_SHARED, descriptor, 0)!
    ftruncate(descriptor, 0)
    print(bytes.load(as: UInt8.self))
  }

  private static func memfd() -> Int32 {
    let path = NSTemporaryDirectory() + "/another-file-\(getpid())"
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    unlink(path)
    return descriptor
  }

  @Test func pipesAndDirectoriesAreNoImages() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let pipe = NSTemporaryDirectory() + "/no-image-\(UUID().uuidString)"
    #expect(mkfifo(pipe, 0o600) == 0)
    defer { unlink(pipe) }
    for path in [pipe, "/dev/zero"] {
      #expect(throws: PageError.invalidArgument) { try Image(memory, path: path) }
    }
    #expect(throws: PageError.file(.open, errno: EISDIR)) { try Image(memory, path: NSTemporaryDirectory()) }
    #expect(throws: PageError.file(.open, errno: ENOTDIR)) { try Image(memory, path: pipe + "/missing") }
  }
}
