// The functions are called as in C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CUserPages
import Glibc
import Synchronization
import UserPages

extension PageCache.Stability {
  /// The kind that C names. Nil for an unknown value.
  fileprivate init?(_ number: Int32) {
    switch Int(number) {
    case UP_STABILITY_NONE: self = .none
    case UP_STABILITY_WAITS: self = .waits
    case UP_STABILITY_COPIES: self = .copies
    case UP_STABILITY_ADAPTS: self = .adapts
    default: return nil
    }
  }
}

/// The hooks of a program, which its cache keeps.
///
/// Sendable: the program promises that its callbacks may run on any thread, several at once.
private final class CacheHooks: @unchecked Sendable {
  private let options: up_cache_options
  /// Whether the cache was made: the program's context is the cache's from then on.
  private let isOwner = Atomic(false)

  init(_ options: up_cache_options) { self.options = options }

  deinit { if isOwner.load(ordering: .acquiring) { options.release?(options.context) } }

  /// The cache is made.
  func own() { isOwner.store(true, ordering: .releasing) }

  /// The hooks that are set. Each keeps this object, and one at least does if there is a `release`.
  var hooks: PageCache.Hooks {
    var hooks = PageCache.Hooks()
    if let willStore = options.will_store {
      hooks.willStore = { (page) throws(PageError) in
        let code = willStore(self.options.context, UInt64(page))
        if code != 0 { throw PageError(code: code, .write) }
      }
    }
    if options.will_write_back != nil || options.release != nil {
      hooks.willWriteBack = { (pages) throws(PageError) in
        let code = pages.withUnsafeBufferPointer { pages in
          pages.withMemoryRebound(to: UInt64.self) { numbers in
            self.options.will_write_back?(self.options.context, numbers.baseAddress, numbers.count) ?? 0
          }
        }
        if code != 0 { throw PageError(code: code, .write) }
      }
    }
    return hooks
  }
}

/// Makes a cache of what `store` opens.
private func makeCache(
  _ machine: OpaquePointer?, _ options: up_cache_options, _ backing: UnsafeMutablePointer<OpaquePointer?>?,
  _ store: (DirectFile.Transfers) throws(PageError) -> any PageStore
) -> Int32 {
  makeBacking(machine, backing) { (memory) throws(PageError) in
    // Before the file is made: an argument that is refused leaves nothing behind.
    guard PageCache.limits.contains(count(options.limit)),
      options.maximum_pages == 0 || PageCache.pageCounts.contains(count(options.maximum_pages)),
      let stability = PageCache.Stability(options.stability)
    else { throw .invalidArgument }
    let hooks = CacheHooks(options)
    let cache = try PageCache(
      memory, try store(options.uses_calls != 0 ? .calls : .ring), limit: count(options.limit), stability: stability,
      takesStores: options.refuses_stores == 0,
      maximumPages: options.maximum_pages == 0 ? nil : count(options.maximum_pages), hooks: hooks.hooks)
    hooks.own()
    return cache
  }
}

@c @implementation
public func up_cache_open(
  _ machine: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<up_cache_options>?,
  _ backing: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  guard let path, let options = options?.pointee else { return -EINVAL }
  return makeCache(machine, options, backing) { (transfers) throws(PageError) in
    try DirectFile(path: String(cString: path), transfers: transfers)
  }
}

@c @implementation
public func up_cache_open_descriptor(
  _ machine: OpaquePointer?, _ descriptor: Int32, _ options: UnsafePointer<up_cache_options>?,
  _ backing: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  guard let options = options?.pointee else { return -EINVAL }
  let code = makeCache(machine, options, backing) { (transfers) throws(PageError) in
    // The cache owns a copy: after an error the caller's own stays open. Were it a standard stream's, because the
    // program has closed that, what the program prints would go to the file.
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
    guard copy >= 0 else { throw .file(.open, errno: errno) }
    return try DirectFile(owning: copy, transfers: transfers)
  }
  if code == 0 { close(descriptor) }
  return code
}

