/// Translations of a range that are kept without a pin, and revoked when they stop being true
/// (`mmu_interval_notifier`).
///
/// A mirror takes the place of pins. It suits a device that keeps a page table of its own, a virtual machine monitor,
/// or a cache of decoded pages. It holds no reference. So it shows special pages too, which cannot be pinned, and it
/// keeps nothing from being moved, cleaned or swapped out. Every change that removes an entry, replaces it or takes
/// permission from it revokes the translation first. The next access faults in again what it needs, as the program's
/// own would.
///
/// - A load reads outside of any section and validates a sequence afterwards. If a revocation came in between, it reads
///   again.
/// - A store cannot be taken back. It runs inside a read-side section, for which an operation waits before it returns.
///   The page is marked dirty as by a store of the program.
///
/// Use a mirror if the memory is touched often, briefly and by this process. Use a pin if something needs the frame to
/// stay put while no thread of this process looks: real I/O, a device, another process.
///
/// The sequence takes the place of a callback. A user's code cannot run where an operation revokes, under the locks of
/// the space. A device that keeps something derived from a page compares ``sequence`` before it uses that again.
///
/// A mirror keeps its space, as a subscription keeps the `mm_struct` (`mmgrab`), and with it what the space maps.
/// `AddressSpace.exit` takes the mappings away, whatever mirrors there are. From then on accesses throw `badAddress`.
///
/// Any thread may call. A fork's child has no mirrors.
public final class Mirror: Sendable {
  /// What is mirrored: whole pages. They need not be mapped.
  public let range: Range<VirtualAddress>
  /// Whether stores are allowed.
  public let access: PageAccess

  // The protocol, and its argument, are in `Translations`.
  @usableFromInline let table: TranslationTable
  private let translations: Translations
  /// Kept, and with it the machine: a load may read a frame's bytes after the frame was freed.
  ///
  /// A weak reference would lose stores, because a backing (`BackingUsers`) finds no space once its `deinit` runs:
  ///
  /// 1. The program gives up the last reference to the space. Its end has yet to come to a page's entry.
  /// 2. A write-back takes the page's dirty mark, finds no space that maps it, and writes it.
  /// 3. A store goes through the translation.
  /// 4. The entry is emptied. The page is clean for its cache, which evicts it.
  @usableFromInline let space: AddressSpace

  fileprivate init(of space: AddressSpace, _ translations: Translations, for access: PageAccess) {
    range = translations.range
    self.access = access
    table = translations.table
    self.translations = translations
    self.space = space
  }

  deinit { space.mirrors.remove(translations, space.memory.deferred) }

  /// A number that changes before a translation is revoked, and stays as long as none is.
  ///
  /// Read it, then load through the mirror and keep what follows from the bytes. While the number is the same, none of
  /// the pages has been removed, replaced or write-protected. Their contents may have changed: a store is no
  /// revocation.
  public var sequence: UInt64 { table.currentSequence }

  /// Whether a translation of the page that holds `address` is there, and may still be read, at this moment.
  public func holdsTranslation(at address: VirtualAddress) -> Bool {
    guard let page = table.page(of: address) else { return false }
    return table[page].allowsLoad
  }
}

extension AddressSpace {
  /// Mirrors a range, which need not be mapped.
  ///
  /// Waits for an operation that is under way. Its memory is address space for a word a page, and frames where pages
  /// are translated.
  ///
  /// - Parameters:
  ///   - address: page-aligned.
  ///   - pages: how many.
  ///   - access: whether stores will be made.
  /// - Throws:
  ///   - `invalidArgument` if the range is empty or unaligned, or leaves the address space.
  ///   - `outOfMemory` if the process lacks the address space.
  /// - Complexity: O(mirrors of the space).
  public func mirror(
    at address: VirtualAddress, pages: Int, for access: PageAccess = .read
  ) throws(PageError) -> Mirror {
    guard let range = address.range(pages: pages) else { throw .invalidArgument }
    try memory.allocationFailures.check()
    let translations = try Translations(range)
    mmapLock.writing { writer in mirrors.add(translations, memory.deferred, writer) }
    return Mirror(of: self, translations, for: access)
  }

  /// Mirrors a range. See `mirror(at:pages:for:)`.
  public func mirror(
    _ range: Range<VirtualAddress>, for access: PageAccess = .read
  ) throws(PageError) -> Mirror {
    try mirror(at: range.lowerBound, pages: try range.pageCount(), for: access)
  }
}
