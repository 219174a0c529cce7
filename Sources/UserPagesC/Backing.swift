// The functions are called as in C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CUserPages
import Glibc
import Synchronization
import UserPages

/// What a handle of a backing retains.
final class BackingHandle: Sendable {
  let backing: any Backing
  let memory: PhysicalMemory

  init(_ backing: any Backing, in memory: PhysicalMemory) {
    self.backing = backing
    self.memory = memory
  }
}

/// A backing that a C program answers for.
///
/// Sendable: the program promises that its callbacks may run on any thread, several at once.
final class CallbackBacking: Backing, @unchecked Sendable {
  typealias Answer =
    @convention(c) (UnsafeMutableRawPointer?, UInt64, Int32, UnsafeMutablePointer<up_answer>?) -> Int32

  /// The most pages that a backing can have.
  static let maximumPages: UInt64 = 1 << 40

  private let operations: up_backing_operations
  private let fault: Answer
  private let pages: Atomic<Int>
  /// Advanced before the entries of a page are emptied or write-protected.
  let moves = InvalidationSequence()
  let spaces = BackingUsers()

  /// Returns nil without `fault`, or with more pages than a backing can have.
  init?(_ operations: up_backing_operations) {
    guard let fault = operations.fault, operations.page_count <= Self.maximumPages else { return nil }
    self.operations = operations
    self.fault = fault
    pages = Atomic(Int(operations.page_count))
  }

  deinit { operations.release?(operations.context) }

  /// What the callbacks are called with.
  var context: UnsafeRawPointer? { UnsafeRawPointer(operations.context) }

  var pageCount: Int { pages.load(ordering: .sequentiallyConsistent) }
  var firstFrame: PFN? { operations.first_number == 0 ? nil : PFN(operations.first_number) }
  var sequence: InvalidationSequence? { moves }
  var users: BackingUsers? { spaces }
  var writesBack: Bool { operations.will_store != nil }

  /// Before the entries beyond a new end are emptied.
  func setPageCount(_ count: Int) { pages.store(count, ordering: .sequentiallyConsistent) }

  func fault(page: Int, write: Bool) -> FaultAnswer {
    guard page >= 0, page < pageCount else { return .busError }
    return ask(fault, page, write) ?? .busError
  }

  func hugeFault(page: Int, write: Bool) -> FaultAnswer? {
    guard let fault = operations.huge_fault, !writesBack else { return nil }
    return ask(fault, page, write)
  }

  /// The answer of a callback. Nil for UP_ANSWER_NONE.
  private func ask(_ fault: Answer, _ page: Int, _ write: Bool) -> FaultAnswer? {
    var answer = up_answer()
    switch fault(operations.context, UInt64(page), write ? 1 : 0, &answer) {
    case 0: break
    case -ENOMEM: return .outOfMemory
    case -EAGAIN: return .retry
    default: return .busError
    }
    switch Int(answer.kind) {
    case UP_ANSWER_FRAME:
      guard let reference = answer.frame.reference() else { return .busError }
      return .frame(reference, page: count(answer.page))
    case UP_ANSWER_NUMBER: return .frameNumber(PFN(answer.number), writable: answer.writable != 0)
    case UP_ANSWER_NONE: return nil
    default: return .busError
    }
  }

  func willStore(page: Int) -> StoreAnswer {
    switch operations.will_store?(operations.context, UInt64(page)) ?? 0 {
    case 0: .allow
    case -ENOMEM: .outOfMemory
    case -EAGAIN: .retry
    default: .busError
    }
  }

  func didCopy(page: Int, to copy: PageBytes) {
    guard let tell = operations.did_copy else { return }
    copy.withUnsafeBytes { tell(operations.context, UInt64(page), $0.baseAddress) }
  }
}

/// Makes a handle of what `make` makes on a machine.
func makeBacking(
  _ machine: OpaquePointer?, _ backing: UnsafeMutablePointer<OpaquePointer?>?,
  _ make: (PhysicalMemory) throws(PageError) -> any Backing
) -> Int32 {
  guard let backing else { return -EINVAL }
  return attempt(machine, PhysicalMemory.self) { (memory) throws(PageError) in
    backing.pointee = Handles.make(BackingHandle(try make(memory), in: memory), .backing, of: memory)
  }
}

