/// A run of pages that stay put, pinned together and given back together.
///
/// Neighbours in one 2 MiB frame, found behind one entry, are held by a single count.
///
/// It can be handed to another thread, but not copied. It outlives its mapping and its address space; the machine must
/// outlive it.
public struct PinnedPages: ~Copyable, Sendable {
  private let frames: HeldFrames

  init(_ frames: consuming HeldFrames) { self.frames = frames }

  deinit { frames.put() }

  /// How many pages there are: may be fewer than were asked for.
  public var count: Int { frames.count }

  /// The number of the frame behind the page at `index`.
  public func pfn(at index: Int) -> PFN { frames[index].pfn }

  /// The bytes of the page at `index`. Do not use them after the pins are gone.
  public func bytes(at index: Int) -> FrameBytes { frames[index].bytes }

  /// Gives the pages back (`unpin_user_pages`).
  ///
  /// - Parameter dirty: whether the holder wrote to them.
  public consuming func release(dirty: Bool = false) {
    if dirty { frames.markDirty() }
  }
}
