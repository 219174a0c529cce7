import CPlatform
import Synchronization

/// What a mirror remembers of one page: where its bytes are and what may be done with them. One word.
///
/// 0 if nothing is remembered. Bits 0...2 say what the entry allowed. Bit 3 marks a claim, which remembers nothing yet.
/// The rest is the address of the bytes, or in a claim the number of the claiming thread.
@frozen @usableFromInline
struct Translation: Equatable, Sendable {
  @usableFromInline let rawValue: UInt64

  @inlinable @inline(__always) init(rawValue: UInt64) { self.rawValue = rawValue }

  @usableFromInline static var readable: UInt64 { 1 }
  @usableFromInline static var permanent: UInt64 { 2 }
  @usableFromInline static var writable: UInt64 { 4 }
  private static let claimed: UInt64 = 8

  static let none = Translation(rawValue: 0)

  /// - Parameters:
  ///   - bytes: what the entry showed.
  ///   - isWritable: whether a store may be made without a fault.
  ///   - isPermanent: whether the bytes stay readable for the life of the machine, as those of RAM do.
  init(_ bytes: FrameBytes, isWritable: Bool, isPermanent: Bool) {
    rawValue =
      UInt64(UInt(bitPattern: bytes.address)) | Self.readable | (isWritable ? Self.writable : 0)
      | (isPermanent ? Self.permanent : 0)
  }

  /// The calling thread's claim of a page before it looks at the page's entry. Different for each thread.
  static var claim: Translation {
    Translation(rawValue: UInt64(UInt32(bitPattern: ThreadNumber.current)) << 12 | claimed)
  }

  /// Whether the bytes may be read inside a section.
  @inlinable @inline(__always) var allowsLoad: Bool { rawValue & Self.readable != 0 }
  /// Whether they may also be read outside of one.
  @inlinable @inline(__always) var allowsUnheldLoad: Bool {
    rawValue & (Self.readable | Self.permanent) == Self.readable | Self.permanent
  }
  /// Whether they may be stored to, inside a section.
  @inlinable @inline(__always) var allowsStore: Bool { rawValue & Self.writable != 0 }

  /// The bytes, where a load is allowed.
  @inlinable @inline(__always) var bytes: FrameBytes {
    FrameBytes(UnsafeMutableRawPointer(bitPattern: UInt(rawValue & ~0xfff)).unsafelyUnwrapped)
  }
}

