import Synchronization

/// What an operation has taken out of a space's page table and may not be reused yet (Linux's `mmu_gather`).
///
/// A load or store acts, inside one read-side section, on the entry that it read. So it can still be under way when the
/// entry is gone. The operation returns when no such access is left, and references fall a grace period after their
/// entries:
///
///     operation                                             a load or store
///     takes the mmap lock                                   enters a section, reads the entry
///       changes an entry
///       expectAccess(), deferFree(): what the entry held
///       close(with:): what must be waited for
///     gives the mmap lock up
///     finish(): a grace period  <------------------------   reads or writes the bytes, leaves the section
///     returns
///
/// `changeMappings` and `emptyEntries` run an operation in this order. They lend the teardown as `inout`, and only its
/// owner can consume it. So `finish` runs after the mmap lock was given up, and once for the whole operation.
struct Teardown: ~Copyable {
  private let queue: DeferredQueue.Handle
  private(set) var isAccessExpected = false
  private var required = GracePeriod.none

  /// - Parameter queue: the machine's deferred frees.
  init(_ queue: DeferredQueue.Handle) { self.queue = queue }

  deinit { precondition(!isAccessExpected && required == .none, "a teardown was dropped without its grace period") }

  /// Frees `word` a grace period from now. What it means is unreachable.
  @inline(__always)
  mutating func deferFree(_ word: DeferredWord) { queue.enqueue(word) }

  /// Notes that an access through an entry that was changed may be under way, and that another thread could tell.
  @inline(__always)
  mutating func expectAccess() { isAccessExpected = true }

  /// Determines the grace period to wait for. The caller still holds the mmap lock, and changes no further entry.
  ///
  /// ORDERING [change-then-grace]: the entries were changed before this. Another operation may have taken an entry away
  /// before and not have noted it yet. So `others` is asked whatever the operation found: the entry may be empty, or
  /// filled again (`mm_tlb_flush_nested`).
  mutating func close(with others: StaleAccesses) {
    if isAccessExpected || others.isAnyEntryBeingEmptied { others.note(.next) }
    isAccessExpected = false
    required = max(required, others.required)
  }

  /// Waits for the grace period that is this library's TLB shootdown, if one is needed. Then frees what has gathered,
  /// if that is much.
  ///
  /// - Precondition: the caller holds no lock and is in no read-side section.
  consuming func finish() {
    required.wait()
    required = .none
    queue.drainIfFull()
  }

  /// Frees what was deferred, on any thread. Its grace period serves the teardown as well. Releases by other threads
  /// are not waited for: the caller may hold a lock of its own that one of those needs.
  ///
  /// - Precondition: the caller holds no lock and is in no read-side section.
  consuming func finishAndDrain() {
    queue.drain()
    required.wait()
    required = .none
  }

  /// Ends the teardown where the caller has waited already, waits itself later, or where no thread can use the space
  /// any more.
  consuming func finishWithoutGracePeriod() {
    isAccessExpected = false
    required = .none
  }
}

/// The accesses through old entries of one space that an operation has yet to wait for (`tlb_flush_pending`).
///
/// An operation may find its work done by another one that has given the lock up and still waits. It must wait as well,
/// or this happens:
///
/// 1. A thread loads and stands between entry and bytes.
/// 2. An operation empties the entry, gives the lock up and waits.
/// 3. `unmap` of the same page meets an empty entry and returns.
/// 4. The caller reuses the memory.
/// 5. The load reads it.
///
/// An object of its own, so that these words share no cache line with what pins read of the space.
final class StaleAccesses: Sendable {
  private let newest = Atomic<UInt64>(0)
  private let emptying = Atomic<Int>(0)

  /// The grace period after which no access is left that any operation has noted.
  var required: GracePeriod { GracePeriod(number: newest.load(ordering: .sequentiallyConsistent)) }

  func note(_ period: GracePeriod) { newest.max(period.number, ordering: .sequentiallyConsistent) }

  /// Whether operations that share the mmap lock, or faults, are emptying entries and have not noted it yet. Asked
  /// under the mmap lock, by an operation that is not inside `emptyingEntries`.
  var isAnyEntryBeingEmptied: Bool { emptying.load(ordering: .sequentiallyConsistent) > 0 }

  /// Runs `body`, which empties entries while others look at them, and notes it if `body` says so.
  ///
  /// ORDERING [change-then-grace]: announced before an entry is emptied, noted after. An operation that comes to the
  /// entry later looks for both, and finds one.
  @inline(__always)
  func emptyingEntries(_ body: () -> Bool) {
    emptying.wrappingAdd(1, ordering: .sequentiallyConsistent)
    defer { emptying.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
    let isAccessExpected = body()
    YieldPoint.emptiedBetweenEntriesAndNote.reach()
    if isAccessExpected { note(.next) }
  }
}

extension AddressSpace {
  /// Runs `body`, which changes mappings and entries of `range`, under the mmap lock held for writing there. Returns
  /// when no access through an entry that it took away is left.
  ///
  /// - Precondition: the caller holds no lock and is in no read-side section.
  @inline(__always)
  func changeMappings<Result, Failure: Error>(
    in range: Range<VirtualAddress>,
    _ body: (borrowing MmapWriter, inout Teardown) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var teardown = Teardown(memory.deferred)
    let result = mmapLock.writing(range, in: mappings) { writer -> Swift.Result<Result, Failure> in
      defer { teardown.close(with: staleAccesses) }
      do throws(Failure) { return .success(try body(writer, &teardown)) } catch { return .failure(error) }
    }
    teardown.finish()
    return try result.get()
  }

  /// Runs `body`, which empties entries of `range` and leaves the mappings as they are, under the mmap lock held for
  /// reading there. Returns when no access through an entry that it took away is left.
  ///
  /// - Precondition: the caller holds no lock and is in no read-side section.
  func emptyEntries(in range: Range<VirtualAddress>, _ body: (borrowing MmapReader, inout Teardown) -> Void) {
    var teardown = Teardown(memory.deferred)
    mmapLock.reading(range) { reader in emptyEntries(reader, &teardown) { teardown in body(reader, &teardown) } }
    teardown.finish()
  }

  /// As `emptyEntries`, for a caller that waits for the grace period itself.
  func emptyEntries(_ lock: borrowing MmapReader, _ teardown: inout Teardown, _ body: (inout Teardown) -> Void) {
    staleAccesses.emptyingEntries {
      body(&teardown)
      return teardown.isAccessExpected
    }
    teardown.close(with: staleAccesses)
  }
}
