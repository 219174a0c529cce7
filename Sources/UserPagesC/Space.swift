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
  /// The protection that C names. Nil for unknown bits.
  init?(_ bits: UInt32) {
    guard bits & ~UInt32(UP_READ | UP_WRITE) == 0 else { return nil }
    self.init(rawValue: UInt8(bits))
  }
}

extension MappingKind {
  /// What `flags` make of a backing. Nil if they exclude each other, or need a backing and there is none.
  init?(_ backing: OpaquePointer?, _ flags: UInt32) {
    let rule = Int(flags) & (UP_MAP_MIXED | UP_MAP_PFN | UP_MAP_IO | UP_MAP_SECRET)
    guard let backing else {
      switch rule {
      case 0: self = .anonymous
      case UP_MAP_SECRET: self = .secret
      default: return nil
      }
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
    UP_MAP_SHARED | UP_MAP_HUGE | UP_MAP_NO_REPLACE | UP_MAP_MIXED | UP_MAP_PFN | UP_MAP_IO | UP_MAP_SECRET
  guard Int(flags) & ~known == 0, backing != nil || firstPage == 0, let protection = Protection(protection),
    let kind = MappingKind(backing, flags)
  else { return -EINVAL }
  return attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.map(
      at: VirtualAddress(address), pages: count(pages), protection: protection,
      sharing: Int(flags) & UP_MAP_SHARED != 0 ? .shared : .private, backing: kind, offset: count(firstPage),
      hugePages: Int(flags) & UP_MAP_HUGE != 0 ? true : nil, replaces: Int(flags) & UP_MAP_NO_REPLACE == 0)
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
  _ space: OpaquePointer?, _ address: UInt64, _ pages: UInt64, _ newAddress: UInt64, _ newPages: UInt64,
  _ flags: UInt32
) -> Int32 {
  guard Int(flags) & ~UP_REMAP_DONT_UNMAP == 0 else { return -EINVAL }
  return attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.remap(
      at: VirtualAddress(address), pages: count(pages), to: VirtualAddress(newAddress), newPages: count(newPages),
      unmapsOldRange: Int(flags) & UP_REMAP_DONT_UNMAP == 0)
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
  case UP_ADVICE_FREE: chosen = .free
  case UP_ADVICE_COLD: chosen = .cold
  case UP_ADVICE_WIPE_ON_FORK: chosen = .wipeOnFork
  case UP_ADVICE_KEEP_ON_FORK: chosen = .keepOnFork
  case UP_ADVICE_GUARD_INSTALL: chosen = .guardInstall
  case UP_ADVICE_GUARD_REMOVE: chosen = .guardRemove
  default: return -EINVAL
  }
  return attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.advise(at: VirtualAddress(address), pages: count(pages), chosen)
  }
}

@c @implementation
public func up_space_lock(_ space: OpaquePointer?, _ address: UInt64, _ pages: UInt64) -> Int32 {
  attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.lock(at: VirtualAddress(address), pages: count(pages))
  }
}

@c @implementation
public func up_space_unlock(_ space: OpaquePointer?, _ address: UInt64, _ pages: UInt64) -> Int32 {
  attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.unlock(at: VirtualAddress(address), pages: count(pages))
  }
}

@c @implementation
public func up_space_seal(_ space: OpaquePointer?, _ address: UInt64, _ pages: UInt64) -> Int32 {
  attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.seal(at: VirtualAddress(address), pages: count(pages))
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

// MARK: Accesses of another process

/// What one call of the library is asked for: so a large count takes little memory.
private let remoteBytes = 1 << 20

@c @implementation
public func up_space_read_remotely(
  _ space: OpaquePointer?, _ address: UInt64, _ bytes: UnsafeMutableRawPointer?, _ count: Int
) -> Int64 {
  remotely(space, address, bytes.map { UnsafeRawPointer($0) }, count) {
    space, address, done, length throws(PageError) in
    let found = try space.readRemotely(at: address, count: length)
    if let bytes {
      UnsafeMutableRawBufferPointer(start: bytes + done, count: length).copyBytes(from: found)
    }
    return found.count
  }
}

@c @implementation
public func up_space_write_remotely(
  _ space: OpaquePointer?, _ address: UInt64, _ bytes: UnsafeRawPointer?, _ count: Int
) -> Int64 {
  remotely(space, address, bytes, count) { space, address, done, length throws(PageError) in
    let part = UnsafeRawBufferPointer(start: bytes.map { $0 + done }, count: length)
    return try space.writeRemotely([UInt8](part), at: address)
  }
}

/// Accesses part after part, up to the first that is not done whole. An error counts if it comes with the first part.
private func remotely(
  _ space: OpaquePointer?, _ address: UInt64, _ bytes: UnsafeRawPointer?, _ count: Int,
  _ access: (AddressSpace, VirtualAddress, _ done: Int, _ length: Int) throws(PageError) -> Int
) -> Int64 {
  guard count == 0 || bytes != nil, count >= 0 else { return Int64(-EINVAL) }
  return counting(space, AddressSpace.self) { (space) throws(PageError) in
    var done = 0
    while done < count {
      let length = min(count - done, remoteBytes)
      do throws(PageError) {
        let part = try access(space, VirtualAddress(address) + done, done, length)
        done += part
        if part < length { return done }
      } catch {
        if done == 0 { throw error }
        return done
      }
    }
    return done
  }
}
