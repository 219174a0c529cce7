import CPlatform
import Synchronization

/// The 4096 bytes of a frame, unchecked: an address that must not outlive the hold or section which keeps the frame.
///
/// A device, another address space or the program may write while they are read, as on real hardware. So they are
/// copied in and out, or reached as single atomic words. `racy_copy.h` says what a copy promises. Only real I/O uses
/// `address`.
///
/// ORDERING [revoke-then-change]: every store to a frame is a release, those of a copy by the fence before it. A reader
/// without a section may find a byte which a frame's next owner stored. If it has a fence then, it knows what came
/// before the frame was freed: (D) of `Translations`. On x86-64 the fence is no instruction.
///
/// For the inside of the package. `PageBytes`, the public face, has its life bound to a pin's.
@frozen @usableFromInline
package struct FrameBytes: @unchecked Sendable {
  /// Where the frame is in this process: page-aligned, readable, and writable unless the frame is part of an image.
  ///
  /// Good for `pread(2)`, `O_DIRECT` and registered buffers as long as the pin is held.
  @usableFromInline package let address: UnsafeMutableRawPointer

  @inlinable @inline(__always)
  init(_ address: UnsafeMutableRawPointer) { self.address = address }

  /// Loads an aligned integer of 1, 2, 4 or 8 bytes, whole.
  ///
  /// - Precondition: `offset` is aligned and inside the page.
  @inlinable
  package func load<T: FixedWidthInteger & BitwiseCopyable>(fromByteOffset offset: Int = 0, as type: T.Type) -> T {
    precondition(offset >= 0 && offset <= Page.size - MemoryLayout<T>.size && offset % MemoryLayout<T>.alignment == 0)
    let at = address + offset
    // Atomics of the width in question, over memory that is only ever accessed as bytes or atomically.
    switch MemoryLayout<T>.size {
    case 1:
      return T(truncatingIfNeeded: at.assumingMemoryBound(to: Atomic<UInt8>.self).pointee.load(ordering: .acquiring))
    case 2:
      return T(truncatingIfNeeded: at.assumingMemoryBound(to: Atomic<UInt16>.self).pointee.load(ordering: .acquiring))
    case 4:
      return T(truncatingIfNeeded: at.assumingMemoryBound(to: Atomic<UInt32>.self).pointee.load(ordering: .acquiring))
    case 8:
      return T(truncatingIfNeeded: at.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .acquiring))
    default: preconditionFailure("only integers of 1, 2, 4 and 8 bytes are loaded whole")
    }
  }

  /// As `load`, or nil if these bytes are a page of a real file that the file no longer has.
  ///
  /// ORDERING [mark-then-replace]: the load acquires, so the look needs no fence. On AArch64 a fence is an instruction.
  @inlinable @inline(__always)
  func loadUnlessLost<T: FixedWidthInteger & BitwiseCopyable>(fromByteOffset offset: Int, as type: T.Type) -> T? {
    let value = load(fromByteOffset: offset, as: type)
    return isMarkedLost ? nil : value
  }

  /// Stores an aligned integer of 1, 2, 4 or 8 bytes, whole.
  ///
  /// - Precondition: `offset` is aligned and inside the page.
  @inlinable
  package func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, toByteOffset offset: Int = 0) {
    precondition(offset >= 0 && offset <= Page.size - MemoryLayout<T>.size && offset % MemoryLayout<T>.alignment == 0)
    let at = address + offset
    switch MemoryLayout<T>.size {
    case 1:
      at.assumingMemoryBound(to: Atomic<UInt8>.self).pointee.store(
        .init(truncatingIfNeeded: value), ordering: .releasing)
    case 2:
      at.assumingMemoryBound(to: Atomic<UInt16>.self).pointee.store(
        .init(truncatingIfNeeded: value), ordering: .releasing)
    case 4:
      at.assumingMemoryBound(to: Atomic<UInt32>.self).pointee.store(
        .init(truncatingIfNeeded: value), ordering: .releasing)
    case 8:
      at.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(
        .init(truncatingIfNeeded: value), ordering: .releasing)
    default: preconditionFailure("only integers of 1, 2, 4 and 8 bytes are stored whole")
    }
  }

  /// Makes the stores of a copy that follows a release: see above.
  private func fenceBeforeStores() { atomicMemoryFence(ordering: .releasing) }

  /// Copies bytes out.
  ///
  /// - Precondition: the range is inside the page.
  @usableFromInline
  package func copy(fromByteOffset offset: Int = 0, count: Int = Page.size) -> [UInt8] {
    precondition(offset >= 0 && count >= 0 && offset <= Page.size - count)
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      if count > 0 { cp_racy_copy(buffer.baseAddress, address + offset, count) }
      initialized = count
    }
  }

  /// Copies bytes in.
  ///
  /// - Precondition: the range is inside the page.
  package func copy(_ bytes: [UInt8], toByteOffset offset: Int = 0) {
    copy(from: bytes.span.bytes, toByteOffset: offset)
  }

  /// Copies bytes out, as many as `bytes` has room for.
  @usableFromInline
  package func copy(into bytes: inout MutableRawSpan, fromByteOffset offset: Int = 0) {
    precondition(offset >= 0 && offset <= Page.size - bytes.byteCount)
    bytes.withUnsafeMutableBytes { if $0.count > 0 { cp_racy_copy($0.baseAddress, address + offset, $0.count) } }
  }

  /// Copies `count` bytes out to `position` in `bytes`.
  func copy(into bytes: inout MutableRawSpan, at position: Int, fromByteOffset offset: Int, count: Int) {
    precondition(offset >= 0 && count >= 0 && offset <= Page.size - count)
    precondition(position >= 0 && position <= bytes.byteCount - count)
    bytes.withUnsafeMutableBytes { if count > 0 { cp_racy_copy($0.baseAddress! + position, address + offset, count) } }
  }

  /// Copies bytes in.
  @usableFromInline
  package func copy(from bytes: RawSpan, toByteOffset offset: Int = 0) {
    precondition(offset >= 0 && offset <= Page.size - bytes.byteCount)
    fenceBeforeStores()
    bytes.withUnsafeBytes { if $0.count > 0 { cp_racy_copy(address + offset, $0.baseAddress, $0.count) } }
  }

  /// Copies bytes out, as many as `bytes` has room for.
  ///
  /// - Precondition: the range is inside the page.
  package func copy(into bytes: UnsafeMutableRawBufferPointer, fromByteOffset offset: Int = 0) {
    precondition(offset >= 0 && offset <= Page.size - bytes.count)
    if bytes.count > 0 { cp_racy_copy(bytes.baseAddress, address + offset, bytes.count) }
  }

  /// Copies all of `bytes` in.
  ///
  /// - Precondition: the range is inside the page.
  package func copy(from bytes: UnsafeRawBufferPointer, toByteOffset offset: Int = 0) {
    precondition(offset >= 0 && offset <= Page.size - bytes.count)
    fenceBeforeStores()
    if bytes.count > 0 { cp_racy_copy(address + offset, bytes.baseAddress, bytes.count) }
  }

  /// Copies the whole page.
  func copy(page source: FrameBytes) {
    fenceBeforeStores()
    cp_racy_copy(address, source.address, Page.size)
  }

  /// Copies the whole page, which may be a page of a real file. Returns false if the file no longer has it.
  func copyIfReadable(page source: FrameBytes) -> Bool {
    copy(page: source)
    return !source.isLost
  }

  /// Whether these bytes are a page of a real file that the file no longer has: it was truncated, or its disk failed.
  ///
  /// Ask after the bytes were read: they were zeroes if the answer is yes. Costs one load as long as no file has lost a
  /// page.
  ///
  /// ORDERING [mark-then-replace]: see `memory_failure.h`.
  @inlinable @inline(__always)
  var isLost: Bool { Self.isAnyPageLost && isMarkedLost }

  /// The same for a caller that has read the bytes with acquire ordering.
  @inlinable @inline(__always)
  var isMarkedLost: Bool { cp_any_page_marked() != 0 && cp_page_failed(address) != 0 }

  /// Whether any page of a real file is lost, in this process.
  @inlinable @inline(__always)
  static var isAnyPageLost: Bool { cp_any_page_failed() != 0 }

  func fill(_ byte: UInt8, fromByteOffset offset: Int = 0, count: Int = Page.size) {
    precondition(offset >= 0 && count >= 0 && offset <= Page.size - count)
    fenceBeforeStores()
    cp_racy_fill(address + offset, byte, count)
  }

  /// The offset of the first byte that is not `byte`.
  func firstOther(than byte: UInt8) -> Int? {
    let offset = cp_first_other(address, byte, Page.size)
    return offset < 0 ? nil : offset
  }
}
