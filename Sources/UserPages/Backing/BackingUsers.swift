/// The address spaces that map a backing: its way from a page to the entries that show it (the reverse map).
///
/// A backing that moves pages owns one and returns it from `Backing.users`. The library keeps the list: it adds spaces,
/// under its own locks, and so runs no code of the backing there. The list keeps no space alive. Any thread may call.
///
/// A space may end while it is looked at: then the last reference to it is the look's, and its teardown runs in the
/// call. So hold no lock that the end of a space, or the end of a backing that the space mapped, needs.
public final class BackingUsers: Sendable {
  private struct Entry {
    weak var user: (any BackingUser)?
    /// Tells an entry from a later one with the same identifier: memory of a space that has ended is used again.
    let serial: UInt64
  }

  private struct Entries {
    var bySpace: [ObjectIdentifier: Entry] = [:]
    var lastSerial: UInt64 = 0
  }

  // Weak references are loaded, and what they gave is released, outside of the lock.
  private let entries = Guarded(Entries())

  /// No spaces yet.
  public init() {}

  // MARK: For the backing

  /// Empties every entry that shows the backing's own page (not a private copy of it), so that the next access faults.
  ///
  /// The backing has advanced its sequence before (`InvalidationSequence.advance()`). Accesses through the old entries
  /// may be under way when the call returns. So the backing waits for a grace period (`RCU.synchronize()`) before it
  /// moves the page.
  ///
  /// - Returns: false if a space maps the page by number in a way that cannot be emptied (`VM_PFNMAP`). Some spaces may
  ///   have been asked before.
  /// - Precondition: not inside a read-side section, nor holding a lock of an address space.
  /// - Complexity: O(mappings) in each space.
  public func unmap(page: Int, of backing: any Backing) -> Bool {
    unmap(pages: [page], of: backing)
  }

  /// The backing's own pages that were accessed through a mapping since the last call, in order, each once.
  ///
  /// - Complexity: O(entries that show the backing).
  func takeAccessedPages(of backing: any Backing) -> [Int] {
    Set(all.flatMap { $0.takeAccessedPages(of: backing) }).sorted()
  }

  /// As `unmap(page:of:)` of each page, at the cost of one walk over the mappings of each space.
  ///
  /// - Parameters:
  ///   - pages: in order, each once.
  ///   - backing: the one that they belong to, which owns this list.
  /// - Complexity: O(mappings + pages) in each space.
  public func unmap(pages: [Int], of backing: any Backing) -> Bool {
    var kept: [any BackingUser] = []
    defer { withExtendedLifetime(kept) {} }
    return forEach(keepingIn: &kept) { $0.unmap(pages: pages, of: backing, sparingLocked: false) }
  }

  /// Empties every entry that shows a page from `page` on, private copies too (`unmap_mapping_range` of a truncation).
  /// Otherwise as `unmap`.
  public func unmapAll(from page: Int, of backing: any Backing) {
    var kept: [any BackingUser] = []
    defer { withExtendedLifetime(kept) {} }
    _ = forEach(keepingIn: &kept) { user in
      user.unmapAll(from: page, of: backing)
      return true
    }
  }

  /// Makes entries that show the backing's own pages read-only and clean, so that the next store faults
  /// (`folio_mkclean`).
  ///
  /// Stores through the old entries may be under way when the call returns: the backing waits for a grace period.
  ///
  /// - Parameters:
  ///   - pages: in order, each once.
  ///   - backing: the one that they belong to, which owns this list.
  /// - Precondition, complexity: as `unmap(pages:of:)`.
  public func writeProtect(pages: [Int], of backing: any Backing) {
    var kept: [any BackingUser] = []
    defer { withExtendedLifetime(kept) {} }
    _ = forEach(keepingIn: &kept) { user in
      user.writeProtect(pages: pages, of: backing)
      return true
    }
  }

  /// Those of `pages`, which are in order, that were accessed through a mapping since the last call.
  ///
  /// - Complexity: O(mappings + pages) in each space.
  public func takeAccessed(among pages: [Int], of backing: any Backing) -> [Int] {
    Set(all.flatMap { $0.takeAccessed(among: pages, of: backing) }).sorted()
  }

