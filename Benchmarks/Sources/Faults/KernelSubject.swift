import CBenchmark
import Glibc
import Measuring
import Synchronization

/// The running kernel's system calls, with small pages, as the library has them here.
final class KernelSubject: FaultSubject {
  let name = "kernel"
  private let memory = Mutex<UInt>(0)

  // The kernel has no system call that only looks a mapping up, and allows for 65,530 mappings.
  func can(_ work: FaultWork) -> Bool { !work.isAmongMany }

  func prepare(_ work: FaultWork, operations: Int, threads: Int) throws(Failure) {
    guard work == .fault || work == .fork else { return }
    let address = try Self.map(pages: operations * threads)
    madvise(address, operations * threads * 4096, MADV_NOHUGEPAGE)
    if work == .fork { Self.touch(address, pages: operations) }
    memory.withLock { $0 = UInt(bitPattern: address) }
  }

  func perform(_ work: FaultWork, operations: Int, thread: Int) throws(Failure) {
    switch work {
    case .fault:
      let start = memory.withLock { $0 } + UInt(thread * operations * 4096)
      guard let address = UnsafeMutableRawPointer(bitPattern: start) else { return }
      Self.touch(address, pages: operations)
    case .fork:
      preconditionFailure("a fork times itself")
    case .lookUp, .mapUnmapAmong:
      preconditionFailure("the kernel cannot do that")
    case .mapUnmap, .mapTouchUnmap:
      for _ in 0..<operations {
        let address = try Self.map(pages: FaultWork.mappingPages)
        if work == .mapTouchUnmap { Self.touch(address, pages: FaultWork.mappingPages) }
        munmap(address, FaultWork.mappingPages * 4096)
      }
    }
  }

  func undo(_ work: FaultWork, operations: Int, threads: Int) throws(Failure) {
    guard let address = UnsafeMutableRawPointer(bitPattern: memory.withLock { $0 }) else { return }
    munmap(address, operations * threads * 4096)
    memory.withLock { $0 = 0 }
  }

  /// Nanoseconds of one fork, the end of the child not counted.
  func timeFork() throws(Failure) -> UInt64 {
    let elapsed = time_fork()
    if elapsed == 0 { throw Failure("the kernel does not let this program fork: \(Failure.reason(errno))") }
    return elapsed
  }

  private static func map(pages: Int) throws(Failure) -> UnsafeMutableRawPointer {
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    guard let address = mmap(nil, pages * 4096, PROT_READ | PROT_WRITE, flags, -1, 0), address != MAP_FAILED else {
      throw Failure("the kernel does not map \(pages) pages: \(Failure.reason(errno))")
    }
    return address
  }

  private static func touch(_ address: UnsafeMutableRawPointer, pages: Int) {
    for page in 0..<pages { (address + page * 4096).storeBytes(of: 1, as: UInt8.self) }
  }
}
