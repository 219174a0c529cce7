// The functions are called as in C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CUserPages
import Glibc
import UserPages

// Where the values of C have what the library keeps in them.
//
// A `PinnedPage` and a `PinnedPages` lie in the words themselves, so that no pin needs a box.

/// The pin in the words of a value of C.
@inline(__always)
private func storage(_ pin: UnsafeMutablePointer<up_pin>) -> UnsafeMutablePointer<PinnedPage> {
  assert(MemoryLayout<PinnedPage>.size <= MemoryLayout<up_pin>.size - MemoryLayout<UInt>.size)
  return (UnsafeMutableRawPointer(pin) + MemoryLayout<UInt>.size).assumingMemoryBound(to: PinnedPage.self)
}

@inline(__always)
private func storage(_ pins: UnsafeMutablePointer<up_pins>) -> UnsafeMutablePointer<PinnedPages> {
  precondition(MemoryLayout<PinnedPages>.size <= MemoryLayout<up_pins>.size - MemoryLayout<UInt>.size)
  return (UnsafeMutableRawPointer(pins) + MemoryLayout<UInt>.size).assumingMemoryBound(to: PinnedPages.self)
}

extension PinOptions {
  /// The options that C names. Nil for unknown bits.
  @inline(__always)
  init?(flags: UInt32) {
    let known = UP_PIN_WRITE | UP_PIN_LONG_TERM | UP_PIN_FORCE | UP_PIN_FAST_ONLY | UP_PIN_NO_FAULT | UP_PIN_GET
    guard flags & ~UInt32(known) == 0 else { return nil }
    self.init(rawValue: flags)
  }
}

// MARK: One page

/// The two commonest kinds of pins have a way of their own, so that each compares an entry with a constant.
///
/// By the slot engine a resident page is pinned here, and nothing is called. What goes on elsewhere is called in place
/// of a return. So no register is saved that the way to a pin does not use.
@c @implementation
public func up_space_pin(
  _ space: OpaquePointer?, _ address: UInt64, _ flags: UInt32, _ pin: UnsafeMutablePointer<up_pin>?
) -> Int32 {
  // A way out of its own: the compiler would compute one condition of both.
  guard let space else { return holdOtherwise(nil, address, flags, pin) }
  guard let pin else { return -EINVAL }
  if flags == 0 { return holdAtOnce(space, address, [], pin) ? 0 : holdToRead(space, address, pin) }
  if Int(flags) == UP_PIN_WRITE {
    return holdAtOnce(space, address, .write, pin) ? 0 : holdToWrite(space, address, pin)
  }
  return holdOtherwise(space, address, flags, pin)
}

/// Pins as the slot engine does where that takes no call. Returns whether it did.
@inline(__always)
private func holdAtOnce(
  _ space: OpaquePointer, _ address: UInt64, _ options: PinOptions, _ pin: UnsafeMutablePointer<up_pin>
) -> Bool {
  lending(space, AddressSpace.self) { space in
    var bytes: FrameBytes?
    guard let page = space.pinAtOnce(at: VirtualAddress(address), options, &bytes) else { return false }
    pin.pointee.bytes = bytes?.address
    storage(pin).initialize(to: page)
    return true
  }
}

@inline(never)
private func holdToRead(_ space: OpaquePointer, _ address: UInt64, _ pin: UnsafeMutablePointer<up_pin>) -> Int32 {
  hold(space, address, [], pin)
}

@inline(never)
private func holdToWrite(_ space: OpaquePointer, _ address: UInt64, _ pin: UnsafeMutablePointer<up_pin>) -> Int32 {
  hold(space, address, .write, pin)
}

@inline(never)
private func holdOtherwise(
  _ space: OpaquePointer?, _ address: UInt64, _ flags: UInt32, _ pin: UnsafeMutablePointer<up_pin>?
) -> Int32 {
  guard let space, let pin, let options = PinOptions(flags: flags) else { return -EINVAL }
  return hold(space, address, options, pin)
}

@inline(__always)
private func hold(
  _ space: OpaquePointer, _ address: UInt64, _ options: PinOptions, _ pin: UnsafeMutablePointer<up_pin>
) -> Int32 {
  lending(space, AddressSpace.self) { space in
    do throws(PageError) {
      let page = try space.pin(at: VirtualAddress(address), options)
      pin.pointee.bytes = page.withUnsafeBytes { UnsafeMutableRawPointer(mutating: $0.baseAddress) }
      storage(pin).initialize(to: page)
      return 0
    } catch {
      return error.code
    }
  }
}

