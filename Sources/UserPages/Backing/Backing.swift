/// What a mapping shows, page by page.
///
/// A fault asks it for a page and gets one of two kinds of answer. One is a frame that has a descriptor (Linux's old
/// `nopage`). The other is a frame number with none behind it (`nopfn`). Users of the library write their own. See
/// <doc:WritingABacking>.
public protocol Backing: AnyObject, Sendable {
  /// The number of pages. A fault beyond them is a bus error. Read as `fault` is called: holding no lock, outside of
  /// sections.
  var pageCount: Int { get }

  /// The frame of page 0, where page n is always the frame n further on. Nil if the pages do not follow each other so.
  ///
  /// A private mapping by number (VM_PFNMAP) is for such a backing only. A copied page is known there by not showing
  /// what it would (Linux's rule too). Read once for each mapping, when it is made.
  var firstFrame: PFN? { get }

  /// Answers a fault on `page`, counted from the backing's start.
  ///
  /// Called on the faulting thread, which holds no lock and is not inside a read-side section, so the backing may wait
  /// and allocate. It may be called more often than a page is installed: the fault may lose a race.
  ///
  /// - Parameters:
  ///   - page: not negative, and below `pageCount` as it was just before. The library answers for other pages.
  ///   - write: whether the program is about to store through a *shared* mapping. False for a private one.
  func fault(page: Int, write: Bool) -> FaultAnswer

  /// Answers a fault on 2 MiB with the first of 512 frames or frame numbers in a row. Nil if there are none: then pages
  /// are asked for.
  ///
  /// The first frame's number is a multiple of 512. So is `page`, and the backing has all 512 pages from it on.
  ///
  /// Asked for mappings that may have 2 MiB entries, and otherwise like `fault`. A frame's reference is one for all of
  /// them. Not for a backing that `writesBack`: stores are noticed page by page.
  func hugeFault(page: Int, write: Bool) -> FaultAnswer?

  /// Whether mappings of the backing use 2 MiB entries unless `map` is told otherwise. False by default.
  ///
  /// True for images. Their memory has no descriptors: a table node for each 2 MiB would be all that a mapping of them
  /// costs. Not for images of pages that are filled when they are used. Read once for each mapping, when it is made.
  var prefersHugePages: Bool { get }

  /// What the backing advances before a page moves. Nil, the default, if no page ever does.
  ///
  /// It is the same object as long as the backing lives. A fault asks for it together with an answer, holding no lock.
  var sequence: InvalidationSequence? { get }

  /// The spaces that map the backing. Nil, the default, for a backing that need not know them because no page ever
  /// moves.
  ///
  /// It is the same object as long as the backing lives. Read once for each mapping, when it is made. The library adds
  /// the space before a fault there can ask for a page, and a fork's child before the child has an entry.
  var users: BackingUsers? { get }

  /// Tells the backing that a private mapping has copied one of its pages into `copy`, a frame of the mapping's own.
  ///
  /// The backing may flush the data cache here. The faulting thread calls it before the fault returns, holding no lock
  /// and outside of read-side sections. `copy` stays valid until the call returns, even if the page is unmapped
  /// meanwhile. Called only if the original was shown by number, without a descriptor.
  func didCopy(page: Int, to copy: PageBytes)

  /// Whether a frame that is mapped for reading may become writable through a shared mapping (`page_mkwrite`). A
  /// backing that says no answers a fault for writing with a bus error as well. Read once for each mapping, when it is
  /// made.
  var takesStores: Bool { get }

  /// Whether stores to the backing's pages are written back to a file, so that each page's first store must be noticed.
  /// False by default. Read once for each mapping, when it is made. If it is true, a store to a page that is mapped
  /// read-only asks `willStore` first.
  var writesBack: Bool { get }

  /// Called before a fault asks for leave to store, by `willStore` or by `fault` with `write` set. `allow` by default.
  ///
  /// Called only if `writesBack` is true, as `fault` is called, and before the sequence is read. What takes long
  /// belongs here and not into the answer: to wait, or to write pages back. Another answer than `allow` is the fault's.
  func prepareStore(page: Int) -> StoreAnswer

  /// Called if a program is about to store to a page that a shared mapping shows read-only (`page_mkwrite`).
  ///
  /// Called only if `writesBack` is true. An answer to `fault` with `write` set says as much.
  ///
  /// Called as `fault` is. The entry becomes writable only if the sequence has not been advanced since before the call.
  /// So a backing that remembers the page as dirty here, and clears that before it advances the sequence, misses no
  /// store.
  func willStore(page: Int) -> StoreAnswer
}

/// A backing's answer to a program that is about to store to one of its pages.
public enum StoreAnswer: Sendable {
  /// The entry may become writable.
  case allow
  /// The program gets `SIGBUS`, as for a full disk.
  case busError
  /// The store fails with `outOfMemory`, after reclaim.
  case outOfMemory
  /// The file behind the page failed, or memory for it is lacking. See `FaultAnswer.failed`.
  case failed(PageError)
  /// Something changed: fault again.
  case retry
}

extension Backing {
  public var firstFrame: PFN? { nil }
  public func hugeFault(page: Int, write: Bool) -> FaultAnswer? { nil }
  public var prefersHugePages: Bool { false }
  public var sequence: InvalidationSequence? { nil }
  public var users: BackingUsers? { nil }
  public func didCopy(page: Int, to copy: PageBytes) {}
  public var takesStores: Bool { true }
  public var writesBack: Bool { false }
  public func prepareStore(page: Int) -> StoreAnswer { .allow }
  public func willStore(page: Int) -> StoreAnswer { .allow }
}

/// A backing's answer to a fault.
///
/// It owns the frame that it gives: the compiler sees to it that a backing gives each reference once. A wrong answer is
/// a bus error for the program and a `BackingDiagnostic` for the machine.
public enum FaultAnswer: ~Copyable, Sendable {
  /// A frame with a descriptor, and the reference that the entry is to hold.
  ///
  /// Of a 2 MiB frame, `page` says which of its pages is meant. It is 0 in the answer to
  /// `Backing.hugeFault(page:write:)`.
  case frame(FrameReference, page: Int = 0)
  /// A frame number, without a reference.
  ///
  /// A pfn mapping counts nothing. Any other mapping retains the frame if it has a descriptor. Such a frame must be
  /// shared memory that something else keeps, so a page of a program's private memory is a wrong answer. A free frame
  /// is a wrong answer in every mapping.
  /// `writable` says whether stores through a shared mapping may go there.
  case frameNumber(PFN, writable: Bool)
  /// There is no such page. The program gets `SIGBUS`.
  case busError
  /// The backing has no memory for the page. The fault looks for memory once and asks again, then fails.
  case outOfMemory
  /// The file behind the page failed. The program gets `busErrorOfFile`, with the step and the errno of a `file`.
  ///
  /// A `file` with errno `ENOMEM` is as `outOfMemory`, and keeps its step. Any other error is `busError`.
  case failed(PageError)
  /// Something changes at this moment: the fault asks again, at most 2048 times in a row and for about a second. A
  /// backing that waits for longer than that waits before it answers.
  case retry
}