@c @implementation
public func up_backing_create(
  _ machine: OpaquePointer?, _ operations: UnsafePointer<up_backing_operations>?,
  _ backing: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  guard machine != nil, backing != nil, let operations = operations?.pointee else { return -EINVAL }
  guard let made = CallbackBacking(operations) else { return -EINVAL }
  return makeBacking(machine, backing) { _ in made }
}

@c @implementation
public func up_memory_file_create(
  _ machine: OpaquePointer?, _ pages: UInt64, _ maximumPages: UInt64, _ backing: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  guard maximumPages >= pages else { return -EINVAL }
  return makeBacking(machine, backing) { (memory) throws(PageError) in
    try PageCacheFile(memory, pages: count(pages), maximumPages: count(maximumPages))
  }
}

@c @implementation
public func up_device_create(
  _ machine: OpaquePointer?, _ pages: UInt64, _ backing: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  makeBacking(machine, backing) { (memory) throws(PageError) in try DeviceRange(memory, pages: count(pages)) }
}

@c @implementation
public func up_image_open(
  _ machine: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ backing: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  guard let path else { return -EINVAL }
  return makeBacking(machine, backing) { (memory) throws(PageError) in
    try Image(memory, path: String(cString: path))
  }
}

@c @implementation
public func up_image_create(
  _ machine: OpaquePointer?, _ bytes: UnsafeRawPointer?, _ count: Int, _ backing: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  guard let bytes, count > 0 else { return -EINVAL }
  return makeBacking(machine, backing) { (memory) throws(PageError) in
    try Image(memory, contents: [UInt8](UnsafeRawBufferPointer(start: bytes, count: count)))
  }
}

extension BackingHandle {
  /// The image.
  ///
  /// - Throws: `invalidArgument` if the backing is none.
  fileprivate func image() throws(PageError) -> Image {
    guard let image = backing as? Image else { throw .invalidArgument }
    return image
  }
}

@c @implementation
public func up_image_move(_ backing: OpaquePointer?, _ page: UInt64, _ toCache: Int32) -> Int32 {
  attempt(backing, BackingHandle.self) { (handle) throws(PageError) in
    let image = try handle.image()
    if toCache != 0 {
      try image.migrateToCache(page: count(page))
    } else {
      try image.migrateToImage(page: count(page))
    }
  }
}

@c @implementation
public func up_image_is_cached(_ backing: OpaquePointer?, _ page: UInt64) -> Int32 {
  Int32(
    counting(backing, BackingHandle.self) { (handle) throws(PageError) in
      try handle.image().isCached(page: count(page)) ? 1 : 0
    })
}

@c @implementation
public func up_image_run_policy(_ backing: OpaquePointer?, _ hotAfter: UInt32, _ coldAfter: UInt32) -> Int64 {
  guard hotAfter > 0, coldAfter > 0 else { return Int64(-EINVAL) }
  return counting(backing, BackingHandle.self) { (handle) throws(PageError) in
    let moved = try handle.image().runPolicy(MigrationPolicy(hotAfter: Int(hotAfter), coldAfter: Int(coldAfter)))
    return moved.toCache + moved.toImage
  }
}

@c @implementation
public func up_device_bytes(_ backing: OpaquePointer?, _ page: UInt64) -> UnsafeMutableRawPointer? {
  guard let backing else { return nil }
  return lending(backing, BackingHandle.self) { handle in
    guard let device = handle.backing as? DeviceRange, page < UInt64(device.pageCount) else { return nil }
    return device.bytes(ofPage: Int(page)).withUnsafeMutableBytes { $0.baseAddress }
  }
}

@c @implementation
public func up_device_first_number(_ backing: OpaquePointer?, _ number: UnsafeMutablePointer<UInt64>?) -> Int32 {
  guard let number else { return -EINVAL }
  return attempt(backing, BackingHandle.self) { (handle) throws(PageError) in
    guard let device = handle.backing as? DeviceRange else { throw .invalidArgument }
    number.pointee = device.firstPFN.rawValue
  }
}

@c @implementation
public func up_backing_destroy(_ backing: OpaquePointer?) -> Int32 {
  guard let backing else { return -EINVAL }
  return Handles.end(backing, .backing, BackingHandle.self) ? 0 : -EINVAL
}

@c @implementation
public func up_backing_page_count(_ backing: OpaquePointer?) -> Int64 {
  counting(backing, BackingHandle.self) { $0.backing.pageCount }
}
