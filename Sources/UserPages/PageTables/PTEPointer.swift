import Synchronization

/// The address of an entry in a table.
///
/// Valid inside the read-side section in which it was found, and while the mmap lock is held. Nodes are unlinked under
/// that lock held for writing, and freed a grace period later.
///
/// Every access is sequentially consistent, but for `loadToWalk`, `unlock` and `storeUnseen`. The protocols here are
/// store-then-load on both sides ([pin-then-look], [lock-then-validate], [link-then-look]). Acquire and release would
/// not order those. On x86-64 such a load is a plain one. On AArch64 it waits for every earlier release of its thread.
@frozen @usableFromInline
struct PTEPointer: @unchecked Sendable {
  @usableFromInline let word: UnsafeMutablePointer<Atomic<UInt64>>

  @inlinable @inline(__always) init(_ word: UnsafeMutablePointer<Atomic<UInt64>>) { self.word = word }

  /// ORDERING [pin-then-look]: the second look is this load.
  @inlinable @inline(__always) func load() -> PTE {
    PTE(rawValue: word.pointee.load(ordering: .sequentiallyConsistent))
  }

  /// Loads a link, or an entry for a first look, in the descent of a pin or an access.
  ///
  /// It only acquires: with a link come the node's entries, with an entry the frame's contents. A descent that changed
  /// nothing before has no look to order after a change. Operations change a mapping's state first, so their descents
  /// use `load` ([lock-then-validate]).
  @inlinable @inline(__always) func loadToWalk() -> PTE { PTE(rawValue: word.pointee.load(ordering: .acquiring)) }

  /// Stores to an entry that the caller has locked, or that no other thread can change.
  func store(_ pte: PTE) { word.pointee.store(pte.rawValue, ordering: .sequentiallyConsistent) }

  /// Unlocks an entry that the caller has locked, as its last step, and gives it a new value.
  ///
  /// It only releases: a thread that reads the new value finds all that came before it. The lock was the change
  /// that [change-then-count] and [lock-then-validate] order, and the caller has made its looks since. After this it
  /// makes none.
  func unlock(storing pte: PTE) { word.pointee.store(pte.rawValue, ordering: .releasing) }

  /// Stores to an entry of a node or table that no other thread can find yet. Without order: publishing the node or
  /// table publishes its entries.
  @inline(__always)
  func storeUnseen(_ pte: PTE) { word.pointee.store(pte.rawValue, ordering: .relaxed) }

  /// The entry once it is unlocked.
  @inline(__always)
  func waitUntilUnlocked() -> PTE { update { _ in nil } }

  /// Replaces `old` by `new`. Returns false if the entry was not `old`.
  ///
  /// ORDERING [change-then-count]: the change. It pairs with [pin-then-look].
  func replace(_ old: PTE, with new: PTE) -> Bool {
    word.pointee.compareExchange(
      expected: old.rawValue, desired: new.rawValue, ordering: .sequentiallyConsistent
    ).exchanged
  }

  /// Locks the entry if it still is `old`.
  ///
  /// ORDERING [lock-then-validate]: the fault locks the entry, then looks at its mapping's state. The operation sets
  /// that state, then looks at the entries. In the single order of the four there are two cases. Either the fault sees
  /// that its mapping is detached and restores the entry. Or the operation meets the busy entry and waits.
  func lock(_ old: PTE) -> Bool { replace(old, with: .busy) }

  /// Changes the entry by `change` and returns what it was. Waits while it is busy. `change` may be called repeatedly
  /// and returns nil to leave the entry alone.
  @inline(__always)
  func update(_ change: (PTE) -> PTE?) -> PTE {
    var turns = 0
    while true {
      let old = load()
      if old.isBusy {
        Self.wait(&turns)
        continue
      }
      guard let new = change(old) else { return old }
      if replace(old, with: new) { return old }
    }
  }

  /// Empties the entry and returns what it was.
  func clear() -> PTE { update { $0.isEmpty ? nil : .empty } }

  /// One turn of waiting for a busy entry. The thread that locked it never blocks, but may be preempted.
  static func wait(_ turns: inout Int) { BusyWait.turn(&turns) }
}
