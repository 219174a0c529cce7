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
  load(mirror, Mirror.self, address, bytes, count)
}

@c @implementation
public func up_mirror_store(
  _ mirror: OpaquePointer?, _ address: UInt64, _ bytes: UnsafeRawPointer?, _ count: Int
) -> Int32 {
  store(mirror, Mirror.self, address, bytes, count)
}

@c @implementation
public func up_mirror_load_word(
  _ mirror: OpaquePointer?, _ address: UInt64, _ size: UInt32, _ value: UnsafeMutablePointer<UInt64>?
) -> Int32 {
  loadWord(mirror, Mirror.self, address, size, value)
}

@c @implementation
public func up_mirror_store_word(
  _ mirror: OpaquePointer?, _ address: UInt64, _ size: UInt32, _ value: UInt64
) -> Int32 {
  storeWord(mirror, Mirror.self, address, size, value)
}

@c @implementation
public func up_mirror_holds(_ mirror: OpaquePointer?, _ address: UInt64) -> Int32 {
  guard let mirror else { return -EINVAL }
  return lending(mirror, Mirror.self) { $0.holdsTranslation(at: VirtualAddress(address)) ? 1 : 0 }
}

@c @implementation
public func up_mirror_sequence(_ mirror: OpaquePointer?, _ sequence: UnsafeMutablePointer<UInt64>?) -> Int32 {
  guard let sequence else { return -EINVAL }
  return attempt(mirror, Mirror.self) { mirror in sequence.pointee = mirror.sequence }
}
