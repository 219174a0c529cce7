/// What a mapping shows, and by which rules.
public enum MappingKind: Sendable {
  /// Zero-filled memory; where it is shared, a file that nobody else can name (as Linux's shmem).
  case anonymous
  /// A file in the page cache.
  case file(PageCacheFile)
  /// Refcounted frames and bare frame numbers side by side (VM_MIXEDMAP), from an image.
  case mixed(Image)
  /// Frame numbers of an image, in one linear piece (VM_PFNMAP).
  case pfnImage(Image)
  /// Frame numbers of a device's range, in one linear piece (VM_PFNMAP and VM_IO).
  case pfnDevice(DeviceRange)

  var backing: (any Backing)? {
    switch self {
    case .anonymous: nil
    case .file(let file): file
    case .mixed(let image), .pfnImage(let image): image
    case .pfnDevice(let device): device
    }
  }

  /// VM_PFNMAP: frame numbers only, never refcounted, never pinned.
  var isPFN: Bool {
    switch self {
    case .pfnImage, .pfnDevice: true
    case .anonymous, .file, .mixed: false
    }
  }

  /// VM_IO: touching it may have effects, so nobody but the program does.
  var isIO: Bool { if case .pfnDevice = self { true } else { false } }

  /// VM_MIXEDMAP.
  var isMixed: Bool { if case .mixed = self { true } else { false } }

  /// Whether both show the same thing by the same rules.
  func matches(_ other: MappingKind) -> Bool {
    guard isPFN == other.isPFN, isMixed == other.isMixed else { return false }
    return backing === other.backing
  }
}
