import Synchronization

/// The mirrors of one address space, as its operations see them (`mmu_notifier_subscriptions`).
///
/// An operation pays one load of `published` if there is no mirror. A mirror is added under the mmap lock held for
/// writing. An operation holds the lock in either way while it revokes and changes. So it is done before the mirror is
/// added, or it sees the mirror. A fault holds no lock, so it locks its entry before it looks here. A mirror that is
/// added later finds that entry locked.
///
/// A mirror keeps its space, so the list of a space that ends is empty.
final class MirrorList: Sendable {
  // A `Published<[Translations]>`, or 0 if there is no mirror. Replaced under the lock of `all`.
  private let published = Atomic<UInt64>(0)
  private let all = Guarded<[Translations]>([])

  /// Adds a mirror's translations, of which there is none yet.
  ///
  /// - Parameter queue: the machine's deferred frees.
  func add(_ translations: Translations, _ queue: DeferredQueue.Handle, _ writer: borrowing MmapWriter) {
    all.withLock { all in
      all.append(translations)
      publish(all, queue)
    }
  }

  /// Removes them. Any thread, in a section too: no holder of the lock waits for anything.
  func remove(_ translations: Translations, _ queue: DeferredQueue.Handle) {
    all.withLock { all in
      all.removeAll { $0 === translations }
      publish(all, queue)
    }
  }

  private func publish(_ all: [Translations], _ queue: DeferredQueue.Handle) {
    let new = all.isEmpty ? 0 : Published(all, in: queue).word
    let old = published.exchange(new, ordering: .sequentiallyConsistent)
    if let old = Published<[Translations]>(word: old) { queue.enqueue(old.retired()) }
  }

  /// Revokes every translation of `range`, and keeps it from being translated again until the revocation ends: (r1) and
  /// (r2) of `Translations`. Nil if there is no mirror.
  @inline(__always)
  func revoke(_ range: Range<VirtualAddress>) -> Revocation? {
    published.load(ordering: .sequentiallyConsistent) == 0 ? nil : revokeAll(range)
  }

  @inline(never)
  private func revokeAll(_ range: Range<VirtualAddress>) -> Revocation? {
    // A copy, so that it outlives the section.
    let mirrors = RCU.read { () -> [Translations] in
      Published(word: published.load(ordering: .sequentiallyConsistent))?.value ?? []
    }
    if mirrors.isEmpty { return nil }
    for mirror in mirrors where mirror.range.overlaps(range) { mirror.beginRevoking(range) }
    YieldPoint.revocationBetweenWordsAndEntries.reach()
    return Revocation(mirrors: mirrors, range: range)
  }
}

/// A revocation that is under way: the operation is about to change entries of `range`, or is changing them.
struct Revocation {
  fileprivate let mirrors: [Translations]
  fileprivate let range: Range<VirtualAddress>

  /// The entries were changed: (r4).
  func end() { for mirror in mirrors where mirror.range.overlaps(range) { mirror.endRevoking() } }
}

extension AddressSpace {
  /// Runs `change`, which removes or replaces entries of `range` or takes permission from them, with no mirror
  /// translating the range (`mmu_notifier_invalidate_range_start` and its end).
  ///
  /// Every such change runs in here, or in a fault between `revokeTranslations` and the unlocking of its entry. The
  /// caller holds the mmap lock, or ends the space.
  ///
  /// - Parameter isNeeded: whether translations may be concerned at all.
  @inline(__always)
  func revokingTranslations<Result>(
    of range: Range<VirtualAddress>, if isNeeded: Bool = true, _ change: () -> Result
  ) -> Result {
    let revocation = isNeeded ? mirrors.revoke(range) : nil
    let result = change()
    if let revocation { revocation.end() }
    return result
  }

  /// The same for the page that holds `address`.
  @inline(__always)
  func revokingTranslation(at address: VirtualAddress, _ change: () -> PTE) -> PTE {
    revokingTranslations(of: address.pageStart..<address.pageStart + Page.size, change)
  }
}
