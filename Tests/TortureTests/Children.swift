import TestSupport
import UserPages

/// Address spaces that one thread makes and another looks at.
final class Children: Sendable {
  private let spaces = Locked<[AddressSpace]>([])

  func add(_ space: AddressSpace) { spaces.withLock { $0.append(space) } }
  func forEach(_ body: (AddressSpace) -> Void) { spaces.withLock { $0 }.forEach(body) }
  func removeAll() { spaces.withLock { $0 = [] } }
}