  /// Whether a space has a mapping through which its program may store to the backing's own pages.
  func haveWritableMapping(of backing: any Backing) -> Bool { all.contains { $0.mapsWritably(backing) } }

  // MARK: For the library

  /// Adds a space, which may be in the list already. Takes the list's own lock alone.
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

  /// Calls `body` for every user, also for those that are added meanwhile. Stops if `body` returns false, and returns
  /// false then.
  ///
  /// - Parameter kept: gets the users. The caller releases them when it holds no lock: a space may end with that.
  ///
  /// ORDERING [attach-then-copy]: a fork adds the child and copies the entries in one turn of the parent's mmap lock,
  /// and `body` takes that lock. So a child that got an entry before `body` changed it in the parent is in the list by
  /// then. The list is read again after each round, which finds it.
  func forEach(keepingIn kept: inout [any BackingUser], _ body: (any BackingUser) -> Bool) -> Bool {
    var seen: Set<ObjectIdentifier> = []
    // A caller that asks batch after batch has them already.
    var known = Set(kept.map { ObjectIdentifier($0) })
    while true {
      // Kept alive, so that an identifier is not used again meanwhile.
      let fresh = all.filter { !seen.contains(ObjectIdentifier($0)) }
      kept += fresh.filter { known.insert(ObjectIdentifier($0)).inserted }
      if fresh.isEmpty { return true }
      for user in fresh {
        guard body(user) else { return false }
        seen.insert(ObjectIdentifier(user))
      }
    }
  }
}

/// An address space, as the layer of backings sees it.
protocol BackingUser: AnyObject, Sendable {
  /// The backing's own pages that were accessed through this user's mappings since the last call.
  func takeAccessedPages(of backing: any Backing) -> [Int]

  /// Whether the user has a mapping through which the program may store to the backing's own pages.
  func mapsWritably(_ backing: any Backing) -> Bool

  // For many pages, which are in order, each once: see `BackingUsers`.

  /// Empties every entry that shows one of the backing's own pages. If a mapping of one of them is by number
  /// (`VM_PFNMAP`), returns false and changes nothing.
  ///
  /// A caller that is told so keeps its pages: entries are left, and `forEach` asks no further user. If it gives the
  /// pages up in any case, it calls `unmapEverywhere`.
  ///
  /// - Parameter sparingLocked: whether entries of locked mappings stay.
  func unmap(pages: [Int], of backing: any Backing, sparingLocked: Bool) -> Bool

  /// Empties every entry that shows a page by its frame. An entry that shows another frame stays: the file has dropped
  /// that frame, which lives on where it is mapped.
  ///
  /// - Parameters:
  ///   - frames: those of `pages`, in the same order. An entry of 2 MiB that shows one is split.
  ///   - sparingLocked: whether entries of locked mappings stay.
  func unmap(_ frames: [PFN], ofPages pages: [Int], of backing: any Backing, sparingLocked: Bool)

  /// As the first `unmap`, in every mapping, by number too: the file has lost the pages (`unmap_mapping_range` of a
  /// hole).
  func unmapEverywhere(pages: [Int], of backing: any Backing)
  func unmapAll(from page: Int, of backing: any Backing)

  /// Gives back nodes without entries where a mapping shows aligned 2 MiB of `pages` (`retract_page_tables`). An empty
  /// node would keep an entry of 2 MiB out. Takes the user's lock for writing, and waits for a grace period under it.
  func reclaimTables(showing pages: Range<Int>, of backing: any Backing)
  func writeProtect(pages: [Int], of backing: any Backing)
  func takeAccessed(among pages: [Int], of backing: any Backing) -> [Int]

  /// Those that an entry of a locked mapping shows at this moment by their frame. A hint.
  ///
  /// - Parameter frames: those of `pages`, in the same order.
  func lockedPages(among pages: [Int], showing frames: [PFN], of backing: any Backing) -> [Int]
}
