// The functions are called as in C.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

import CUserPages
import Glibc
import UserPages

@c @implementation
public func up_version() -> UInt32 { UInt32(UP_VERSION) }

@c @implementation
public func up_machine_create(
  _ options: UnsafePointer<up_machine_options>?, _ machine: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
  guard let options = options?.pointee, let machine else { return -EINVAL }
  guard let policy = ReclaimPolicy(options) else { return -EINVAL }
  let pages = count(options.swap_pages)
  let swapFile: SwapFile =
    if pages == 0 {
      .none
    } else if let path = options.swap_path {
      .file(at: String(cString: path), pages: pages)
    } else {
      .temporary(pages: pages)
    }
  do throws(PageError) {
    let memory = try PhysicalMemory(
      ramPages: count(options.ram_pages), movablePages: count(options.movable_pages),
      spanPages: options.span_pages == 0 ? nil : count(options.span_pages), swapFile: swapFile, reclaim: policy)
    machine.pointee = Handles.make(memory, .machine, of: memory)
    return 0
  } catch {
    return error.code
  }
}

extension ReclaimPolicy {
  /// What the options say. Nil for flags that are unknown or exclude watermarks.
  fileprivate init?(_ options: up_machine_options) {
    let flags = Int(options.flags)
    let known = UP_MACHINE_NO_BACKGROUND_RECLAIM | UP_MACHINE_NO_SWAP_FOR_ALLOCATIONS | UP_MACHINE_NO_WATERMARKS
    let given = Watermarks(
      min: count(options.min_free_pages), low: count(options.low_free_pages), high: count(options.high_free_pages))
    let hasNone = flags & UP_MACHINE_NO_WATERMARKS != 0
    guard flags & ~known == 0, !hasNone || given == .none else { return nil }
    self.init(
      watermarks: hasNone || given != .none ? given : nil,
      usesBackgroundThread: flags & UP_MACHINE_NO_BACKGROUND_RECLAIM == 0,
      swapsForAllocations: flags & UP_MACHINE_NO_SWAP_FOR_ALLOCATIONS == 0)
  }
}

/// What still uses the machine is looked for before its end, where it would trap.
@c @implementation
public func up_machine_destroy(_ machine: OpaquePointer?) -> Int32 {
  guard let machine, Handles.isLive(machine, .machine) else { return -EINVAL }
  guard Handles.dependents(of: machine) == 0 else { return -EBUSY }
  let isIdle = lending(machine, PhysicalMemory.self) { memory in
    memory.waitForReclaims()
    memory.flushDeferredFrees()
    let census = memory.census()
    return census.pins == 0 && census.references == 0 && census.mapcounts == 0
  }
  guard isIdle else { return -EBUSY }
  return Handles.end(machine, .machine, PhysicalMemory.self) ? 0 : -EINVAL
}

@c @implementation
public func up_machine_flush(_ machine: OpaquePointer?) -> Int32 {
  attempt(machine, PhysicalMemory.self) { $0.flushDeferredFrees() }
}

@c @implementation
public func up_machine_reclaim(_ machine: OpaquePointer?, _ pages: UInt64) -> Int64 {
  counting(machine, PhysicalMemory.self) { $0.reclaim(pages: count(pages)) }
}

@c @implementation
public func up_machine_free_pages(_ machine: OpaquePointer?) -> Int64 {
  counting(machine, PhysicalMemory.self) { $0.freePages }
}

@c @implementation
public func up_machine_resident_bytes(_ machine: OpaquePointer?) -> Int64 {
  counting(machine, PhysicalMemory.self) { $0.residentBytes }
}

extension BackingDiagnostic.Reason {
  fileprivate var number: Int {
    switch self {
    case .frameOfAnotherMachine: UP_WRONG_MACHINE
    case .noSuchPageOfFrame: UP_WRONG_PAGE_OF_FRAME
    case .frameInPFNMapping: UP_WRONG_FRAME_IN_PFN_MAPPING
    case .noSuchFrame: UP_WRONG_NUMBER
    case .frameNotShared: UP_WRONG_FRAME_NOT_SHARED
    case .frameOutOfOrder: UP_WRONG_ORDER
    case .endlessRetry: UP_WRONG_ENDLESS_RETRY
    }
  }
}

