// The functions are called as in C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CUserPages
import Glibc
import UserPages

@c @implementation
public func up_mirror_create(
  _ space: OpaquePointer?, _ address: UInt64, _ pages: UInt64, _ access: UInt32,
  _ mirror: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  guard let mirror, let protection = Protection(access), protection != .none else { return -EINVAL }
  return attempt(space, AddressSpace.self) { (space) throws(PageError) in
    let made = try space.mirror(
      at: VirtualAddress(address), pages: count(pages), for: protection.contains(.write) ? .write : .read)
    mirror.pointee = Handles.make(made, .mirror, of: space.memory)
  }
}

@c @implementation
public func up_mirror_destroy(_ mirror: OpaquePointer?) -> Int32 {
  guard let mirror else { return -EINVAL }
  return Handles.end(mirror, .mirror, Mirror.self) ? 0 : -EINVAL
}

@c @implementation
public func up_mirror_load(
  _ mirror: OpaquePointer?, _ address: UInt64, _ bytes: UnsafeMutableRawPointer?, _ count: Int
) -> Int32 {
  guard count == 0 || bytes != nil, count >= 0 else { return -EINVAL }
  return attempt(mirror, Mirror.self) { (mirror) throws(PageError) in
    var span = UnsafeMutableRawBufferPointer(start: bytes, count: count).mutableBytes
    try mirror.load(at: VirtualAddress(address), into: &span)
  }
}

@c @implementation
public func up_mirror_store(
  _ mirror: OpaquePointer?, _ address: UInt64, _ bytes: UnsafeRawPointer?, _ count: Int
) -> Int32 {
  guard count == 0 || bytes != nil, count >= 0 else { return -EINVAL }
  return attempt(mirror, Mirror.self) { (mirror) throws(PageError) in
    try mirror.store(UnsafeRawBufferPointer(start: bytes, count: count).bytes, at: VirtualAddress(address))
  }
}

@c @implementation
public func up_mirror_load_word(
  _ mirror: OpaquePointer?, _ address: UInt64, _ size: UInt32, _ value: UnsafeMutablePointer<UInt64>?
) -> Int32 {
  guard let value else { return -EINVAL }
  let address = VirtualAddress(address)
  return attempt(mirror, Mirror.self) { (mirror) throws(PageError) in
    switch size {
    case 1: value.pointee = UInt64(try mirror.load(at: address, as: UInt8.self))
    case 2: value.pointee = UInt64(try mirror.load(at: address, as: UInt16.self))
    case 4: value.pointee = UInt64(try mirror.load(at: address, as: UInt32.self))
    case 8: value.pointee = try mirror.load(at: address, as: UInt64.self)
    default: throw .invalidArgument
    }
  }
}

@c @implementation
public func up_mirror_store_word(
  _ mirror: OpaquePointer?, _ address: UInt64, _ size: UInt32, _ value: UInt64
) -> Int32 {
  let address = VirtualAddress(address)
  return attempt(mirror, Mirror.self) { (mirror) throws(PageError) in
    switch size {
    case 1: try mirror.store(UInt8(truncatingIfNeeded: value), at: address)
    case 2: try mirror.store(UInt16(truncatingIfNeeded: value), at: address)
    case 4: try mirror.store(UInt32(truncatingIfNeeded: value), at: address)
    case 8: try mirror.store(value, at: address)
    default: throw .invalidArgument
    }
  }
}

@c @implementation
public func up_mirror_sequence(_ mirror: OpaquePointer?, _ sequence: UnsafeMutablePointer<UInt64>?) -> Int32 {
  guard let sequence else { return -EINVAL }
  return attempt(mirror, Mirror.self) { mirror in sequence.pointee = mirror.sequence }
}
