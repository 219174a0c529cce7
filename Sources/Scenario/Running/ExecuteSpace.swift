import UserPages

extension ScenarioMachine {
  func execute(_ statement: SpaceStatement) throws(PageError) -> Outcome {
    switch statement {
    case .space(let name):
      guard spaces[name] == nil else { throw .busy }
      spaces[name] = AddressSpace(memory, engine: engine)
    case .fork(let parent, let child):
      guard spaces[child] == nil else { throw .busy }
      spaces[child] = try space(parent).fork()
    case .exit(let name):
      try space(name).exit()
      spaces[name] = nil
    case .map(let statement):
      try map(statement)
    case .unmap(let name, let range):
      try space(name).unmap(at: range.start, pages: range.pages)
    case .protect(let name, let range, let permission):
      try space(name).protect(at: range.start, pages: range.pages, permission.protection)
    case .advise(let name, let range, let advice):
      try space(name).advise(at: range.start, pages: range.pages, advice.advice)
    case .seal(let name, let range):
      try space(name).seal(at: range.start, pages: range.pages)
    case .remap(let name, let range, let target, let dontUnmap):
      try space(name).remap(
        at: range.start, pages: range.pages, to: target.start, newPages: target.pages, unmapsOldRange: !dontUnmap)
    case .lock(let name, let range):
      try space(name).lock(at: range.start, pages: range.pages)
    case .unlock(let name, let range):
      try space(name).unlock(at: range.start, pages: range.pages)
    }
    return .ok
  }

  private func map(_ statement: MapStatement) throws(PageError) {
    try space(statement.space).map(
      at: statement.range.start, pages: statement.range.pages, protection: statement.permission.protection,
      sharing: statement.sharing.sharing, backing: try kind(statement.backing), offset: statement.offset ?? 0,
      hugePages: statement.huge, replaces: !statement.noReplace)
  }

  private func kind(_ backing: BackingWord) throws(PageError) -> MappingKind {
    switch backing {
    case .anonymous: return .anonymous
    case .secret: return .secret
    case .file(let name):
      if let file = files[name] { return .file(file) }
      if let disk = diskFiles[name] { return .file(disk.cache) }
    case .mixed(let name):
      if let image = images[name] { return .mixed(image) }
    case .erofs(let name, let path): return .mixed(try erofsFile(name, path))
    case .pfn(let name):
      if let image = images[name] { return .pfn(image) }
      if let device = devices[name] { return .pfn(device, isIO: true) }
    }
    throw .invalidArgument
  }
}

extension PageRange {
  var start: VirtualAddress { VirtualAddress(address) }
}

extension Permission {
  var protection: Protection {
    switch self {
    case .none: .none
    case .read: .read
    case .write: .write
    case .readWrite: .readWrite
    }
  }
}

extension SharingWord {
  var sharing: Sharing {
    switch self {
    case .private: .private
    case .shared: .shared
    }
  }
}

extension AdviceWord {
  var advice: Advice {
    switch self {
    case .dontNeed: .dontNeed
    case .pageOut: .pageOut
    case .dontFork: .dontFork
    case .doFork: .doFork
    case .wipeOnFork: .wipeOnFork
    case .keepOnFork: .keepOnFork
    case .free: .free
    case .cold: .cold
    case .populateRead: .populateRead
    case .populateWrite: .populateWrite
    case .collapse: .collapse
    case .guardInstall: .guardInstall
    case .guardRemove: .guardRemove
    }
  }
}