@c @implementation
public func up_cache_create(
  _ machine: OpaquePointer?, _ operations: UnsafePointer<up_store_operations>?,
  _ options: UnsafePointer<up_cache_options>?, _ backing: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  guard let options = options?.pointee, let operations = operations?.pointee,
    let store = CallbackStore(operations)
  else { return -EINVAL }
  let code = makeCache(machine, options, backing) { _ in store }
  if code == 0 { store.own() }
  return code
}

@c @implementation
public func up_cache_is_resident(_ backing: OpaquePointer?, _ page: UInt64) -> Int32 {
  Int32(
    counting(backing, BackingHandle.self) { (handle) throws(PageError) in
      try handle.cache().isResident(page: count(page)) ? 1 : 0
    })
}

@c @implementation
public func up_cache_invalidate(_ backing: OpaquePointer?) -> Int32 {
  attempt(backing, BackingHandle.self) { (handle) throws(PageError) in try handle.cache().invalidate() }
}

@c @implementation
public func up_cache_sync(_ backing: OpaquePointer?) -> Int32 {
  attempt(backing, BackingHandle.self) { (handle) throws(PageError) in try handle.cache().sync() }
}

@c @implementation
public func up_cache_handle_create(
  _ backing: OpaquePointer?, _ handle: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  guard let handle else { return -EINVAL }
  return attempt(backing, BackingHandle.self) { (backing) throws(PageError) in
    handle.pointee = Handles.make(try backing.cache().open(), .cacheHandle, of: backing.memory)
  }
}

@c @implementation
public func up_cache_handle_sync(_ handle: OpaquePointer?) -> Int32 {
  attempt(handle, PageCache.Handle.self) { (handle) throws(PageError) in try handle.sync() }
}

@c @implementation
public func up_cache_handle_check(_ handle: OpaquePointer?) -> Int32 {
  attempt(handle, PageCache.Handle.self) { (handle) throws(PageError) in try handle.check() }
}

@c @implementation
public func up_cache_handle_destroy(_ handle: OpaquePointer?) -> Int32 {
  guard let handle else { return -EINVAL }
  return Handles.end(handle, .cacheHandle, PageCache.Handle.self) ? 0 : -EINVAL
}

@c @implementation
public func up_cache_flush(_ backing: OpaquePointer?, _ firstPage: UInt64, _ pages: UInt64) -> Int32 {
  let (end, overflows) = firstPage.addingReportingOverflow(pages)
  let range = count(firstPage)..<(overflows ? Int.max : count(end))
  return attempt(backing, BackingHandle.self) { (handle) throws(PageError) in try handle.cache().flush(range) }
}

@c @implementation
public func up_cache_evict(_ backing: OpaquePointer?, _ pages: UInt64) -> Int64 {
  counting(backing, BackingHandle.self) { (handle) throws(PageError) in try handle.cache().evict(count(pages)) }
}

@c @implementation
public func up_cache_count(_ backing: OpaquePointer?, _ counters: UnsafeMutablePointer<up_cache_counters>?) -> Int32 {
  guard let counters else { return -EINVAL }
  return attempt(backing, BackingHandle.self) { (handle) throws(PageError) in
    let cache = try handle.cache()
    let ahead = cache.readAheadCounts
    counters.pointee = up_cache_counters(
      limit: UInt64(cache.limit), resident_pages: UInt64(cache.residentPages), dirty_pages: UInt64(cache.dirtyPages),
      refaults: UInt64(cache.refaults), copied_pages: UInt64(cache.copiedPages), misses: UInt64(cache.misses),
      evicted_pages: UInt64(cache.evictedPages), read_ahead_pages: UInt64(ahead.pages),
      read_ahead_hits: UInt64(ahead.hits), read_ahead_wasted: UInt64(ahead.wasted))
  }
}
