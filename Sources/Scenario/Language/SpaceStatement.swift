/// Makes, forks or ends an address space, or changes its mappings.
public enum SpaceStatement: Equatable, Sendable, CustomStringConvertible {
  case space(name: String)
  case fork(parent: String, child: String)
  case exit(space: String)
  case map(MapStatement)
  case unmap(space: String, PageRange)
  case protect(space: String, PageRange, Permission)
  case advise(space: String, PageRange, AdviceWord)
  case seal(space: String, PageRange)
  case remap(space: String, PageRange, to: PageRange, dontUnmap: Bool = false)
  case lock(space: String, PageRange)
  case unlock(space: String, PageRange)

  public var description: String {
    switch self {
    case .space(let name): "space \(name)"
    case .fork(let parent, let child): "fork \(parent) \(child)"
    case .exit(let space): "exit \(space)"
    case .map(let statement): statement.description
    case .unmap(let space, let range): "unmap \(space) \(range)"
    case .protect(let space, let range, let permission): "protect \(space) \(range) \(permission.rawValue)"
    case .advise(let space, let range, let advice): "advise \(space) \(range) \(advice.rawValue)"
    case .seal(let space, let range): "seal \(space) \(range)"
    case .remap(let space, let range, let target, let dontUnmap):
      "remap \(space) \(range) \(target)\(dontUnmap ? " dontunmap" : "")"
    case .lock(let space, let range): "lock \(space) \(range)"
    case .unlock(let space, let range): "unlock \(space) \(range)"
    }
  }
}

/// `map A ADDR PAGES PROT SHARING BACKING [OFFSET] [huge] [noreplace]`.
public struct MapStatement: Equatable, Sendable, CustomStringConvertible {
  public var space: String
  public var range: PageRange
  public var permission: Permission
  public var sharing: SharingWord
  public var backing: BackingWord
  /// The page of the backing at the start of the mapping. Nil if the file leaves it out.
  public var offset: Int?
  public var huge: Bool
  /// Whether the mapping is refused where another one is (MAP_FIXED_NOREPLACE).
  public var noReplace: Bool

  public init(
    space: String, range: PageRange, permission: Permission, sharing: SharingWord, backing: BackingWord,
    offset: Int? = nil, huge: Bool = false, noReplace: Bool = false
  ) {
    self.space = space
    self.range = range
    self.permission = permission
    self.sharing = sharing
    self.backing = backing
    self.offset = offset
    self.huge = huge
    self.noReplace = noReplace
  }

  public var description: String {
    var text = "map \(space) \(range) \(permission.rawValue) \(sharing.rawValue) \(backing)"
    if let offset { text += " \(offset)" }
    if huge { text += " huge" }
    if noReplace { text += " noreplace" }
    return text
  }
}

/// `ADDR PAGES`.
public struct PageRange: Equatable, Sendable, CustomStringConvertible {
  /// A byte address. Each statement decides whether it must be aligned.
  public var address: UInt64
  public var pages: Int

  public init(address: UInt64, pages: Int) {
    self.address = address
    self.pages = pages
  }

  public var description: String { "\(addressText(address)) \(pages)" }
}

/// PROT.
public enum Permission: String, CaseIterable, Sendable {
  case none
  case read = "r"
  case write = "w"
  case readWrite = "rw"
}

/// SHARING.
public enum SharingWord: String, CaseIterable, Sendable {
  case `private`
  case shared
}

/// BACKING.
public enum BackingWord: Equatable, Sendable, CustomStringConvertible {
  case anonymous
  case file(String)
  case mixed(String)
  /// A file of an EROFS file system.
  case erofs(String, path: String)
  case pfn(String)
  case secret

  public var description: String {
    switch self {
    case .anonymous: "anon"
    case .file(let name): "file:\(name)"
    case .mixed(let name): "mixed:\(name)"
    case .erofs(let name, let path): "mixed:\(name):\(path)"
    case .pfn(let name): "pfn:\(name)"
    case .secret: "secret"
    }
  }
}

/// ADVICE.
public enum AdviceWord: String, CaseIterable, Sendable {
  case dontNeed = "dontneed"
  case pageOut = "pageout"
  case dontFork = "dontfork"
  case doFork = "dofork"
  case wipeOnFork = "wipeonfork"
  case keepOnFork = "keeponfork"
  case free
  case cold
  case populateRead = "populate-read"
  case populateWrite = "populate-write"
  case collapse
  case guardInstall = "guard-install"
  case guardRemove = "guard-remove"
}

/// The form of an address in results and normalised statements.
func addressText(_ address: UInt64) -> String { "0x" + String(address, radix: 16) }
