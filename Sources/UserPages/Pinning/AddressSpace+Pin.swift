/// Pins of one page (`pin_user_pages_fast`, `get_user_pages_fast`).
///
/// The way of a pin: the engine's fast path descends the table once, inside one read-side section, and holds what it
/// finds (`AddressSpace+Hold.swift`). A miss goes to the slow path, which looks at the mapping, faults, and looks
/// again.
extension AddressSpace {
  /// Pins the page that holds `address`: its frame stays put, and program and holder see one page, until the pin ends.
  ///
  /// Any thread may call it. Only with `fastOnly` may it be called inside a read-side section. A fault may
  /// reclaim, which runs hooks and stores of caches on this thread.
  ///
  /// - Parameters:
  ///   - address: anywhere in the page.
  ///   - options: what the pin is for.
  /// - Throws:
  ///   - `badAddress` if there is no mapping, or none that may be pinned this way.
  ///   - `badAddress` for a special page, or if a fault would be a signal.
  ///   - `badAddress` with `noFault`, if a fault is needed.
  ///   - `outOfMemory` if a fault finds no memory, or if the frame has too many references.
  ///   - `outOfMemory` if a long-term pin cannot move its page.
  ///   - `tryAgain` with `fastOnly`, if the fast path cannot do it.
  ///   - `invalidArgument` for options that exclude each other.
  /// - Complexity: O(1) for a resident page. The descent is four loads. Then comes an atomic addition and a load
  ///   (`reference`), or the load and the store of a slot (`slot`).
  @inlinable @inline(__always)
  public func pin(at address: VirtualAddress, _ options: PinOptions = []) throws(PageError) -> PinnedPage {
    if let held = engine.hold(at: address, options, in: self) {
      return PinnedPage(held, isWritable: options.contains(.write))
    }
    return try pinSlowly(at: address, options)
  }

  /// Pins a resident page as `pin` does, if that takes no call. Otherwise returns nil, and the caller goes on with
  /// `pin`.
  ///
  /// For a function that is called for each pin. One that calls nothing on its way saves no registers.
  ///
  /// - Parameter bytes: where the page's bytes are, if it is pinned.
  @inlinable @inline(__always)
  package func pinAtOnce(
    at address: VirtualAddress, _ options: PinOptions, _ bytes: inout FrameBytes?
  ) -> PinnedPage? {
    guard let held = engine.holdAtOnce(at: address, options, in: self) else { return nil }
    // By this space's copy of the table, which is at hand.
    bytes = frames.bytes(of: frames.number(of: held.frame))
    return PinnedPage(held, isWritable: options.contains(.write))
  }

  /// Gets the page that holds `address`: a plain reference, which keeps the frame and promises nothing else (FOLL_GET).
  ///
  /// The program may leave the page meanwhile: a copy-on-write then gives the program another frame. Use `pin` if a
  /// device or another thread is to see the program's stores, or the program the holder's.
  ///
  /// - Throws:
  ///   - what `pin(at:_:)` throws.
  ///   - `invalidArgument` if `options` has `longTerm`.
  @inlinable @inline(__always)
  public func get(at address: VirtualAddress, _ options: PinOptions = []) throws(PageError) -> PinnedPage {
    try pin(at: address, options.union(.get))
  }
}
