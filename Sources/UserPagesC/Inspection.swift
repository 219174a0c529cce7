// The functions are called as in C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CUserPages
import Glibc
import UserPages

@c @implementation
public func up_space_mapping(
  _ space: OpaquePointer?, _ address: UInt64, _ mapping: UnsafeMutablePointer<up_mapping>?
) -> Int32 {
  guard let mapping else { return -EINVAL }
  return attempt(space, AddressSpace.self) { (space) throws(PageError) in
    guard let found = space.mapping(at: VirtualAddress(address)) else { throw .badAddress }
    let (start, end) = (found.range.lowerBound.rawValue, found.range.upperBound.rawValue)
    mapping.pointee = up_mapping(
      address: start, pages: (end - start) / UInt64(Page.size), protection: UInt32(found.protection.rawValue),
      flags: found.sharing == .shared ? UInt32(UP_MAP_SHARED) : 0)
  }
}

@c @implementation
public func up_space_entry(
  _ space: OpaquePointer?, _ address: UInt64, _ entry: UnsafeMutablePointer<up_entry>?
) -> Int32 {
  guard let entry else { return -EINVAL }
  return attempt(space, AddressSpace.self) { space in
    let found = space.entry(at: VirtualAddress(address))
    let kind =
      switch found.kind {
      case .none: UP_ENTRY_NONE
      case .normal: UP_ENTRY_NORMAL
      case .special: UP_ENTRY_SPECIAL
      case .zero: UP_ENTRY_ZERO
      case .huge: UP_ENTRY_HUGE
      case .swap: UP_ENTRY_SWAP
      case .migration: UP_ENTRY_MIGRATION
      case .guardMarker: UP_ENTRY_GUARD
      }
    entry.pointee = up_entry(
      kind: Int32(kind), protection: UInt32(found.protection.rawValue), is_dirty: found.isDirty ? 1 : 0)
  }
}

extension up_frame_state {
  fileprivate init(_ found: FrameInformation) {
    self.init(
      maps: UInt64(found.mapCount), pins: UInt64(found.pinCount), references: UInt64(found.referenceCount),
      is_anonymous: found.isAnonymous ? 1 : 0, is_dirty: found.isDirty ? 1 : 0, is_exclusive: found.isExclusive ? 1 : 0)
  }
}

@c @implementation
public func up_space_frame(
  _ space: OpaquePointer?, _ address: UInt64, _ state: UnsafeMutablePointer<up_frame_state>?
) -> Int32 {
  guard let state else { return -EINVAL }
  return attempt(space, AddressSpace.self) { (space) throws(PageError) in
    guard let found = space.frameInformation(at: VirtualAddress(address)) else { throw .badAddress }
    state.pointee = up_frame_state(found)
  }
}

@c @implementation
public func up_machine_frame(
  _ machine: OpaquePointer?, _ number: UInt64, _ state: UnsafeMutablePointer<up_frame_state>?
) -> Int32 {
  guard let state else { return -EINVAL }
  return attempt(machine, PhysicalMemory.self) { (memory) throws(PageError) in
    guard let found = memory.frameInformation(of: PFN(number)) else { throw .invalidArgument }
    state.pointee = up_frame_state(found)
  }
}
