import Glibc
import UserPages

/// What a program loads from and stores to: an address space, or a mirror of a part of one.
protocol ProgramMemory: AnyObject {
  func load(at address: VirtualAddress, into bytes: inout MutableRawSpan) throws(PageError)
  func store(_ bytes: RawSpan, at address: VirtualAddress) throws(PageError)
  func load<T: FixedWidthInteger & BitwiseCopyable>(at address: VirtualAddress, as type: T.Type) throws(PageError) -> T
  func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, at address: VirtualAddress) throws(PageError)
}

extension AddressSpace: ProgramMemory {}
extension Mirror: ProgramMemory {}

// Each is inlined into the functions of C, and so made for their type.

@inline(__always)
func load<Memory: ProgramMemory>(
  _ handle: OpaquePointer?, _ type: Memory.Type, _ address: UInt64, _ bytes: UnsafeMutableRawPointer?, _ count: Int
) -> Int32 {
  guard count == 0 || bytes != nil, count >= 0 else { return -EINVAL }
  return attempt(handle, type) { (memory) throws(PageError) in
    var span = UnsafeMutableRawBufferPointer(start: bytes, count: count).mutableBytes
    try memory.load(at: VirtualAddress(address), into: &span)
  }
}

@inline(__always)
func store<Memory: ProgramMemory>(
  _ handle: OpaquePointer?, _ type: Memory.Type, _ address: UInt64, _ bytes: UnsafeRawPointer?, _ count: Int
) -> Int32 {
  guard count == 0 || bytes != nil, count >= 0 else { return -EINVAL }
  return attempt(handle, type) { (memory) throws(PageError) in
    try memory.store(UnsafeRawBufferPointer(start: bytes, count: count).bytes, at: VirtualAddress(address))
  }
}

/// Loads a word of `size` bytes: 1, 2, 4 or 8.
@inline(__always)
func loadWord<Memory: ProgramMemory>(
  _ handle: OpaquePointer?, _ type: Memory.Type, _ address: UInt64, _ size: UInt32,
  _ value: UnsafeMutablePointer<UInt64>?
) -> Int32 {
  guard let value else { return -EINVAL }
  let address = VirtualAddress(address)
  return attempt(handle, type) { (memory) throws(PageError) in
    switch size {
    case 1: value.pointee = UInt64(try memory.load(at: address, as: UInt8.self))
    case 2: value.pointee = UInt64(try memory.load(at: address, as: UInt16.self))
    case 4: value.pointee = UInt64(try memory.load(at: address, as: UInt32.self))
    case 8: value.pointee = try memory.load(at: address, as: UInt64.self)
    default: throw .invalidArgument
    }
  }
}

/// Stores the lowest `size` bytes of a value: 1, 2, 4 or 8.
@inline(__always)
func storeWord<Memory: ProgramMemory>(
  _ handle: OpaquePointer?, _ type: Memory.Type, _ address: UInt64, _ size: UInt32, _ value: UInt64
) -> Int32 {
  let address = VirtualAddress(address)
  return attempt(handle, type) { (memory) throws(PageError) in
    switch size {
    case 1: try memory.store(UInt8(truncatingIfNeeded: value), at: address)
    case 2: try memory.store(UInt16(truncatingIfNeeded: value), at: address)
    case 4: try memory.store(UInt32(truncatingIfNeeded: value), at: address)
    case 8: try memory.store(value, at: address)
    default: throw .invalidArgument
    }
  }
}