@c @implementation
public func up_machine_on_diagnostic(
  _ machine: OpaquePointer?,
  _ handler: (@convention(c) (UnsafeMutableRawPointer?, UnsafePointer<up_diagnostic>?) -> Void)?,
  _ context: UnsafeMutableRawPointer?
) -> Int32 {
  let context = CallbackContext(pointer: context)
  return attempt(machine, PhysicalMemory.self) { memory in
    guard let handler else { return memory.onBackingDiagnostic(nil) }
    memory.onBackingDiagnostic { found in
      found.description.withCString { text in
        var diagnostic = up_diagnostic(
          page: UInt64(found.page), reason: Int32(found.reason.number), text: text,
          backing_context: (found.backing as? CallbackBacking)?.context)
        handler(context.pointer, &diagnostic)
      }
    }
  }
}

@c @implementation
public func up_machine_census(_ machine: OpaquePointer?, _ census: UnsafeMutablePointer<up_census>?) -> Int32 {
  guard let census else { return -EINVAL }
  return attempt(machine, PhysicalMemory.self) { memory in
    let found = memory.census()
    census.pointee = up_census(
      free_pages: UInt64(memory.ramPages - found.framesInUse), used_pages: UInt64(found.framesInUse),
      table_nodes: UInt64(found.tableNodes), mapped_pages: UInt64(found.mapcounts), pins: UInt64(found.pins),
      references: UInt64(found.references), swapped_pages: UInt64(found.swapSlots))
  }
}

// MARK: Frames

extension up_frame {
  /// The value of C for a reference, which it takes over.
  init(owning reference: consuming FrameReference, in memory: PhysicalMemory) {
    let bytes = reference.bytes.withUnsafeMutableBytes { $0.baseAddress }
    let pages = UInt64(reference.pageCount)
    self.init(
      bytes: bytes, number: reference.handOver().rawValue, machine: Unmanaged.passUnretained(memory).toOpaque(),
      pages: pages)
  }

  /// The reference that this value stands for. Nil if it has ended. The value must not be used again.
  func reference() -> FrameReference? {
    guard bytes != nil, let machine else { return nil }
    return FrameReference(
      owning: PFN(number), in: Unmanaged<PhysicalMemory>.fromOpaque(machine).takeUnretainedValue())
  }
}

@c @implementation
public func up_frame_allocate(_ machine: OpaquePointer?, _ frame: UnsafeMutablePointer<up_frame>?) -> Int32 {
  guard let frame else { return -EINVAL }
  return attempt(machine, PhysicalMemory.self) { (memory) throws(PageError) in
    frame.pointee = up_frame(owning: try memory.allocate(), in: memory)
  }
}

@c @implementation
public func up_frame_allocate_huge(_ machine: OpaquePointer?, _ frame: UnsafeMutablePointer<up_frame>?) -> Int32 {
  guard let frame else { return -EINVAL }
  return attempt(machine, PhysicalMemory.self) { (memory) throws(PageError) in
    frame.pointee = up_frame(owning: try memory.allocateHuge(), in: memory)
  }
}

@c @implementation
public func up_frame_retain(
  _ frame: UnsafePointer<up_frame>?, _ another: UnsafeMutablePointer<up_frame>?
) -> Int32 {
  guard let frame, let another, frame != UnsafePointer(another), let reference = frame.pointee.reference() else {
    return -EINVAL
  }
  let code: Int32
  do throws(PageError) {
    // The same bytes and machine: only the reference is another.
    _ = try reference.retain().handOver()
    another.pointee = frame.pointee
    code = 0
  } catch {
    code = error.code
  }
  // It is still the caller's.
  _ = reference.handOver()
  return code
}

@c @implementation
public func up_frame_put(_ frame: UnsafeMutablePointer<up_frame>?) -> Int32 {
  guard let frame, let reference = frame.pointee.reference() else { return -EINVAL }
  frame.pointee.bytes = nil
  reference.put()
  return 0
}
