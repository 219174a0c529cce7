/// Accesses to a space's memory from another process (`process_vm_readv(2)`, `process_vm_writev(2)`).
///
/// The pages are pinned while they are copied. A remote access asks the mapping for permission, not only the entry, so
/// it takes the slow path (FOLL_REMOTE). Memory that may only be stored to cannot be read, although the program's own
/// loads work there.
extension AddressSpace {
  /// Reads bytes as another process does. Returns fewer than `count` where a page after the first cannot be read.
  ///
  /// - Throws:
  ///   - `badAddress` if the first page cannot be read.
  ///   - `invalidArgument` if the count is negative.
  public func readRemotely(at address: VirtualAddress, count: Int) throws(PageError) -> [UInt8] {
    guard count >= 0 else { throw .invalidArgument }
    var bytes: [UInt8] = []
    while bytes.count < count, let pins = pinRemotely(at: address + bytes.count, count: count - bytes.count, []) {
      for index in pins.indices where bytes.count < count {
        let offset = (address + bytes.count).pageOffset
        let length = min(Page.size - offset, count - bytes.count)
        bytes += pins.deviceBytes(at: index).copy(fromByteOffset: offset, count: length)
      }
    }
    if bytes.isEmpty, count > 0 { throw .badAddress }
    return bytes
  }

  /// Writes bytes as another process does. Returns how many were written: fewer where a page after the first cannot be.
  ///
  /// - Throws: `badAddress` where the first page cannot be written to.
  @discardableResult
  public func writeRemotely(_ bytes: [UInt8], at address: VirtualAddress) throws(PageError) -> Int {
    var done = 0
    while done < bytes.count, let pins = pinRemotely(at: address + done, count: bytes.count - done, .write) {
      for index in pins.indices where done < bytes.count {
        let offset = (address + done).pageOffset
        let length = min(Page.size - offset, bytes.count - done)
        pins.deviceBytes(at: index).copy(Array(bytes[done..<done + length]), toByteOffset: offset)
        done += length
      }
      pins.release(dirty: true)
    }
    if done == 0, !bytes.isEmpty { throw .badAddress }
    return done
  }

  /// Pins the pages of `count` bytes, at most 1024 at once and before any of them is copied. So a page that is copied
  /// on write shows what its original showed before the access.
  ///
  /// Nil for whatever reason the first page cannot be pinned, as the system calls have it.
  private func pinRemotely(at address: VirtualAddress, count: Int, _ options: PinOptions) -> PinnedPages? {
    guard address < VirtualAddress.limit else { return nil }
    var held = HeldFrames(memory, counts: options.holdDelta)
    let pages = (address.pageOffset + min(count, 1024 * Page.size) + Page.size - 1) / Page.size
    _ = pinSlowly(from: address.pageStart, pages: min(pages, 1024), options, into: &held)
    return held.count == 0 ? nil : PinnedPages(held, isWritable: options.contains(.write))
  }
}
