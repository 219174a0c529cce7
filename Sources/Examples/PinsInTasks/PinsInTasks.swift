import UserPages

/// Many pins held by async tasks at once, while the program unmaps half of the memory.
///
///     swift run example-pins-in-tasks
///
/// A pin may cross a suspension point and end on another thread than the one that took it. What must not cross one is a
/// read-side section, and the compiler sees to that: `RCU.read` takes a synchronous closure.
@main
struct PinsInTasks {
  static let base: VirtualAddress = 0x10_0000
  static let pages = 64

  static func main() async throws {
    let memory = try PhysicalMemory(ramPages: 1024)
    let space = AddressSpace(memory, engine: .slot)
    try space.map(at: base, pages: pages, protection: .readWrite)
    for page in 0..<pages { try space.store(UInt64(page), at: base + page * Page.size) }

    let sum = try await withThrowingTaskGroup(of: UInt64.self) { group in
      for page in 0..<pages {
        let pin = try space.pin(at: base + page * Page.size)
        group.addTask { [holder = Holder(pin)] in
          await Task.yield()
          return holder.finish()
        }
      }
      // The pins outlive their mapping.
      try space.unmap(at: base, pages: pages / 2)
      var sum: UInt64 = 0
      for try await word in group { sum += word }
      return sum
    }
    print("the sum of \(pages) pinned pages is \(sum)")
    precondition(sum == UInt64(pages * (pages - 1) / 2), "a pinned page changed")
  }
}

/// A home for a pin in a closure: a noncopyable value cannot be captured by an escaping one.
final class Holder: Sendable {
  private let pin: PinnedPage

  init(_ pin: consuming PinnedPage) { self.pin = pin }

  /// Reads the page's first word. The pin ends with its holder.
  func finish() -> UInt64 { pin.load(as: UInt64.self) }
}
