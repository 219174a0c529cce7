// The functions are called as in C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CUserPages
import Glibc
import UserPages

/// A backing that is a file: it has bytes, and a length that can change.
private protocol FileBacking {
  var byteCount: Int { get }
  func read(at offset: Int, count: Int) throws(PageError) -> [UInt8]
  func write(_ bytes: [UInt8], at offset: Int) throws(PageError)
  func setByteCount(_ count: Int) throws(PageError)
  func punchHole(_ pages: Range<Int>) throws(PageError)
}

extension PageCache: FileBacking {}
extension PageCacheFile: FileBacking {}

extension BackingHandle {
  /// The file.
  ///
  /// - Throws: `invalidArgument` if the backing is none.
  fileprivate func file() throws(PageError) -> any FileBacking {
    guard let file = backing as? any FileBacking else { throw .invalidArgument }
    return file
  }

  /// The page cache.
  ///
  /// - Throws: `invalidArgument` if the backing is none.
  func cache() throws(PageError) -> PageCache {
    guard let cache = backing as? PageCache else { throw .invalidArgument }
    return cache
  }
}

@c @implementation
public func up_file_length(_ backing: OpaquePointer?, _ length: UnsafeMutablePointer<UInt64>?) -> Int32 {
  guard let length else { return -EINVAL }
  return attempt(backing, BackingHandle.self) { (handle) throws(PageError) in
    length.pointee = UInt64(try handle.file().byteCount)
  }
}

@c @implementation
public func up_file_read(
  _ backing: OpaquePointer?, _ offset: UInt64, _ bytes: UnsafeMutableRawPointer?, _ count: Int
) -> Int64 {
  guard count == 0 || bytes != nil, count >= 0, let offset = Int(exactly: offset) else { return Int64(-EINVAL) }
  return counting(backing, BackingHandle.self) { (handle) throws(PageError) in
    if let cache = handle.backing as? PageCache {
      var span = UnsafeMutableRawBufferPointer(start: bytes, count: count).mutableBytes
      return try cache.read(at: offset, into: &span)
    }
    let found =
      if let image = handle.backing as? Image {
        try image.read(at: offset, count: count)
      } else {
        try handle.file().read(at: offset, count: count)
      }
    if let bytes { UnsafeMutableRawBufferPointer(start: bytes, count: count).copyBytes(from: found) }
    return found.count
  }
}

@c @implementation
public func up_file_write(
  _ backing: OpaquePointer?, _ offset: UInt64, _ bytes: UnsafeRawPointer?, _ count: Int
) -> Int64 {
  guard count == 0 || bytes != nil, count >= 0, let offset = Int(exactly: offset) else { return Int64(-EINVAL) }
  return counting(backing, BackingHandle.self) { (handle) throws(PageError) in
    let part = UnsafeRawBufferPointer(start: bytes, count: count)
    if let cache = handle.backing as? PageCache {
      try cache.write(part.bytes, at: offset)
    } else {
      try handle.file().write([UInt8](part), at: offset)
    }
    return count
  }
}

@c @implementation
public func up_file_resize(_ backing: OpaquePointer?, _ length: UInt64) -> Int32 {
  guard let length = Int(exactly: length) else { return -EINVAL }
  return attempt(backing, BackingHandle.self) { (handle) throws(PageError) in
    try handle.file().setByteCount(length)
  }
}

@c @implementation
public func up_file_punch_hole(_ backing: OpaquePointer?, _ firstPage: UInt64, _ pages: UInt64) -> Int32 {
  let (end, overflows) = firstPage.addingReportingOverflow(pages)
  guard !overflows, let end = Int(exactly: end) else { return -EINVAL }
  return attempt(backing, BackingHandle.self) { (handle) throws(PageError) in
    try handle.file().punchHole(Int(firstPage)..<end)
  }
}
