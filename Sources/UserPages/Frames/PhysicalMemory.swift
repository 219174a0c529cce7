import CPlatform
import Glibc

/// The machine: all physical memory, and what hands it out.
///
/// RAM is one arena (a memory file), so that real I/O can target a frame and other processes could map it. Beside RAM
/// there can be memory without descriptors (images) and ranges of RAM that belong to devices.
///
/// Thread-safe. The machine outlives everything made from it. Address spaces, files and images hold it strongly. Gets
/// and pins do not, because that would write a line which all of them share. So the machine checks at its end that none
/// is left, and traps if one is.
///
/// A process that has made a machine, or entered a section, should not go on in the child of a `fork(2)`. There RAM is
/// shared with the parent, and other threads' locks stay locked. The child's first use of the library prints a message
/// and aborts, and physical memory cannot be reached there. A child may call `exec` or `_exit`, and a program may fork
/// before its first use. Programs are best started by `posix_spawn` or `Process`, which costs the library nothing.
public final class PhysicalMemory: Sendable {
  /// Frames of RAM for contents. Table nodes and the zero page are beside it.
  public let ramPages: Int

  @usableFromInline let frames: FrameTable
  let sections: SectionMap
  let allocator: FrameAllocator
  let swap: SwapArea
  let tablePages: ZeroedPagePool
  let deferred: DeferredQueue.Handle
  let deferredQueue: DeferredQueue
  /// The frame of zeroes that reads of untouched anonymous memory see.
  package let zeroPage: PFN
  /// What a flush of the data cache does here, or nil if it does nothing.
  let dataCache: (any DataCacheFlushing)?
  let diagnostics: Diagnostics
  let reclaimer: Reclaimer
  /// What tests have in the way of allocations.
  package let allocationFailures = AllocationFailures()
  let arena: Int32

  /// Makes a machine, in time and memory that do not depend on its size.
  ///
  /// - Parameters:
  ///   - ramPages: RAM, in pages of 4096 bytes.
  ///   - movablePages: how many of them, at the end, are movable (`ZONE_MOVABLE`). Private memory and pages of a
  ///     `PageCache` may lie there, and long-term pins may not. A long-term pin moves its page out first.
  ///   - spanPages: how many frame numbers there are, RAM, images and devices together. Address space is reserved for
  ///     them, memory is not. By default 64 GiB, or four times RAM where that is more, but at most 16 TiB.
  ///   - dataCache: what a flush of the data cache does, by default nothing.
  ///   - swapFile: where pages of anonymous memory and of memory files go that are advised out or reclaimed. By
  ///     default there is no room.
  ///   - reclaim: when and how frames are taken back from page caches, anonymous memory and memory files.
  /// - Throws:
  ///   - `invalidArgument` for a size that is not positive, or beyond 8 TiB (RAM, swap) or 16 TiB (all frame numbers).
  ///   - `invalidArgument` for watermarks that are out of order or beyond RAM.
  ///   - `outOfMemory` if the process lacks the address space.
  ///   - `busy` if another machine uses the swap file.
  ///   - `file`, with the errno, if the swap file cannot be opened, or the file behind RAM cannot be made or mapped.
  public init(
    ramPages: Int, movablePages: Int = 0, spanPages: Int? = nil, dataCache: (any DataCacheFlushing)? = nil,
    swapFile: SwapFile = .none, reclaim: ReclaimPolicy = ReclaimPolicy()
  ) throws(PageError) {
    guard ramPages > 0, ramPages <= 1 << 31, swapFile.pages >= 0, swapFile.pages <= 1 << 31 else {
      throw .invalidArgument
    }
    let watermarks = reclaim.watermarks ?? Watermarks(ramPages: ramPages)
    guard watermarks.areSound(for: ramPages), movablePages >= 0, movablePages <= ramPages else {
      throw .invalidArgument
    }
    let swapStore = try SwapStore(swapFile)
    let span = spanPages ?? max(1 << 24, min(4 * ramPages, 1 << 32 - 1))
    // Frame numbers fit in 32 bits where lists of them are kept.
    guard span > ramPages, span < 1 << 32 else { throw .invalidArgument }
    guard let reserved = FrameTable(span: span + 4 * Page.pagesPerHuge) else { throw .outOfMemory }
    let sections = SectionMap(table: reserved)
    let frames: FrameTable
    var arena: Int32 = -1
    do throws(PageError) {
      zeroPage = try sections.add(pages: Page.pagesPerHuge, described: true, file: -1, writable: false, shared: false)
      arena = cp_memory_file("user-pages-ram", ramPages * Page.size)
      guard arena >= 0 else { throw .file(.create, errno: -arena) }
      let ram = try sections.add(pages: ramPages, described: true, file: arena, writable: true, shared: true)
      frames = reserved.with(movable: ram + (ramPages - movablePages)..<ram + ramPages)
      allocator = FrameAllocator(
        table: frames, first: ram, count: ramPages, movable: movablePages, watermarks: watermarks)
    } catch {
      if arena >= 0 { close(arena) }
      reserved.release()
      throw error
    }
    for index in 0..<Page.pagesPerHuge { frames.frame(zeroPage + index).beginReserved() }
    self.ramPages = ramPages
    self.dataCache = dataCache
    diagnostics = Diagnostics()
    reclaimer = Reclaimer(reclaim, watermarks)
    self.frames = frames
    self.sections = sections
    self.arena = arena
    let allocator = self.allocator
    let tablePages = ZeroedPagePool()
    self.tablePages = tablePages
    swap = SwapArea(swapStore, frames: frames, allocator: allocator)
    deferredQueue = DeferredQueue(weights: DeferredWord.weights) { words in
      DeferredFrames.free(words, frames: frames, sections: sections, allocator: allocator, tablePages: tablePages)
    }
    deferred = deferredQueue.handle
  }