/// A page of a cache. Its pin is as a mapping's.
@c @implementation
public func up_cache_pin(
  _ backing: OpaquePointer?, _ page: UInt64, _ pin: UnsafeMutablePointer<up_pin>?
) -> Int32 {
  guard let pin else { return -EINVAL }
  return attempt(backing, BackingHandle.self) { (handle) throws(PageError) in
    let held = try handle.cache().pin(page: count(page))
    pin.pointee.bytes = held.withUnsafeBytes { UnsafeMutableRawPointer(mutating: $0.baseAddress) }
    storage(pin).initialize(to: held)
  }
}

@c @implementation
public func up_unpin(_ pin: UnsafeMutablePointer<up_pin>?, _ dirty: Int32) -> Int32 {
  guard let pin, pin.pointee.bytes != nil else { return -EINVAL }
  pin.pointee.bytes = nil
  storage(pin).move().release(dirty: dirty != 0)
  return 0
}

@c @implementation
public func up_pin_frame_number(_ pin: UnsafePointer<up_pin>?, _ number: UnsafeMutablePointer<UInt64>?) -> Int32 {
  guard let pin, pin.pointee.bytes != nil, let number else { return -EINVAL }
  number.pointee = storage(UnsafeMutablePointer(mutating: pin)).pointee.pfn.rawValue
  return 0
}

// MARK: Ranges

@c @implementation
public func up_space_pin_range(
  _ space: OpaquePointer?, _ address: UInt64, _ pages: UInt64, _ flags: UInt32, _ pins: UnsafeMutablePointer<up_pins>?
) -> Int64 {
  guard let pins, let options = PinOptions(flags: flags) else { return Int64(-EINVAL) }
  return counting(space, AddressSpace.self) { (space) throws(PageError) in
    let held = try space.pin(at: VirtualAddress(address), pages: count(pages), options)
    let count = held.count
    pins.pointee.count = UInt64(count)
    // With none there is nothing to end.
    if count > 0 { storage(pins).initialize(to: held) }
    return count
  }
}

@c @implementation
public func up_unpin_range(_ pins: UnsafeMutablePointer<up_pins>?, _ dirty: Int32) -> Int32 {
  guard let pins, pins.pointee.count > 0 else { return -EINVAL }
  pins.pointee.count = 0
  storage(pins).move().release(dirty: dirty != 0)
  return 0
}

@c @implementation
public func up_pins_bytes(_ pins: UnsafePointer<up_pins>?, _ index: UInt64) -> UnsafeMutableRawPointer? {
  guard let pins, index < pins.pointee.count else { return nil }
  return storage(UnsafeMutablePointer(mutating: pins)).pointee.withUnsafeBytes(at: Int(index)) {
    UnsafeMutableRawPointer(mutating: $0.baseAddress)
  }
}

@c @implementation
public func up_pins_frame_number(
  _ pins: UnsafePointer<up_pins>?, _ index: UInt64, _ number: UnsafeMutablePointer<UInt64>?
) -> Int32 {
  guard let pins, let number, index < pins.pointee.count else { return -EINVAL }
  number.pointee = storage(UnsafeMutablePointer(mutating: pins)).pointee.pfn(at: Int(index)).rawValue
  return 0
}

@c @implementation
public func up_pins_vectors(
  _ pins: UnsafePointer<up_pins>?, _ first: UInt64, _ vectors: UnsafeMutablePointer<iovec>?, _ capacity: Int,
  _ next: UnsafeMutablePointer<UInt64>?
) -> Int64 {
  guard let pins, let next, first <= pins.pointee.count, capacity >= 0, vectors != nil || capacity == 0 else {
    return Int64(-EINVAL)
  }
  var written = 0
  var index = first
  while let vectors, let bytes = up_pins_bytes(pins, index) {
    if written > 0, vectors[written - 1].iov_base + vectors[written - 1].iov_len == bytes {
      vectors[written - 1].iov_len += Page.size
    } else {
      guard written < capacity else { break }
      vectors[written] = iovec(iov_base: bytes, iov_len: Page.size)
      written += 1
    }
    index += 1
  }
  next.pointee = index
  return Int64(written)
}
