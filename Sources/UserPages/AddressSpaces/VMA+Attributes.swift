extension VMA {
  /// What must be equal for neighbours to be one mapping: what it shows, and by which rules (`vm_flags`, `vm_file`).
  ///
  /// Small and with one reference, because each change of a mapping copies it. What needs no reference is in `flags`
  /// and `rules`: a question about it writes no reference count.
  struct Attributes: Sendable {
    var protection: Protection
    let rules: MappingKind.Rules
    private var flags: Flags
    /// The frame that page 0 of a pfn mapping's backing shows, if the rest follow. Nil in all other mappings.
    let firstFrame: PFN?
    private let source: Source?

    /// Asks the backing: the caller holds no lock and is in no section.
    ///
    /// Entries are installed and judged inside sections and under locks, where no code of a backing may run. So what
    /// the backing says of itself is kept.
    init(protection: Protection, isShared: Bool, kind: MappingKind, hugePages: Bool) {
      self.protection = protection
      rules = kind.rules
      flags = [isShared ? .shared : [], hugePages ? .hugePages : []]
      if !isShared, protection.contains(.write) { flags.insert(.accounted) }
      guard let backing = kind.backing else {
        firstFrame = nil
        source = nil
        flags.insert(.takesStores)
        return
      }
      firstFrame = rules.isPFN ? backing.firstFrame : nil
      source = Source(backing)
      if backing.takesStores { flags.insert(.takesStores) }
      if backing.writesBack { flags.insert(.writesBack) }
    }

    func matches(_ other: Attributes) -> Bool {
      protection == other.protection && rules == other.rules && flags == other.flags && backing === other.backing
    }

    // MARK: Flags

    private struct Flags: OptionSet {
      let rawValue: UInt16

      static let shared = Flags(rawValue: 1 << 0)
      static let takesStores = Flags(rawValue: 1 << 1)
      static let writesBack = Flags(rawValue: 1 << 2)
      static let dontFork = Flags(rawValue: 1 << 3)
      static let wipesOnFork = Flags(rawValue: 1 << 4)
      static let sealed = Flags(rawValue: 1 << 5)
      static let secret = Flags(rawValue: 1 << 6)
      static let locked = Flags(rawValue: 1 << 7)
      static let accounted = Flags(rawValue: 1 << 8)
      static let hugePages = Flags(rawValue: 1 << 9)
    }

    private subscript(flag: Flags) -> Bool {
      get { flags.contains(flag) }
      set { if newValue { flags.insert(flag) } else { flags.remove(flag) } }
    }

    var isShared: Bool { self[.shared] }

    /// Whether a frame that is mapped for reading may become writable through the mapping.
    var takesStores: Bool { self[.takesStores] }

    /// Whether the first store to each page asks the backing.
    var writesBack: Bool { self[.writesBack] }

    /// A fork's child does not inherit it (`VM_DONTCOPY`).
    var dontFork: Bool {
      get { self[.dontFork] }
      set { self[.dontFork] = newValue }
    }

    /// A fork's child inherits it without its pages (`VM_WIPEONFORK`).
    var wipesOnFork: Bool {
      get { self[.wipesOnFork] }
      set { self[.wipesOnFork] = newValue }
    }

    /// Stays as it is (`VM_SEALED`): see `AddressSpace.seal`.
    var isSealed: Bool {
      get { self[.sealed] }
      set { self[.sealed] = newValue }
    }

    /// No pin reaches its pages: its entries are special (`vma_is_secretmem`).
    var isSecret: Bool {
      get { self[.secret] }
      set { self[.secret] = newValue }
    }

    /// Its pages are never paged out (`VM_LOCKED`).
    var isLocked: Bool {
      get { self[.locked] }
      set { self[.locked] = newValue }
    }

    /// Its pages count as memory that the program was promised (`VM_ACCOUNT`): it is private and was writable once.
    var isAccounted: Bool {
      get { self[.accounted] }
      set { self[.accounted] = newValue }
    }

    /// May use 2 MiB entries (`VM_HUGEPAGE`).
    var hugePages: Bool {
      get { self[.hugePages] }
      set { self[.hugePages] = newValue }
    }

    // MARK: The kind

    var isAnonymous: Bool { rules == .anonymous }
    var isMixed: Bool { rules == .mixed }
    var isPFN: Bool { rules.isPFN }
    var isIO: Bool { rules == .io }

    /// Stays apart from its neighbours, whatever they are (`VM_SPECIAL`).
    var isSpecial: Bool { isPFN || isMixed }

    /// One object for what needs a reference.
    private final class Source: Sendable {
      let backing: any Backing
      let users: BackingUsers?

      init(_ backing: any Backing) {
        self.backing = backing
        users = backing.users
      }
    }

    var backing: (any Backing)? { source?.backing }

    /// The spaces that map the backing, if it wants to know them.
    var users: BackingUsers? { source?.users }
  }
}
