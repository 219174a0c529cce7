/// The spaces that map a backing, without keeping them alive.
///
/// A space may end while it is looked at: then the last reference to it is the look's, and its teardown runs here. So weak
/// references are loaded, and what they gave is released, outside of the lock.
final class BackingUsers: Sendable {
  private struct Entry {
    weak var user: (any BackingUser)?
    /// Tells an entry from a later one with the same identifier: memory of a space that has ended is used again.
    let serial: UInt64
  }

  private struct Entries {
    var bySpace: [ObjectIdentifier: Entry] = [:]
    var lastSerial: UInt64 = 0
  }

  private let entries = Guarded(Entries())

  func add(_ user: any BackingUser) {
    entries.withLock { entries in
      entries.lastSerial += 1
      entries.bySpace[ObjectIdentifier(user)] = Entry(user: user, serial: entries.lastSerial)
    }
  }

  /// Those that still live.
  var all: [any BackingUser] {
    let known = entries.withLock { $0.bySpace }
    var living: [any BackingUser] = []
    var ended: [(ObjectIdentifier, serial: UInt64)] = []
    for (identifier, entry) in known {
      if let user = entry.user { living.append(user) } else { ended.append((identifier, entry.serial)) }
    }
    if !ended.isEmpty {
      entries.withLock { entries in
        for (identifier, serial) in ended where entries.bySpace[identifier]?.serial == serial {
          entries.bySpace[identifier] = nil
        }
      }
    }
    return living
  }

  /// Calls `body` for every user, those too that are added meanwhile; stops where it returns false, and returns that.
  ///
  /// - Parameter kept: gets the users. The caller releases them when it holds no lock: a space may end with that.
  ///
  /// A fork adds the child before it copies entries, and copies them under the parent's mmap lock. So a child that got an
  /// entry before `body` emptied it in the parent is found in a further round.
  func forEach(keepingIn kept: inout [any BackingUser], _ body: (any BackingUser) -> Bool) -> Bool {
    var seen: Set<ObjectIdentifier> = []
    while true {
      // Kept alive, so that an identifier is not used again meanwhile.
      let fresh = all.filter { !seen.contains(ObjectIdentifier($0)) }
      kept += fresh
      if fresh.isEmpty { return true }
      for user in fresh {
        guard body(user) else { return false }
        seen.insert(ObjectIdentifier(user))
      }
    }
  }
}
