/// What a fault is for.
enum FaultAccess {
  case read
  case write
  /// A write that may go where the program may not write (FOLL_FORCE). It breaks copy-on-write and grants no
  /// permission.
  case forcedWrite
  /// A read that may go where the program may not even read (FOLL_FORCE).
  case forcedRead
  /// Makes an anonymous page exclusive, or gives a private mapping its own copy, without making it writable
  /// (FAULT_FLAG_UNSHARE).
  case unshare

  var isWrite: Bool { self == .write || self == .forcedWrite }
  var isForced: Bool { self == .forcedWrite || self == .forcedRead }
}

extension VMA {
  /// Whether the mapping allows `access`. A forced write is allowed only if it ends in a private copy.
  func permits(_ access: FaultAccess) -> Bool {
    switch access {
    case .read: attributes.protection != .none
    case .write: attributes.protection.contains(.write)
    // A pin asks to unshare, after `VMA.refuses` has judged protection and force.
    case .forcedRead, .unshare: true
    case .forcedWrite: attributes.protection.contains(.write) || isPrivate
    }
  }
}