  /// Another's parts, in a machine of its own: see `deinit`.
  private init(successorOf parts: Parts) {
    ramPages = parts.ramPages
    frames = parts.frames
    sections = parts.sections
    allocator = parts.allocator
    swap = parts.swap
    tablePages = parts.tablePages
    deferredQueue = parts.deferredQueue
    deferred = parts.deferredQueue.handle
    zeroPage = parts.zeroPage
    dataCache = parts.dataCache
    diagnostics = parts.diagnostics
    reclaimer = parts.reclaimer
    arena = parts.arena
  }

  private struct Parts {
    let ramPages: Int
    let frames: FrameTable
    let sections: SectionMap
    let allocator: FrameAllocator
    let swap: SwapArea
    let tablePages: ZeroedPagePool
    let deferredQueue: DeferredQueue
    let zeroPage: PFN
    let dataCache: (any DataCacheFlushing)?
    let diagnostics: Diagnostics
    let reclaimer: Reclaimer
    let arena: Int32
  }

  deinit {
    // The last drain waits for a grace period, which cannot end inside a section, and releases objects, which a thread
    // in a scope does not. Holds are looked for now: a get or a pin that is released later would reach for this object.
    if RCU.isReading || !ReclaimScope.mayRelease {
      // The writer gives references up. It waits for no thread and no section.
      swap.finishWrites()
      let held = heldFrames(besides: deferred.waitingReferences())
      if !held.isEmpty { fatalError("physical memory was torn down with gets or pins outstanding: \(held)") }
      let parts = Parts(
        ramPages: ramPages, frames: frames, sections: sections, allocator: allocator, swap: swap,
        tablePages: tablePages, deferredQueue: deferredQueue, zeroPage: zeroPage, dataCache: dataCache,
        diagnostics: diagnostics, reclaimer: reclaimer, arena: arena)
      return RCU.endOutsideSection(PhysicalMemory(successorOf: parts))
    }
    reclaimer.end()
    swap.end()
    deferred.drainAll()
    let left = census()
    precondition(
      left.pins == 0, "physical memory was torn down with \(left.pins) pins outstanding: \(heldFrames())")
    precondition(left.mapcounts == 0, "physical memory was torn down with \(left.mapcounts) pages mapped")
    precondition(left.swapSlots == 0, "physical memory was torn down with \(left.swapSlots) pages swapped out")
    if left.references != 0 { fatalError("physical memory was torn down with gets outstanding: \(heldFrames())") }
    precondition(!hasPartlyMappedFrames, "a 2 MiB frame has ended and counts as mapped in part")
    close(arena)
    frames.release()
  }

