/// What a mapping shows, and by which rules.
public enum MappingKind: Sendable {
  /// Zero-filled memory. A shared mapping of it shows a file without a name (Linux's shmem).
  case anonymous
  /// Zero-filled memory that no pin, no get and no other process reaches (`memfd_secret(2)`). It is locked, until a
  /// fork. Shared mappings alone.
  case secret
  /// What a backing shows: a frame with a descriptor is refcounted, a bare frame number is a special entry. Unlike a
  /// mixed mapping it takes guard markers, and a fork's child faults its pages anew unless it has private ones.
  case file(any Backing)
  /// Refcounted frames and bare frame numbers side by side (`VM_MIXEDMAP`): a frame that has a descriptor is
  /// refcounted.
  case mixed(any Backing)
  /// Frame numbers only, never refcounted and never pinned, even where a descriptor exists (VM_PFNMAP). A private one
  /// must be linear: page n shows the backing's frame n (`Backing.firstFrame`).
  ///
  /// `isIO`: stores need not be noticed, so `protect` makes a shared mapping's entries writable at once (`VM_IO`).
  case pfn(any Backing, isIO: Bool = false)

  var backing: (any Backing)? {
    switch self {
    case .anonymous, .secret: nil
    case .file(let backing), .mixed(let backing), .pfn(let backing, _): backing
    }
  }

  /// What a kind says besides its backing.
  enum Rules: UInt8 {
    case anonymous, secret, file, mixed, pfn
    /// `pfn` with `isIO`.
    case io

    var isPFN: Bool { self == .pfn || self == .io }
  }

  var rules: Rules {
    switch self {
    case .anonymous: .anonymous
    case .secret: .secret
    case .file: .file
    case .mixed: .mixed
    case .pfn(_, let isIO): isIO ? .io : .pfn
    }
  }
}
