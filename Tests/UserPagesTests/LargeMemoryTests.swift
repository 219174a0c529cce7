import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// Memory of which little is used costs little.
@Suite struct LargeMemoryTests {
  /// As much RAM as there may be: made, used and ended without a word for each of its frames.
  @Test(
    .enabled(if: !Sanitizer.isPresent, "a sanitizer leaves too little address space"),
    arguments: [1 << 20, 1 << 29, 1 << 31])
  func aMachineOfManyPages(pages: Int) throws {
    let machine = try Machine(frames: pages)
    do {
      let memory = machine.memory
      #expect(memory.freePages == pages)
      #expect(memory.census().isClean)
      let space = AddressSpace(memory)
      try space.map(at: 0x4000_0000, pages: 4096, protection: .readWrite, hugePages: true)
      for page in stride(from: 0, to: 4096, by: 256) {
        try space.store(UInt64(page), at: 0x4000_0000 + page * Page.size)
      }
      #expect(memory.census().framesInUse == 4096)
      #expect(memory.census().references == 8)
      let used = memory.allocator.usedSinceBirth
      #expect(used.reduce(0) { $0 + Int($1.upperBound.rawValue - $1.lowerBound.rawValue) } <= 8192)
    }
    #expect(machine.leaks() == [])
  }

  @Test(.enabled(if: !Sanitizer.isPresent, "a sanitizer leaves too little address space"))
  func theLastFramesAreGivenOut() throws {
    let memory = try PhysicalMemory(ramPages: 1 << 31)
    let (first, count) = (memory.allocator.first, memory.allocator.count)
    #expect(first + (count - 1) < PFN(1 << 32), "frame numbers fit in 32 bits where lists of them are kept")
    #expect(memory.frames.kind(of: first + (count - 1)) == .described)
    memory.frames.bytes(of: first + (count - 1)).fill(7)
    #expect(memory.frames.bytes(of: first + (count - 1)).load(fromByteOffset: 4088, as: UInt8.self) == 7)
  }

  @Test func sizesBeyondTheLimit() throws {
    for pages in [0, -1, 1 << 31 + 1, Int.max] {
      #expect(throws: PageError.invalidArgument) { _ = try PhysicalMemory(ramPages: pages) }
    }
  }

  // MARK: Images that are filled by a pattern

  /// Pages of memory files that the kernel has for an image.
  private func pagesInMemory(_ image: Image) throws -> Int {
    let link = "/proc/self/fd"
    // The image's own file is the one of that size.
    for name in try FileManager.default.contentsOfDirectory(atPath: link) {
      var status = stat()
      guard stat("\(link)/\(name)", &status) == 0, Int(status.st_size) == image.byteCount else { continue }
      return Int(status.st_blocks) * 512 / Page.size
    }
    throw CocoaError(.fileNoSuchFile)
  }

  /// Each image has a size of its own, by which its memory file is found: tests run side by side.
  private static let images = Atomic(0)

