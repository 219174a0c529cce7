import CPlatform

/// One reference on a frame of RAM, or on a 2 MiB frame: how code beside mappings, caches and pins owns a frame.
///
/// `PhysicalMemory.allocate()` makes the first one. The frame goes back to the allocator with its last reference,
/// whatever holds that: this value, an entry, a get or a pin. The value ends exactly once, by `put` or at the end of
/// its life. It can be handed to another thread but not copied. `retain` makes another. It does not keep the machine,
/// which traps at its end if a reference is left.
///
/// Linux: the reference that `alloc_pages` returns, `folio_get`, `folio_put`.
public struct FrameReference: ~Copyable, Sendable {
  /// The frame's number. For a 2 MiB frame it is the first of 512 in a row.
  public let pfn: PFN
  /// The frame with the counts: the one of `pfn`.
  private let frame: Frame
  // Not retained, as in `HeldFrame`: the machine's end checks that no reference is left.
  private let memory: Unmanaged<PhysicalMemory>

  /// Takes over one reference on the frame of `pfn`, which is no part of a larger one.
  package init(owning pfn: PFN, in memory: PhysicalMemory) {
    self.pfn = pfn
    frame = memory.frames.frame(pfn)
    self.memory = .passUnretained(memory)
  }

  /// Takes over one more reference on the same frame.
  private init(sameAs other: borrowing FrameReference) {
    pfn = other.pfn
    frame = other.frame
    memory = other.memory
  }

  deinit { memory._withUnsafeGuaranteedRef { $0.put(frame, Frame.oneReference) } }

  /// Pages of 4096 bytes: 1, or 512 for a 2 MiB frame.
  public var pageCount: Int { frame.has(Frame.hugeBit) ? Page.pagesPerHuge : 1 }

  /// The frame's bytes of a page as a device sees them. The value must not outlive the reference.
  package func deviceBytes(ofPage index: Int = 0) -> FrameBytes {
    precondition(index >= 0 && index < pageCount, "there is no such page")
    return memory._withUnsafeGuaranteedRef { $0.frames.bytes(of: pfn + index) }
  }

  /// The bytes of the first page, for as long as the reference is borrowed.
  ///
  /// In Swift 6.3 a function that has borrowed the bytes of a `let` reference cannot consume it afterwards. A function
  /// that borrows the reference can look at the bytes for it.
  public var bytes: PageBytes {
    @_lifetime(borrow self)
    get { bytes(ofPage: 0) }
  }

  /// The bytes of the page at `index`, for as long as the reference is borrowed.
  ///
  /// - Precondition: `index` is not negative and below `pageCount`.
  @_lifetime(borrow self)
  public func bytes(ofPage index: Int) -> PageBytes {
    precondition(index >= 0 && index < pageCount, "the frame has no such page")
    let bytes = memory._withUnsafeGuaranteedRef { $0.frames.bytes(of: pfn + index) }
    return _overrideLifetime(PageBytes(bytes, isWritable: true), borrowing: self)
  }

  /// Another reference on the same frame (`folio_get`). O(1), any thread.
  ///
  /// - Throws: `outOfMemory` where the frame has as many references as it may have.
  public func retain() throws(PageError) -> FrameReference {
    guard frame.retain(Frame.oneReference) else { throw memory._withUnsafeGuaranteedRef { $0.undoRetain(frame) } }
    return FrameReference(sameAs: self)
  }

  /// Whether the frame is one of `memory`.
  func isOf(_ memory: PhysicalMemory) -> Bool { self.memory.toOpaque() == Unmanaged.passUnretained(memory).toOpaque() }

  /// Whether the frame has references, and is no program's private memory: as a frame may be that a backing shows.
  var isShared: Bool { frame.references > 0 && !frame.has(Frame.anonymousBit) }

  /// Gives the reference up (`folio_put`). The frame is free if that was the last one.
  public consuming func put() {}

  /// Gives the reference to an entry, a cache or another owner that keeps the number and puts it later. Returns the
  /// number.
  package consuming func handOver() -> PFN {
    let pfn = pfn
    discard self
    return pfn
  }
}

extension PhysicalMemory {
  /// Allocates a frame of zeroes that no entry maps, and returns the one reference to it (`alloc_page` with
  /// `__GFP_ZERO`).
  ///
  /// If no frame is free, it frees what was deferred and reclaims, which runs hooks and stores of caches on this
  /// thread. Any thread.
  ///
  /// - Precondition: not inside a read-side section, nor holding a lock that a hook or a store takes.
  /// - Throws: `outOfMemory` if nothing can be taken back.
  /// - Complexity: O(page).
  public func allocate() throws(PageError) -> FrameReference {
    let pfn = try allocateFrame(.mayReclaim)
    frames.bytes(of: pfn).fill(0)
    frames.frame(pfn).begin(anonymous: false, mapped: false)
    return FrameReference(owning: pfn, in: self)
  }

  /// Allocates 2 MiB of zeroes, 512 frames in a row that begin at a multiple of 512 and live and die together.
  ///
  /// If 2 MiB are not free, it frees what was deferred, and releases objects. It never reclaims.
  ///
  /// - Precondition: not inside a read-side section.
  /// - Throws: `outOfMemory` where no 2 MiB are free in one piece: `allocate` may still find single frames.
  /// - Complexity: O(2 MiB).
  public func allocateHuge() throws(PageError) -> FrameReference {
    guard let first = allocateHugeFrame(.mayReclaim) else { throw .outOfMemory }
    for index in 0..<Page.pagesPerHuge { frames.bytes(of: first + index).fill(0) }
    frames.beginHuge(first, anonymous: false, mapped: false)
    return FrameReference(owning: first, in: self)
  }
}
