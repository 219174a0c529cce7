import CBenchmark
import Glibc
import Measuring
import UserPages

/// What it costs to read a file in order, by one reader or by some that take turns, each in a part of its own.
struct ScanCost {
  enum Reader: String, CaseIterable {
    /// A `PageCache`, which reads its windows side by side.
    case ring
    /// The same, one window after the other.
    case calls
    /// The kernel's mapping and its read-ahead, through its page cache and without a limit.
    case mmap
    /// A direct read for each page: no read-ahead.
    case pread
  }

  static let readers = [1, 16]
  private static let area: VirtualAddress = 0x10_0000_0000

  let file: PoolFile
  let limit: Int
  let seconds: Double

  /// What one page costs.
  struct Cost {
    var nanoseconds: Double
    var processorMicroseconds: Double
  }

  func cost(_ reader: Reader, readers count: Int) throws(Failure) -> Cost {
    switch reader {
    case .ring: try cached(.ring, count)
    case .calls: try cached(.calls, count)
    case .mmap: try mapped(count)
    case .pread: try read(count)
    }
  }

  private func cached(_ transfers: DirectFile.Transfers, _ count: Int) throws(Failure) -> Cost {
    let space: AddressSpace
    do throws(PageError) {
      // Frames that were evicted come back after a grace period.
      let memory = try PhysicalMemory(ramPages: limit + 256)
      let cache = try PageCache(memory, try DirectFile(path: file.path, transfers: transfers), limit: limit)
      space = AddressSpace(memory, engine: .slot)
      try space.map(at: Self.area, pages: file.pages, protection: .read, sharing: .shared, backing: .file(cache))
    } catch { throw Failure("cannot measure a scan: \(error)") }
    defer { space.exit() }
    return try timed(count) { draw in
      let number = try? space.load(at: Self.area + draw.page * Page.size + draw.numberOffset, as: UInt64.self)
      return number == UInt64(draw.page)
    }
  }

  private func mapped(_ count: Int) throws(Failure) -> Cost {
    file.dropCache()
    let descriptor = try file.reopen(O_RDONLY)
    defer { close(descriptor) }
    let size = file.pages * 4096
    guard let base = Glibc.mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED else {
      throw Failure("map", file.path, errno: errno)
    }
    defer {
      munmap(base, size)
      file.dropCache()
    }
    return try timed(count) { draw in
      base.load(fromByteOffset: draw.page &* 4096 &+ draw.numberOffset, as: UInt64.self) == UInt64(draw.page)
    }
  }

  private func read(_ count: Int) throws(Failure) -> Cost {
    let descriptor = try file.reopen(O_RDONLY | direct_io_flag())
    defer { close(descriptor) }
    return try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 4096) { (page) throws(Failure) in
      try timed(count) { draw in
        pread(descriptor, page.baseAddress, 4096, draw.page * 4096) == 4096
          && page.load(fromByteOffset: draw.numberOffset, as: UInt64.self) == UInt64(draw.page)
      }
    }
  }

  /// Goes on until the time or the file is over.
  private func timed(_ count: Int, _ isRight: (Draw) -> Bool) throws(Failure) -> Cost {
    let part = file.pages / count
    let processorTime = process_time()
    let began = Clock.now()
    let end = began + UInt64(seconds * 1e9)
    var (step, failures) = (0, 0)
    while step < part, step % 16 != 0 || Clock.now() < end {
      for reader in 0..<count where !isRight(Draw(page: reader * part + step, isStore: false)) { failures += 1 }
      step += 1
    }
    let (elapsed, processed) = (Clock.now() - began, process_time() - processorTime)
    if failures > 0 { throw Failure("\(failures) pages of a scan are not what they should be") }
    let pages = Double(step * count)
    return Cost(nanoseconds: Double(elapsed) / pages, processorMicroseconds: Double(processed) / 1000 / pages)
  }
}
