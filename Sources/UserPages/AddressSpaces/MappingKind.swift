/// What a mapping shows, and by which rules.
public enum MappingKind: Sendable {
  /// Zero-filled memory. A shared mapping of it shows a file without a name (Linux's shmem).
  case anonymous
  /// Zero-filled memory that no pin, no get and no other process reaches (`memfd_secret(2)`). It is locked, until a
  /// fork. Shared mappings alone.
  case secret
  /// Frames with descriptors, refcounted: a file in the page cache.
  case file(any Backing)
  /// Refcounted frames and bare frame numbers side by side (`VM_MIXEDMAP`): a frame that has a descriptor is
  /// refcounted.
  case mixed(any Backing)
  /// Frame numbers only, never refcounted and never pinned, even where a descriptor exists (VM_PFNMAP). Linear: the
  /// page at the mapping's start shows the backing's page `offset`, and so on.
  ///
  /// `isIO`: accesses may have effects, so only the program makes them: no debugger, no fork's copy (`VM_IO`).
  case pfn(any Backing, isIO: Bool = false)

  var backing: (any Backing)? {
    switch self {
    case .anonymous, .secret: nil
    case .file(let backing), .mixed(let backing), .pfn(let backing, _): backing
    }
  }

  var isPFN: Bool { if case .pfn = self { true } else { false } }

  var isIO: Bool { if case .pfn(_, isIO: true) = self { true } else { false } }

  var isMixed: Bool { if case .mixed = self { true } else { false } }

  /// Whether both show the same thing by the same rules.
  func matches(_ other: MappingKind) -> Bool {
    switch (self, other) {
    case (.anonymous, .anonymous), (.secret, .secret): true
    case (.file(let a), .file(let b)), (.mixed(let a), .mixed(let b)): a === b
    case (.pfn(let a, let aIsIO), .pfn(let b, let bIsIO)): a === b && aIsIO == bIsIO
    default: false
    }
  }
}
