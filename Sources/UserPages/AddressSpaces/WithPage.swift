/// Whether a page is lent, or a mirror made, for loads alone or for stores too.
public enum PageAccess: Sendable {
  /// Loads.
  case read
  /// Loads and stores.
  case write
}

/// Whole pages, lent in place.
///
/// Use it for work on more bytes than a load or a store reaches, and for less time than a pin would last.
extension AddressSpace {
  /// Lends `body` the page that holds `address`, faulting it in first if need be: a read-side section and the entry, no
  /// pin at all.
  ///
  /// `body` runs inside a read-side section, which keeps the frame. So it must be short (at most some tens of
  /// microseconds), and must not block, fault, or wait for a grace period. It may find itself on a page that was
  /// unmapped meanwhile, as any access may. If it needs the page for longer, use a pin.
  ///
  /// - Parameters:
  ///   - address: anywhere in the page.
  ///   - access: for writing, copy-on-write is broken first and the page is dirty afterwards.
  ///   - body: what runs with the page.
  /// - Throws: as `load(at:as:)`. An image's real file may be truncated while `body` reads it. `body` then sees zeroes,
  ///   its result is dropped, and the call throws `busErrorOfFile`.
  @inlinable @inline(__always)
  public func withPage<Result: ~Copyable>(
    at address: VirtualAddress, for access: PageAccess, _ body: (PageBytes) -> Result
  ) throws(PageError) -> Result {
    try lendPage(at: address, access, body)
  }

  /// Lends `body` the page that holds `address`, as the other `withPage` does. The closure may throw: its error is the
  /// call's.
  @inlinable @inline(__always)
  public func withPage<Result: ~Copyable>(
    at address: VirtualAddress, for access: PageAccess, _ body: (PageBytes) throws -> Result
  ) throws -> Result {
    try lendPage(at: address, access) { page in Swift.Result { try body(page) } }.get()
  }

  @inlinable @inline(__always)
  func lendPage<Result: ~Copyable>(
    at address: VirtualAddress, _ access: PageAccess, _ body: (PageBytes) -> Result
  ) throws(PageError) -> Result {
    let isWrite = access == .write
    while true {
      let result: Result? = RCU.read { section in
        guard let bytes = frame(address, accepting: isWrite ? .store : .load, section) else { return nil }
        let result = body(PageBytes(bytes, isWritable: isWrite))
        // A page of a real file that was truncated meanwhile: what `body` read were zeroes.
        if !isWrite, bytes.isLost { return nil }
        return result
      }
      switch consume result {
      case .some(let result): return result
      case .none: if isWrite { try faultForStore(at: address) } else { try faultForLoad(at: address) }
      }
    }
  }
}