/// The translations of one mirror: a word for each page of its range, and a sequence that tells of revocations.
///
/// `revoke` is what an operation does before it changes entries of the range, and until it has changed them. `fill` is
/// what an access does that found no translation. The reader is outside of any section, and the writer is in one.
///
///     operation, fault                              fill, in one section
///     (r1) sequence: one more, one more active      (f1) sequence: none active, or gives up
///     (r2) each word: nothing                       (f2) reads the entry
///     (r3) changes the entries                      (f3) word: nothing -> its claim
///     (r4) sequence: one less active                (f4) sequence: still as in (f1), or takes its claim back
///     ... a grace period, or deferred frees         (f5) word: its claim -> the translation
///     (r5) what the entry held is used again
///
///     reader                                        writer
///     (a) reads the sequence                        (w1) enters a section
///     (b) reads the word                            (w2) reads the word
///     (c) reads the bytes                           (w3) stores to the bytes
///     (d) the sequence is as in (a), or again       (w4) leaves the section
///
/// ORDERING [revoke-then-change]: all steps but (c) and (w3) are sequentially consistent, or stronger orders of one
/// word.
///
/// - (A) *Fill against revocation.* Let (f5) succeed. If an operation's (r1) came before (f1), its (r4) did too,
///   because none was active. So (f2) found what (r3) had left. If (r1) came after (f4), then (r2) comes after (f3),
///   finds the claim or the translation, and clears it. It did not come between: (f4) found the sequence unchanged. So
///   a translation that stands is what the entry says, up to (r2) of the next change.
/// - (B) *Two fills.* A claim names its thread, which has one at a time. So no thread publishes on another's look, and
///   a fill waits for no other. A fill that takes a claim over makes the first one fail.
/// - (C) *Writer against revocation.* A writer that found a word read it before (r2), so before (r3). It is an access
///   that read the entry at that moment, inside a section that has not ended. Every argument about a program's own
///   accesses holds for it. The operation waits for a grace period where it must, and frees come a grace period later.
///   An entry that allows a store is dirty already.
/// - (D) *Reader against reuse.* Let (d) find the sequence unchanged. If (b) found a word that (r2) clears later, then
///   (r4) is not in what (d) read. (r4) comes before (r5), and so before every store of a later owner, on whichever
///   thread. Each of these stores is a release (`FrameBytes`). A reader that found one of them in (c) would find (r4)
///   in (d). So what it read is older than any reuse. A look at the word alone would not do: the page may be gone and
///   back, in the same frame, between (b) and (d).
/// - (E) *Own stores.* A translation is cleared before the new entry can be seen. So a thread that stored by the new
///   entry finds no older bytes here, whichever thread made the change.
/// - (F) *Ends.* RAM stays mapped as long as the machine, which the mirror keeps. Bytes beside RAM, of an image or a
///   device, may be unmapped a grace period after their entries went. They are read inside a section alone
///   (`isPermanent`).
/// - (G) *Splits.* An entry of 2 MiB that becomes 512 entries shows the same bytes. Nothing is revoked. A later change
///   revokes its pages.
@usableFromInline
final class Translations: @unchecked Sendable {
  /// What is mirrored: whole pages.
  let range: Range<VirtualAddress>
  /// What accesses use, without reference counting. Valid as long as this object.
  @usableFromInline let table: TranslationTable

  /// No translations yet. Takes memory where pages are translated.
  ///
  /// - Throws: `outOfMemory` if the process lacks the address space.
  init(_ range: Range<VirtualAddress>) throws(PageError) {
    self.range = range
    let bytes = Self.byteCount(of: range)
    guard let start = cp_reserve(bytes) else { throw .outOfMemory }
    // A forked child has no RAM. Without translations its accesses enter a section, which ends it with a message.
    guard cp_commit(start, bytes, -1, 0, 1, 0) == 0, cp_wipe_in_children(start, bytes) == 0 else {
      cp_release(start, bytes)
      throw .outOfMemory
    }
    table = TranslationTable(range, memory: start)
  }

  deinit { cp_release(table.memory, Self.byteCount(of: range)) }

  /// The sequence has a page of its own, so that no filled word shares its line.
  private static func byteCount(of range: Range<VirtualAddress>) -> Int {
    Page.size + (range.upperBound - range.lowerBound) / Page.size * MemoryLayout<UInt64>.stride
  }

  /// (r1) and (r2) for the pages of `range` that are mirrored. The caller changes the entries and calls `endRevoking`.
  func beginRevoking(_ range: Range<VirtualAddress>) {
    _ = table.sequence.pointee.wrappingAdd(TranslationTable.revocation + 1, ordering: .sequentiallyConsistent)
    let part = range.clamped(to: self.range)
    let first = (part.lowerBound - self.range.lowerBound) / Page.size
    for page in first..<first + (part.upperBound - part.lowerBound) / Page.size {
      let word = table.words + page
      if word.pointee.load(ordering: .sequentiallyConsistent) != 0 {
        word.pointee.store(0, ordering: .sequentiallyConsistent)
      }
    }
  }

  /// (r4).
  func endRevoking() { _ = table.sequence.pointee.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
}

/// The words of a mirror, for its accesses: a trivial value.
@frozen @usableFromInline
struct TranslationTable: @unchecked Sendable {
  @usableFromInline let start: UInt64
  @usableFromInline let byteCount: UInt64
  // Memory of `Translations`: the sequence, and a page further on the words.
  @usableFromInline let sequence: UnsafeMutablePointer<Atomic<UInt64>>
  @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>

