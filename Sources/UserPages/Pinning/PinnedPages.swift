/// A run of pages that stay put, pinned together and given back together.
public struct PinnedPages: ~Copyable, Sendable {
  private let held: [HeldFrame]

  init(_ held: [HeldFrame]) { self.held = held }

  deinit {
    for frame in held { frame.put() }
  }

  /// How many pages there are: may be fewer than were asked for.
  public var count: Int { held.count }

  /// The number of the frame behind the page at `index`.
  public func pfn(at index: Int) -> PFN { held[index].pfn }

  /// The bytes of the page at `index`. Do not use them after the pins are gone.
  public func bytes(at index: Int) -> FrameBytes { held[index].bytes }

  /// Gives the pages back (`unpin_user_pages`).
  ///
  /// - Parameter dirty: whether the holder wrote to them.
  public consuming func release(dirty: Bool = false) {
    if dirty {
      for frame in held { frame.markDirty() }
    }
  }
}
