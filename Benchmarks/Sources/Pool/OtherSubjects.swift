import CBenchmark
import CPools
import Glibc
import Measuring
import Synchronization

/// A pool written in C++.
final class CPoolSubject: PoolSubject, @unchecked Sendable {
  // Sendable: the C++ code is thread-safe.
  let name: String
  private let subject: pool_subject
  private let pool: UnsafeMutableRawPointer
  private let file: PoolFile

  /// Returns nil if this machine does not have what the subject needs.
  init?(_ subject: pool_subject, _ file: PoolFile, limit: Int) {
    guard let pool = subject.create(file.path, limit) else { return nil }
    self.subject = subject
    self.pool = pool
    self.file = file
    name = String(cString: subject.name)
  }

  deinit { subject.destroy(pool) }

  func can(_ work: PoolWork) -> Bool { true }

  func access(_ draws: UnsafeBufferPointer<UInt32>) -> Int {
    Int(subject.access(pool, draws.baseAddress, draws.count))
  }

  var misses: Int { Int(subject.misses(pool)) }
}

/// No pool at all: each access is a read by direct I/O, each store a write after it. What the disk can do.
final class DiskSubject: PoolSubject {
  let name = "disk"
  private let descriptor: Int32
  private let reads = Atomic<Int>(0)

  init(_ file: PoolFile) throws(Failure) { descriptor = try file.reopen(O_RDWR | direct_io_flag()) }

  deinit { close(descriptor) }

  func can(_ work: PoolWork) -> Bool { work.misses }

  func access(_ draws: UnsafeBufferPointer<UInt32>) -> Int {
    withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 4096) { page in
      var failures = 0
      for draw in draws {
        let draw = Draw(rawValue: draw)
        let isRead = pread(descriptor, page.baseAddress, 4096, draw.page * 4096) == 4096
        let isRight = isRead && page.load(fromByteOffset: draw.numberOffset, as: UInt64.self) == UInt64(draw.page)
        if !isRight { failures += 1 }
        guard draw.isStore else { continue }
        page.storeBytes(of: UInt64(draw.rawValue), toByteOffset: draw.numberOffset + 8, as: UInt64.self)
        if pwrite(descriptor, page.baseAddress, 4096, draw.page * 4096) != 4096 { failures += 1 }
      }
      reads.wrappingAdd(draws.count, ordering: .relaxed)
      return failures
    }
  }

  var misses: Int { reads.load(ordering: .relaxed) }
}
