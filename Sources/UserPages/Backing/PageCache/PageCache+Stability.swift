import Synchronization

/// Writing one moment's contents of a page while programs store to it.
///
///     write-back of a batch                            a store to one of its pages
///     (b1) to (b4) as ever: each page has its mark,    (f2) finds the mark: waits
///          and no entry is writable
///     (b5) the hook may store, and makes an entry      comes by that entry, without a fault
///          writable
///     (b5') (b1) to (b4) again for such pages          (f2) finds the mark: waits
///     (b6) copies the pages, if it is to               `write` copies under `copyLock`, and looks at the mark there
///     (b6') marks them as copied, wakes stores         goes on, and marks the page dirty
///     (b7) writes the copies, or where pages lie
///     (b8) clears both marks, wakes stores             goes on, and marks the page dirty
///
/// A copy is made when no store is on its way, by (b4) or (b5'), and none is let in before (b6'). So it is one moment's
/// contents. What a pin's holder stores meanwhile has no moment: a holder says when it is done by ending its pin.
///
/// **Which costs less.** To copy a page takes the processor a tenth of a microsecond or two, whether a store comes or
/// not. A store that waits sleeps as long as its batch is written: milliseconds on a disk. So copying pays from one
/// store in some thousand to ten thousand pages on. `adapts` copies a batch if a store has met it by (b6), or met the
/// writing of the last one. `Benchmarks/RESULTS.md` has what was measured.
extension PageCache {
  /// Whether what is written of a page is one moment's contents, and how.
  public enum Stability: Sendable {
    /// A page may change while it is written. It is dirty then, and is written again.
    case none
    /// A store waits until its page is written (Linux's stable pages, `folio_wait_stable`).
    case waits
    /// Pages are copied, and the copies are written. A store waits until its page is copied.
    case copies
    /// As `copies` if a store meets a batch of pages that is written, or met the last one. Otherwise as `waits`.
    case adapts
  }

  /// Whether what is written of a page is one moment's contents.
  var isStable: Bool { stability != .none }

  /// Whether the pages of a batch are copied before they are written.
  func copiesFirst() -> Bool {
    switch stability {
    case .none, .waits: false
    case .copies: true
    case .adapts: storesDuringWrites.exchange(0, ordering: .relaxed) > 0
    }
  }

  /// (b6'): the pages are copied. The states order the copies before the stores that are let in.
  func letStoresIn(to pages: [Int]) {
    for page in pages { states.update(page) { $0.with(PageState.copiedMark) } }
    reader.changes.locked { reader.changes.wakeAll() }
  }

  /// Waits until a page may change, in a stable cache. The thread that writes does not wait for itself: a hook may
  /// store.
  func waitForContents(of page: Int) {
    guard states[page].isUnderWriteBack, !writeBackLock.isHeldByCaller else { return }
    storesDuringWrites.wrappingAdd(1, ordering: .relaxed)
    reader.changes.locked { while states[page].needsContents { reader.changes.wait() } }
  }
}
