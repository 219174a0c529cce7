/// One page that stays put: a frame held by a pin or a get.
///
/// It can be handed to another thread, but not copied: it is given back exactly once, by `release` or at the end of its
/// life. It outlives its mapping and its address space; the machine must outlive it.
@frozen
public struct PinnedPage: ~Copyable, Sendable {
  @usableFromInline let held: HeldFrame

  @inlinable @inline(__always)
  init(_ held: HeldFrame) { self.held = held }

  @inlinable @inline(__always)
  deinit { held.put() }

  /// The frame's number.
  @inlinable public var pfn: PFN { held.pfn }

  /// The frame's bytes. Do not use them after the pin is gone.
  @inlinable public var bytes: FrameBytes { held.bytes }

  /// Gives the page back (`unpin_user_page`, `put_page`).
  ///
  /// - Parameter dirty: whether the holder wrote to it (`unpin_user_pages_dirty_lock`).
  @inlinable @inline(__always)
  public consuming func release(dirty: Bool = false) {
    if dirty { held.markDirty() }
    held.put()
    discard self
  }
}