  /// What a revocation adds to the sequence. Below it, the sequence counts the revocations that are under way.
  static let revocation: UInt64 = 1 << 16

  /// - Parameter memory: zeroes, which are empty words.
  fileprivate init(_ range: Range<VirtualAddress>, memory: UnsafeMutableRawPointer) {
    start = range.lowerBound.rawValue
    byteCount = UInt64(range.upperBound - range.lowerBound)
    sequence = memory.assumingMemoryBound(to: Atomic<UInt64>.self)
    words = (memory + Page.size).assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  fileprivate var memory: UnsafeMutableRawPointer { UnsafeMutableRawPointer(sequence) }

  /// The index of the page that holds `address`, or nil if it is not mirrored.
  @inlinable @inline(__always)
  func page(of address: VirtualAddress) -> Int? {
    let distance = address.rawValue &- start
    guard distance < byteCount else { return nil }
    return Int(truncatingIfNeeded: distance >> UInt64(Page.shift))
  }

  /// What is remembered of a page at this moment. Its bytes are good inside the section that read it.
  @inlinable @inline(__always)
  subscript(page: Int) -> Translation { Translation(rawValue: words[page].load(ordering: .acquiring)) }

  /// Runs `body` with the bytes of a page, outside of any section: (a) to (d). Returns its result if the translation
  /// was in force until its end. Returns nil if there was none, if it was revoked meanwhile, or if the bytes may only
  /// be read inside a section.
  ///
  /// - Parameters:
  ///   - page: the index of the page.
  ///   - isWord: whether `body` is one load, which acquires. Then (d) comes after (c) without a fence.
  ///   - body: reads the bytes.
  @inlinable @inline(__always)
  func readUnheld<Result>(_ page: Int, isWord: Bool = false, _ body: (FrameBytes) -> Result) -> Result? {
    // ThreadSanitizer knows the order of a grace period alone: for it the reader is in a section as well.
    if cp_inline_is_instrumented() != 0 { cp_read_lock() }
    defer { if cp_inline_is_instrumented() != 0 { cp_read_unlock() } }
    let before = sequence.pointee.load(ordering: .acquiring)
    let translation = self[page]
    guard translation.allowsUnheldLoad else { return nil }
    YieldPoint.mirrorBetweenTranslationAndBytes.reach()
    let result = body(translation.bytes)
    // ORDERING [revoke-then-change]: (d) comes after (c).
    if !isWord { atomicMemoryFence(ordering: .acquiring) }
    return sequence.pointee.load(ordering: .relaxed) == before ? result : nil
  }

  /// The sequence at this moment.
  var currentSequence: UInt64 { sequence.pointee.load(ordering: .sequentiallyConsistent) }

  /// The sequence, for a fill: (f1). Nil while a revocation is under way.
  func sequenceIfQuiet() -> UInt64? {
    let value = currentSequence
    return value & (Self.revocation - 1) == 0 ? value : nil
  }

  /// Remembers `translation`, which was made of an entry that was read after `before`, unless a revocation began since:
  /// (f3) to (f5). The section is the one in which the entry was read.
  func fill(_ page: Int, with translation: Translation, since before: UInt64, _ section: RCU.Section) {
    let word = words + page
    let old = word.pointee.load(ordering: .sequentiallyConsistent)
    if old == translation.rawValue { return }
    let claim = Translation.claim.rawValue
    guard exchange(word, old, claim) else { return }
    YieldPoint.mirrorBetweenClaimAndLook.reach()
    let holds = currentSequence == before
    YieldPoint.mirrorBetweenLookAndPublish.reach()
    _ = exchange(word, claim, holds ? translation.rawValue : 0)
  }

  private func exchange(_ word: UnsafeMutablePointer<Atomic<UInt64>>, _ old: UInt64, _ new: UInt64) -> Bool {
    word.pointee.compareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent).exchanged
  }
}
