import UserPages

/// A backing of one's own: a ring buffer that a program sees twice in a row, so that no record is cut at the end.
///
///     swift run example-ring-backing
///
/// The backing answers faults with bare frame numbers. No memory is allocated, no descriptor is touched, and no page
/// can be pinned: the device, not a reference count, keeps the memory there.
final class RingBacking: Backing {
  private let ring: DeviceRange

  init(_ memory: PhysicalMemory, pages: Int) throws(PageError) {
    ring = try DeviceRange(memory, pages: pages)
  }

  /// The ring, and the ring once more.
  var pageCount: Int { 2 * ring.pageCount }

  func fault(page: Int, write: Bool) -> FaultAnswer {
    guard page >= 0, page < pageCount else { return .busError }
    return .frameNumber(ring.firstPFN + page % ring.pageCount, writable: true)
  }
}

@main
struct Example {
  static func main() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let space = AddressSpace(memory)
    let ring = try RingBacking(memory, pages: 2)
    let base: VirtualAddress = 0x4000_0000
    try space.map(
      at: base, pages: ring.pageCount, protection: .readWrite, sharing: .shared, backing: .pfn(ring, isIO: true))

    // A record over the end of the ring is written in one piece, and read from its start.
    try space.store([1, 2, 3, 4], at: base + (2 * Page.size - 2))
    let wrapped = try space.load(at: base, count: 2)
    print("behind the end: \(wrapped), the entry: \(space.entry(at: base))")
    precondition(wrapped == [3, 4], "the ring is not mapped twice")
    do {
      try space.pin(at: base).release()
      preconditionFailure("a bare frame number was pinned")
    } catch {
      print("a pin: \(error)")
    }
  }
}
