import CBenchmark
import Glibc
import Measuring

/// Clears resident pages, with no address space at all. No fault can do without that, and no fault scales better: this
/// is the memory's own scaling.
final class MemsetSubject: FaultSubject, @unchecked Sendable {
  // Sendable: threads clear pages of their own.
  let name = "memset"
  private let memory: UnsafeMutableRawPointer
  private let size: Int

  init(pages: Int) throws(Failure) {
    size = pages * 4096
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    guard let memory = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0), memory != MAP_FAILED else {
      throw Failure("the kernel does not map \(pages) pages: \(Failure.reason(errno))")
    }
    self.memory = memory
    // A fork of this process, which `kernel` times, leaves these entries alone. Otherwise the next clearing would pay
    // for copy-on-write.
    madvise(memory, size, MADV_DONTFORK)
    madvise(memory, size, MADV_NOHUGEPAGE)
    memset(memory, 1, size)
  }

  deinit {
    munmap(memory, size)
  }

  func can(_ work: FaultWork) -> Bool { work == .fault }
  func prepare(_ work: FaultWork, operations: Int, threads: Int) {}
  func undo(_ work: FaultWork, operations: Int, threads: Int) {}

  func perform(_ work: FaultWork, operations: Int, thread: Int) {
    let start = memory + thread * operations * 4096
    for page in 0..<operations { memset(start + page * 4096, 0, 4096) }
  }
}
