// The functions are called as in C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CUserPages
import Glibc
import UserPages

@c @implementation
public func up_space_create(
  _ machine: OpaquePointer?, _ engine: Int32, _ space: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  let chosen: PinEngine
  switch Int(engine) {
  case UP_ENGINE_LOCKED: chosen = .locked
  case UP_ENGINE_REFERENCE: chosen = .reference
  case UP_ENGINE_SLOT: chosen = .slot
  default: return -EINVAL
  }
  guard let space else { return -EINVAL }
  return attempt(machine, PhysicalMemory.self) { memory in
    space.pointee = Handles.make(AddressSpace(memory, engine: chosen), .space, of: memory)
  }
}

@c @implementation
public func up_space_fork(_ space: OpaquePointer?, _ child: UnsafeMutablePointer<OpaquePointer?>?) -> Int32 {
  guard let child else { return -EINVAL }
  return attempt(space, AddressSpace.self) { (space) throws(PageError) in
    child.pointee = Handles.make(try space.fork(), .space, of: space.memory)
  }
}

@c @implementation
public func up_space_exit(_ space: OpaquePointer?) -> Int32 { attempt(space, AddressSpace.self) { $0.exit() } }

@c @implementation
public func up_space_destroy(_ space: OpaquePointer?) -> Int32 {
  guard let space else { return -EINVAL }
  // A mirror keeps the space: what is mapped goes now.
  return Handles.end(space, .space, AddressSpace.self) { $0.exit() } ? 0 : -EINVAL
}

// MARK: Mappings

extension Protection {
  /// The protection that C names; nil for unknown bits.
  init?(_ bits: UInt32) {
    guard bits & ~UInt32(UP_READ | UP_WRITE) == 0 else { return nil }
    self.init(rawValue: UInt8(bits))
  }
}

extension MappingKind {
  /// What `flags` make of a backing; nil if they exclude each other, or need one.
  init?(_ backing: OpaquePointer?, _ flags: UInt32) {
    let rule = Int(flags) & (UP_MAP_MIXED | UP_MAP_PFN | UP_MAP_IO)
    guard let backing else {
      guard rule == 0 else { return nil }
      self = .anonymous
      return
    }
    let shown = lending(backing, BackingHandle.self) { $0.backing }
    switch rule {
    case 0: self = .file(shown)
    case UP_MAP_MIXED: self = .mixed(shown)
    case UP_MAP_PFN: self = .pfn(shown)
    case UP_MAP_PFN | UP_MAP_IO: self = .pfn(shown, isIO: true)
    default: return nil
    }
  }
}

@c @implementation
public func up_space_map(
  _ space: OpaquePointer?, _ address: UInt64, _ pages: UInt64, _ protection: UInt32, _ flags: UInt32,
  _ backing: OpaquePointer?, _ firstPage: UInt64
) -> Int32 {
  let known =
    UP_MAP_SHARED | UP_MAP_HUGE | UP_MAP_NO_REPLACE | UP_MAP_MIXED | UP_MAP_PFN | UP_MAP_IO
  guard Int(flags) & ~known == 0, backing != nil || firstPage == 0, let protection = Protection(protection),
    let kind = MappingKind(backing, flags)
  else { return -EINVAL }
  return attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.map(
      at: VirtualAddress(address), pages: count(pages), protection: protection,
      sharing: Int(flags) & UP_MAP_SHARED != 0 ? .shared : .private, backing: kind, offset: count(firstPage),
      hugePages: Int(flags) & UP_MAP_HUGE != 0, replaces: Int(flags) & UP_MAP_NO_REPLACE == 0)
  }
}

@c @implementation
public func up_space_unmap(_ space: OpaquePointer?, _ address: UInt64, _ pages: UInt64) -> Int32 {
  attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.unmap(at: VirtualAddress(address), pages: count(pages))
  }
}

@c @implementation
public func up_space_protect(
  _ space: OpaquePointer?, _ address: UInt64, _ pages: UInt64, _ protection: UInt32
) -> Int32 {
  guard let protection = Protection(protection) else { return -EINVAL }
  return attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.protect(at: VirtualAddress(address), pages: count(pages), protection)
  }
}

@c @implementation
public func up_space_remap(
  _ space: OpaquePointer?, _ address: UInt64, _ pages: UInt64, _ newAddress: UInt64, _ newPages: UInt64
) -> Int32 {
  attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.remap(
      at: VirtualAddress(address), pages: count(pages), to: VirtualAddress(newAddress), newPages: count(newPages))
  }
}

@c @implementation
public func up_space_advise(_ space: OpaquePointer?, _ address: UInt64, _ pages: UInt64, _ advice: Int32) -> Int32 {
  let chosen: Advice
  switch Int(advice) {
  case UP_ADVICE_DONT_NEED: chosen = .dontNeed
  case UP_ADVICE_PAGE_OUT: chosen = .pageOut
  case UP_ADVICE_DONT_FORK: chosen = .dontFork
  case UP_ADVICE_DO_FORK: chosen = .doFork
  case UP_ADVICE_POPULATE_READ: chosen = .populateRead
  case UP_ADVICE_POPULATE_WRITE: chosen = .populateWrite
  case UP_ADVICE_COLLAPSE: chosen = .collapse
  default: return -EINVAL
  }
  return attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.advise(at: VirtualAddress(address), pages: count(pages), chosen)
  }
}

@c @implementation
public func up_space_count(_ space: OpaquePointer?, _ counters: UnsafeMutablePointer<up_space_counters>?) -> Int32 {
  guard let counters else { return -EINVAL }
  return attempt(space, AddressSpace.self) { space in
    let found = space.counters
    counters.pointee = up_space_counters(
      fast_pins: UInt64(found.fast), slow_pins: UInt64(found.slow), faults: UInt64(found.faults),
      copies: UInt64(found.copies))
  }
}

// MARK: Loads and stores

@c @implementation
public func up_space_load(
  _ space: OpaquePointer?, _ address: UInt64, _ bytes: UnsafeMutableRawPointer?, _ count: Int
) -> Int32 {
  load(space, AddressSpace.self, address, bytes, count)
}

@c @implementation
public func up_space_store(
  _ space: OpaquePointer?, _ address: UInt64, _ bytes: UnsafeRawPointer?, _ count: Int
) -> Int32 {
  store(space, AddressSpace.self, address, bytes, count)
}

@c @implementation
public func up_space_load_word(
  _ space: OpaquePointer?, _ address: UInt64, _ size: UInt32, _ value: UnsafeMutablePointer<UInt64>?
) -> Int32 {
  loadWord(space, AddressSpace.self, address, size, value)
}

@c @implementation
public func up_space_store_word(
  _ space: OpaquePointer?, _ address: UInt64, _ size: UInt32, _ value: UInt64
) -> Int32 {
  storeWord(space, AddressSpace.self, address, size, value)
}
