// The functions are called as in C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CUserPages
import Glibc
import UserPages

extension BackingHandle {
  /// The backing of callbacks.
  ///
  /// - Throws: `invalidArgument` if the backing is another one.
  fileprivate func callbacks() throws(PageError) -> CallbackBacking {
    guard let backing = backing as? CallbackBacking else { throw .invalidArgument }
    return backing
  }
}

extension CallbackBacking {
  /// What one call of the library is asked for: so a large range takes little memory.
  private static var pagesPerCall: Int { 1 << 16 }

  /// Runs `body` with the pages of a range, part after part.
  ///
  /// - Throws: `invalidArgument` for a range that is not inside the backing.
  fileprivate func forEachPart(
    _ firstPage: UInt64, _ pages: UInt64, _ body: ([Int]) throws(PageError) -> Void
  ) throws(PageError) {
    let (end, overflows) = firstPage.addingReportingOverflow(pages)
    guard !overflows, end <= UInt64(pageCount) else { throw .invalidArgument }
    var start = Int(firstPage)
    while start < Int(end) {
      let next = min(Int(end), start + Self.pagesPerCall)
      try body(Array(start..<next))
      start = next
    }
  }
}

// Of each function the order is that of a move: the sequence, then the entries, then a grace period
// (`InvalidationSequence`).

@c @implementation
public func up_backing_invalidate(_ backing: OpaquePointer?, _ firstPage: UInt64, _ pages: UInt64) -> Int32 {
  attempt(backing, BackingHandle.self) { (handle) throws(PageError) in
    let callbacks = try handle.callbacks()
    callbacks.moves.advance()
    try callbacks.forEachPart(firstPage, pages) { (part) throws(PageError) in
      guard callbacks.spaces.unmap(pages: part, of: callbacks) else { throw .busy }
    }
    RCU.synchronize()
  }
}

@c @implementation
public func up_backing_write_protect(_ backing: OpaquePointer?, _ firstPage: UInt64, _ pages: UInt64) -> Int32 {
  attempt(backing, BackingHandle.self) { (handle) throws(PageError) in
    let callbacks = try handle.callbacks()
    guard callbacks.writesBack else { throw .invalidArgument }
    callbacks.moves.advance()
    try callbacks.forEachPart(firstPage, pages) { callbacks.spaces.writeProtect(pages: $0, of: callbacks) }
    RCU.synchronize()
  }
}

@c @implementation
public func up_backing_take_accessed(
  _ backing: OpaquePointer?, _ firstPage: UInt64, _ pages: UInt64, _ accessed: UnsafeMutablePointer<UInt8>?
) -> Int64 {
  guard let accessed else { return Int64(-EINVAL) }
  return counting(backing, BackingHandle.self) { (handle) throws(PageError) in
    let callbacks = try handle.callbacks()
    var found = 0
    try callbacks.forEachPart(firstPage, pages) { part in
      for page in part { accessed[page - Int(firstPage)] = 0 }
      for page in callbacks.spaces.takeAccessed(among: part, of: callbacks) {
        accessed[page - Int(firstPage)] = 1
        found += 1
      }
    }
    return found
  }
}

@c @implementation
public func up_backing_resize(_ backing: OpaquePointer?, _ pages: UInt64) -> Int32 {
  guard pages <= CallbackBacking.maximumPages else { return -EINVAL }
  return attempt(backing, BackingHandle.self) { (handle) throws(PageError) in
    let callbacks = try handle.callbacks()
    let isShorter = Int(pages) < callbacks.pageCount
    callbacks.setPageCount(Int(pages))
    guard isShorter else { return }
    callbacks.moves.advance()
    callbacks.spaces.unmapAll(from: Int(pages), of: callbacks)
    RCU.synchronize()
  }
}

// MARK: Entries ahead of faults

@c @implementation
public func up_space_insert_page(_ space: OpaquePointer?, _ address: UInt64, _ number: UInt64) -> Int32 {
  attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.insertPage(PFN(number), at: VirtualAddress(address))
  }
}

@c @implementation
public func up_space_insert_number(
  _ space: OpaquePointer?, _ address: UInt64, _ number: UInt64, _ writable: Int32
) -> Int32 {
  attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.insertPFN(PFN(number), at: VirtualAddress(address), writable: writable != 0)
  }
}

@c @implementation
public func up_space_insert_mixed(
  _ space: OpaquePointer?, _ address: UInt64, _ number: UInt64, _ writable: Int32
) -> Int32 {
  attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.insertMixed(PFN(number), at: VirtualAddress(address), writable: writable != 0)
  }
}

@c @implementation
public func up_space_insert_huge_number(
  _ space: OpaquePointer?, _ address: UInt64, _ number: UInt64, _ writable: Int32
) -> Int32 {
  attempt(space, AddressSpace.self) { (space) throws(PageError) in
    try space.insertHugePFN(PFN(number), at: VirtualAddress(address), writable: writable != 0)
  }
}
