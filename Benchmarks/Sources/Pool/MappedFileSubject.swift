import CBenchmark
import Glibc
import Measuring

/// The kernel's `mmap(2)` of the file.
///
/// A memory cgroup limits what faults bring in, where that is much and the process may make one. Elsewhere a thread of
/// its own takes pages out (`MADV_PAGEOUT`) as fast as they come in. It knows no order of use: it goes round the file.
final class MappedFileSubject: PoolSubject, @unchecked Sendable {
  // Sendable: the mapping stays where it is; words of it are loaded and stored whole.
  let name = "mmap"
  private let file: PoolFile
  private let base: UnsafeMutableRawPointer
  private let descriptor: Int32
  private let group: MemoryCgroup?
  private let trimmer: ThreadGroup?
  private let stop = StopFlag()
  private let faultsBefore = Int(major_faults())

  init(_ file: PoolFile, limit: Int) throws(Failure) {
    self.file = file
    file.dropCache()
    descriptor = try file.reopen(O_RDWR)
    let size = file.pages * 4096
    guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), base != MAP_FAILED else {
      let code = errno
      close(descriptor)
      throw Failure("map", file.path, errno: code)
    }
    self.base = base
    // Faults read one page, as the other subjects do.
    madvise(base, size, MADV_RANDOM)
    group = Self.group(limit)
    if let group {
      trimmer = nil
      try MemoryCgroup.enter(group.folder)
      return
    }
    let (stop, descriptor) = (stop, descriptor)
    let start = UInt(bitPattern: base)
    let trimmer = try ThreadGroup(1) { _ in
      var residency = Residency(start: start, pages: file.pages, descriptor: descriptor, limit: limit)
      while !stop.isRaised { residency.trim() }
    }
    trimmer.open()
    self.trimmer = trimmer
  }

  deinit {
    stop.raise()
    trimmer?.join()
    munmap(base, file.pages * 4096)
    close(descriptor)
    file.dropCache()
    // The process was let in, so it is let out.
    try? group?.leave()
    group?.remove()
  }

  /// A cgroup for `limit` pages and a little more: their entries, what is charged in advance for each processor, and
  /// what the measurement itself needs. Nil where none can be made, or where that would be most of it.
  private static func group(_ limit: Int) -> MemoryCgroup? {
    limit < 1 << 14 ? nil : MemoryCgroup(limit: limit * 4096 * 33 / 32 + 8 << 20)
  }

  /// How `limit` pages in memory are kept to.
  static func limiting(_ limit: Int) -> String {
    guard let group = group(limit) else {
      return "mmap: no memory cgroup for so much can be made here, so a thread takes pages out (MADV_PAGEOUT)."
    }
    group.remove()
    return "mmap: limited by a memory cgroup."
  }

  func can(_ work: PoolWork) -> Bool { true }

  @inline(never)
  func access(_ draws: UnsafeBufferPointer<UInt32>) -> Int {
    var failures = 0
    for draw in draws {
      let draw = Draw(rawValue: draw)
      let number = base + draw.page &* 4096 + draw.numberOffset
      if number.load(as: UInt64.self) != UInt64(draw.page) { failures += 1 }
      if draw.isStore { number.storeBytes(of: UInt64(draw.rawValue), toByteOffset: 8, as: UInt64.self) }
    }
    return failures
  }

  var misses: Int { Int(major_faults()) - faultsBefore }
}

/// Keeps a mapping at a number of pages in memory.
private struct Residency {
  let start: UInt
  let pages: Int
  let descriptor: Int32
  let limit: Int
  private var hand = 0
  private var residentPages = 0
  private var faults = major_faults()

  /// Pages that are taken out with one call.
  private static let stretch = 64

  init(start: UInt, pages: Int, descriptor: Int32, limit: Int) {
    self.start = start
    self.pages = pages
    self.descriptor = descriptor
    self.limit = limit
  }

  /// Counts the pages that came in, and takes as many out as are too many. Sleeps if there are none.
  mutating func trim() {
    let now = major_faults()
    residentPages += Int(now - faults)
    faults = now
    guard residentPages > limit else { return Clock.sleep(nanoseconds: 300_000) }
    let before = residentInStretch()
    if before > 0 {
      // Reclaim takes clean pages only.
      _ = write_back_file_range(descriptor, Int64(hand * 4096), Int64(stretch.count))
      _ = page_out(stretch.baseAddress, stretch.count)
      residentPages -= before - residentInStretch()
    }
    hand += Self.stretch
    if hand >= pages { hand = 0 }
  }

  private var stretch: UnsafeMutableRawBufferPointer {
    let first = UnsafeMutableRawPointer(bitPattern: start + UInt(hand) * 4096)
    return UnsafeMutableRawBufferPointer(start: first, count: min(Self.stretch, pages - hand) * 4096)
  }

  private func residentInStretch() -> Int {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.stretch) { flags in
      flags.initialize(repeating: 0)
      return resident_pages(stretch.baseAddress, stretch.count, flags.baseAddress) == 0
        ? flags.reduce(0) { $0 + Int($1 & 1) } : 0
    }
  }
}