  /// Frames of RAM that are free now. Deferred frees are not among them until they are flushed. O(1), any thread.
  public var freePages: Int { allocator.freeCount }

  /// Waits for a grace period and for writes to the swap file, and frees what waited for them.
  ///
  /// What is deferred or queued meanwhile is not waited for. Any thread, holding no lock of an address space.
  ///
  /// It also releases what unmapped ranges showed: a backing's `deinit` may run here, on this thread. Called inside
  /// such a `deinit`, it frees the memory, and leaves other backings to the operation that releases this one. Called
  /// inside a page cache's store or `willWriteBack`, it leaves them until that call is over.
  ///
  /// - Precondition: not inside a read-side section.
  public func flushDeferredFrees() {
    RCU.finishEndings()
    swap.finishWrites()
    deferred.drainAll()
    swap.trim(retrying: false)
  }

  /// As `flushDeferredFrees`, but for objects: so it runs no user's code, and may be called with a lock held.
  func reclaimDeferredFrees() {
    swap.finishWrites()
    deferred.reclaim()
    swap.trim(retrying: false)
  }

  /// Returns when a grace period has passed that began after the call. What was deferred before the call is free then,
  /// but for what pin slots hold.
  ///
  /// After entries were emptied, a look at a frame's holders says something only then. Every section that read an entry
  /// is over. The entries' references are put, or kept for a slot.
  ///
  /// - Precondition: not inside a read-side section.
  func waitForReadersOfOldEntries() {
    // One grace period for both: the cookie is older than the deferred frees' own wait.
    let period = GracePeriod.next
    deferred.reclaim()
    period.wait()
  }

  // MARK: For the layers above

  /// Whether a frame's bytes stay mapped until the machine ends, whatever becomes of the frame: those of RAM and of the
  /// zero page.
  func keepsBytes(_ bytes: FrameBytes) -> Bool {
    let pfn = frames.number(of: bytes)
    return allocator.manages(pfn) || (pfn >= zeroPage && pfn < zeroPage + Page.pagesPerHuge)
  }

  /// Takes one more reference on a frame that has one, which the caller knows to stay meanwhile.
  ///
  /// - Throws: `outOfMemory` where the frame has as many references as it may have.
  @inline(__always)
  func retain(_ frame: Frame) throws(PageError) {
    guard frame.retain(Frame.oneReference) else { throw undoRetain(frame) }
  }

  /// Undoes a `retain` that was refused. Returns the error of that.
  @inline(never)
  func undoRetain(_ frame: Frame) -> PageError {
    put(frame, Frame.oneReference)
    return .outOfMemory
  }

  /// Gives back what a get or a pin took, freeing the frame if that was the last reference.
  @inlinable @inline(__always)
  func put(_ frame: Frame, _ counts: UInt64) {
    if frame.put(counts) { freeAfterLastPut(frame) }
  }

  /// ORDERING [last-put]: every user's accesses to the frame come before this.
  @usableFromInline @inline(never)
  func freeAfterLastPut(_ frame: Frame) {
    let pfn = frames.number(of: frame)
    if !allocator.manages(pfn) {
      if let first = sections.endReference(on: pfn) { releaseSection(first) }
    } else if frame.has(Frame.hugeBit) {
      allocator.freeHuge(pfn)
    } else {
      allocator.free(pfn)
    }
  }

  /// Gives back an unpublished section's memory and numbers after a grace period: at once, where the caller may wait
  /// for one.
  func releaseSection(_ first: PFN) {
    if RCU.isReading { return deferred.enqueue(.section(first)) }
    RCU.synchronize()
    sections.release(first)
  }

  /// Gives a mapping's reference up: after a grace period, see `FrameDescriptor`.
  func putAfterGracePeriod(_ pfn: PFN) { deferred.enqueue(.frame(pfn)) }
}
