/// The spaces that map a backing, without keeping them alive.
final class BackingUsers: Sendable {
  private struct Entry {
    weak var user: (any BackingUser)?
  }

  private let users = Guarded<[ObjectIdentifier: Entry]>([:])

  func add(_ user: any BackingUser) {
    users.withLock { $0[ObjectIdentifier(user)] = Entry(user: user) }
  }

  /// Those that still live.
  var all: [any BackingUser] {
    users.withLock { users in
      users = users.filter { $0.value.user != nil }
      return users.values.compactMap(\.user)
    }
  }

  /// Calls `body` for every user, those too that are added meanwhile; stops where it returns false, and returns that.
  ///
  /// A fork adds the child before it copies entries, and copies them under the parent's mmap lock. So a child that got an
  /// entry before `body` emptied it in the parent is found in a further round.
  func forEach(_ body: (any BackingUser) -> Bool) -> Bool {
    var seen: Set<ObjectIdentifier> = []
    while true {
      // Held strongly for the round, so that an identifier is not used again meanwhile.
      let fresh = all.filter { !seen.contains(ObjectIdentifier($0)) }
      if fresh.isEmpty { return true }
      for user in fresh {
        guard body(user) else { return false }
        seen.insert(ObjectIdentifier(user))
      }
    }
  }
}