  private func withImage(_ body: (PhysicalMemory, Image, AddressSpace) throws -> Void) throws {
    let memory = try PhysicalMemory(ramPages: 4096)
    do {
      let number = Self.images.wrappingAdd(1, ordering: .relaxed).newValue
      let image = try Image(memory, pages: 0x1f_f000 - number) { UInt8(truncatingIfNeeded: $0 + 1) }
      let space = AddressSpace(memory)
      try body(memory, image, space)
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  private func content(_ page: Int) -> UInt8 { UInt8(truncatingIfNeeded: page + 1) }

  @Test(arguments: [false, true])
  func anImageCostsWhatIsRead(byNumber: Bool) throws {
    try withImage { memory, image, space in
      #expect(try pagesInMemory(image) == 0)
      let start = VirtualAddress(1 << 40)
      try space.map(
        at: start, pages: image.pageCount, protection: .readWrite, backing: byNumber ? .pfn(image) : .mixed(image))
      #expect(try pagesInMemory(image) == 0)
      let read = [0, 1, 77, 254, 4096, image.pageCount - 1]
      for page in read {
        #expect(try space.load(at: start + page * Page.size, as: UInt8.self) == content(page))
        #expect(try space.load(at: start + page * Page.size + 4095, as: UInt8.self) == content(page))
      }
      #expect(try pagesInMemory(image) == read.count)
      // A first store copies what the page is to be.
      try space.store(UInt8(0xaa), at: start + 300 * Page.size)
      #expect(try space.load(at: start + 300 * Page.size + 1, as: UInt8.self) == content(300))
      #expect(try space.load(at: start + 255 * Page.size, as: UInt8.self) == 0)
      #expect(try pagesInMemory(image) == read.count + 2)
      #expect(try image.read(at: 5000 * Page.size - 1, count: 2) == [content(4999), content(5000)])
      #expect(try pagesInMemory(image) == read.count + 4)
    }
  }

  @Test(arguments: [false, true])
  func hugeEntries(byNumber: Bool) throws {
    try withImage { memory, image, space in
      let start = VirtualAddress(1 << 40)
      try space.map(
        at: start, pages: image.pageCount / 512 * 512, protection: .read,
        backing: byNumber ? .pfn(image) : .mixed(image),
        hugePages: true)
      #expect(try space.load(at: start + 513 * Page.size, as: UInt8.self) == content(513))
      #expect(try pagesInMemory(image) == 510, "one entry maps 512; two of them are zeroes, and were not looked at")
      for page in 512..<1024 { #expect(try space.load(at: start + page * Page.size, as: UInt8.self) == content(page)) }
    }
  }

  /// Numbers that are mapped without asking the image.
  @Test func insertedByNumber() throws {
    try withImage { memory, image, space in
      let other = try DeviceRange(memory, pages: 4)
      try space.map(at: 0x10000, pages: 2, protection: .read, sharing: .shared, backing: .mixed(other))
      try space.insertPFN(image.firstPFN + 9, at: 0x10000)
      try space.insertMixed(image.firstPFN + 11, at: 0x11000)
      #expect(try space.load(at: 0x10000, as: UInt8.self) == content(9))
      #expect(try space.load(at: 0x11000, as: UInt8.self) == content(11))
      try space.map(
        at: 0x4000_0000, pages: 512, protection: .read, sharing: .shared,
        backing: .mixed(try Image(memory, pages: 512) { _ in 0 }),
        hugePages: true)
      let aligned = PFN((image.firstPFN.rawValue + 511) & ~511)
      try space.insertHugePFN(aligned, at: 0x4000_0000)
      let page = Int(aligned.rawValue - image.firstPFN.rawValue)
      #expect(try space.load(at: 0x4000_0000 + 5 * Page.size, as: UInt8.self) == content(page + 5))
      #expect(try pagesInMemory(image) == 510)
    }
  }

  /// Contents that were written back are not filled over.
  @Test func migrated() throws {
    try withImage { memory, image, space in
      try image.migrateToCache(page: 3)
      try space.map(at: 0x10000, pages: 8, protection: .readWrite, sharing: .shared, backing: .mixed(image))
      #expect(try space.load(at: 0x13000, as: UInt8.self) == content(3))
      try space.store(UInt8(0x99), at: 0x13000)
      try image.migrateToImage(page: 3)
      #expect(try space.load(at: 0x13000, as: UInt8.self) == 0x99)
      #expect(try space.load(at: 0x13001, as: UInt8.self) == content(3))
      #expect(try image.read(at: 3 * Page.size, count: 2) == [0x99, content(3)])
    }
  }

  /// Threads that meet in the same pages for the first time.
  @Test func filledByManyThreads() throws {
    try withImage { memory, image, space in
      let start = VirtualAddress(1 << 40)
      try space.map(at: start, pages: image.pageCount, protection: .read, backing: .mixed(image))
      let torture = Torture("filling an image")
      torture.run([
        Worker("reads", threads: 3) { run in
          var page = 0
          while run.next() {
            page += run.random.below(3)
            let found = try space.load(at: start + page * Page.size + 8, as: UInt8.self)
            torture.expect(found == UInt8(truncatingIfNeeded: page + 1), "page \(page) shows \(found)")
          }
        }
      ])
      #expect(torture.failures == [])
    }
  }

  @Test func missingFiles() throws {
    let memory = try PhysicalMemory(ramPages: 4)
    let folder = FileManager.default.temporaryDirectory.path
    #expect(throws: PageError.file(.open, errno: ENOENT)) { _ = try Image(memory, path: folder + "/no-such-image") }
    #expect(throws: PageError.file(.open, errno: EISDIR)) { _ = try Image(memory, path: folder) }
    #expect(throws: PageError.invalidArgument) { _ = try Image(memory, path: "/dev/null") }
  }
}
