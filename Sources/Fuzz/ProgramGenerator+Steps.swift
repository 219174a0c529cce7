import Scenario

/// The statements between the beginning of a program and its end.
extension ProgramGenerator {
  private enum Step {
    case read, write, remote, file
    case map, unmap, protect, advise, remap
    case fork, exit, space
    case pin, get, release, peek, poke
    case transient, look
  }

  private static let steps: [(weight: Int, Step)] = [
    (8, .read), (16, .write), (6, .remote), (8, .file),
    (7, .map), (3, .unmap), (7, .protect), (7, .advise), (5, .remap),
    (7, .fork), (3, .exit), (1, .space),
    (9, .pin), (5, .get), (4, .release), (5, .peek), (7, .poke), (7, .transient), (3, .look),
  ]

  /// The steps that a mode adds to them.
  private static func steps(of mode: ProgramMode) -> [(weight: Int, Step)] {
    switch mode {
    case .disk, .files: [(30, .file)]
    case .swap: [(30, .advise), (10, .write), (10, .file)]
    case .huge: [(15, .protect), (10, .unmap), (10, .remap)]
    case .overlap: [(35, .map), (15, .remap)]
    case .forks: [(40, .fork), (15, .exit), (15, .write)]
    case .pins: [(30, .pin), (20, .transient), (10, .unmap), (10, .protect)]
    case .unshare: [(15, .fork), (8, .exit), (40, .transient), (15, .write)]
    case .longterm: [(15, .fork), (40, .pin), (10, .release), (15, .write)]
    case .pfn:
      [(20, .map), (20, .advise), (15, .remap), (15, .protect), (10, .unmap), (10, .pin), (10, .transient)]
    }
  }

  mutating func addStep() {
    guard let index = model.spaces.indices.randomElement(using: &random) else { return addSpace() }
    let space = model.spaces[index]
    if changesFiles, random.chance(30) { return addFileStep() }
    switch random.pick(Self.steps + (mode.map(Self.steps) ?? [])) {
    case .read:
      let (address, _) = target(space) { $0.permission != .none }
      let count = random.chance(8) ? 8192 : Int.random(in: 1...20, using: &random)
      add(.access(.read(space: space.name, address: address, count: count)))
    case .write:
      let (address, _) = target(space) { $0.permission == .readWrite }
      add(.access(.write(space: space.name, address: address, bytes())))
    case .remote: addRemoteAccess(space)
    case .file: addFileStep()
    case .map: addMap(space.name)
    case .unmap, .protect, .advise, .remap: addChange(index)
    case .fork:
      guard mayAddSpace else { return }
      // The deeper the tree the better.
      let parent = mode == .forks && random.chance(60) ? model.spaces[model.spaces.count - 1] : space
      let child = model.nextSpaceName()
      add(.space(.fork(parent: parent.name, child: child)))
      model.spaces.append(.init(name: child, pages: parent.pages))
    case .exit:
      guard model.spaces.count > 1 else { return }
      add(.space(.exit(space: space.name)))
      model.spaces.remove(at: index)
    case .space:
      if mayAddSpace { addSpace() }
    case .pin, .get, .release, .peek, .poke: addPinStep(space)
    case .transient: addTransientPin(space)
    case .look:
      guard !model.isHuge, !collapses else { return }
      add(.look(.frame(space: space.name, address: model.address(somePage(space)))))
    }
  }

  /// Whether there may be one more space. The oracle has room for `Comparability.mostSpaces` in a program's life.
  private var mayAddSpace: Bool {
    mode == .forks
      ? model.spaces.count < 8 && model.spacesMade < Comparability.mostSpaces : model.spaces.count < 4
  }

  /// An access as another process makes it.
  private mutating func addRemoteAccess(_ space: ProgramModel.Space) {
    if random.chance(50) {
      let (address, _) = target(space) { $0.permission != .none }
      let count = random.chance(15) ? 8192 : Int.random(in: 1...20, using: &random)
      add(.access(.readRemotely(space: space.name, address: address, count: count)))
    } else {
      let (address, _) = target(space) { $0.permission == .readWrite }
      add(.access(.writeRemotely(space: space.name, address: address, bytes())))
    }
  }

  // MARK: - Targets

  /// An address, mostly in a page for which `holds` is true, and the page's number in the window.
  private mutating func target(
    _ space: ProgramModel.Space, where holds: (ProgramModel.MappedPage) -> Bool
  ) -> (address: UInt64, page: Int) {
    // Around the end of a file.
    if random.chance(changesFiles ? 50 : 20),
      let (page, end) = space.pagesWithEnd(of: model.files).randomElement(using: &random)
    {
      return (
        model.address(page) + UInt64(min(max(end + random.pick([(1, -2), (2, 0), (1, 8), (1, 100)]), 0), 4095)), page
      )
    }
    let page = somePage(space, where: holds)
    return ((random.chance(1) ? farAddress() : model.address(page) + offsetInPiece()) + offsetInPage(), page)
  }

  /// An address at which nothing can be mapped.
  private mutating func farAddress() -> UInt64 {
    random.pick([
      (1, 0), (1, 0x1000), (1, 0x7fff_ffff_f000), (1, 0x8000_0000_0000), (1, 0xffff_8880_0000_0000),
      (1, 0xffff_ffff_ffff_e000),
    ])
  }

  mutating func somePage(
    _ space: ProgramModel.Space, where holds: (ProgramModel.MappedPage) -> Bool = { _ in true }
  ) -> Int {
    if random.chance(92), let page = space.pages(where: holds).randomElement(using: &random) { return page }
    return Int.random(in: 0..<hotPages, using: &random)
  }

  mutating func length() -> Int {
    random.pick([(8, 1), (4, 2), (2, 3), (2, 4), (1, 6), (1, 8)])
  }

  private mutating func range(_ space: ProgramModel.Space) -> (start: Int, count: Int, PageRange) {
    let start = somePage(space)
    var count = length()
    // Sometimes the whole run of mapped pages.
    if random.chance(15) {
      var end = start
      while end < ProgramModel.windowPages, space.pages[end] != nil { end += 1 }
      count = max(end - start, 1)
    }
    if random.chance(1) { count = 0 }
    let misaligned: UInt64 = random.chance(1) ? 0x800 : 0
    // Sometimes part of a huge page.
    if model.isHuge, random.chance(35) {
      return (start, 0, PageRange(address: model.address(start) + offsetInPiece(), pages: length()))
    }
    return (start, count, PageRange(address: model.address(start) + misaligned, pages: count * model.scale))
  }

  mutating func permission() -> Permission {
    random.pick([(1, .none), (4, .read), (6, .readWrite), (mapsWriteOnly ? 3 : 0, .write)])
  }

  // MARK: - Mappings

  mutating func addMap(_ name: String) {
    guard let index = model.spaces.firstIndex(where: { $0.name == name }) else { return }
    let start = Int.random(in: 0..<hotPages, using: &random)
    let count = random.chance(1) ? 0 : length()
    if mode == .pfn, random.chance(50) { return addFrameNumbers(index, start, count) }
    let file =
      random.chance(collapses ? collapsesShared ? 40 : 0 : changesFiles ? 90 : model.isHuge ? 10 : 35)
      ? model.files.randomElement(using: &random) : nil
    let cannotShare = (collapses && !collapsesShared) || (pagesOut && !pagesOutShared && file?.isOnDisk != true)
    let sharing: SharingWord =
      random.chance(cannotShare ? 0 : pagesOutShared ? 60 : collapses ? 40 : file == nil ? 15 : 50) ? .shared : .private
    let permission = changesFiles && random.chance(60) ? .readWrite : permission()
    // Mostly inside the file, sometimes past its end.
    let isAligned = collapsesShared && random.chance(80)
    let offset = file.map {
      isAligned ? 0 : Int.random(in: 0...(random.chance(85) ? max($0.pages - count, 0) : 8), using: &random)
    }
    let noReplace = random.chance(8)
    let isSecret = hasSecrets && count > 0 && random.chance(40)
    let range = PageRange(
      address: model.address(start) + (random.chance(1) ? 0x10 : 0), pages: count * model.scale)
    add(
      .space(
        .map(
          MapStatement(
            space: name, range: range, permission: permission, sharing: isSecret ? .shared : sharing,
            backing: isSecret ? .secret : file.map { .file($0.name) } ?? .anonymous, offset: isSecret ? nil : offset,
            huge: model.isHuge && !(collapsesShared && sharing == .shared) && random.chance(75),
            noReplace: noReplace)
        )))
    if noReplace, model.spaces[index].inWindow(start, count).contains(where: { model.spaces[index].pages[$0] != nil }) {
      return
    }
    let page = ProgramModel.MappedPage(
      permission: permission, sharing: isSecret ? .shared : sharing,
      file: isSecret ? nil : file.map { ($0.name, 0) })
    model.spaces[index].map(start, count, page, from: offset ?? 0)
  }

  /// Maps the image for reading, or the device for whatever.
  private mutating func addFrameNumbers(_ index: Int, _ start: Int, _ count: Int) {
    let isDevice = random.chance(30)
    let permission = isDevice ? permission() : random.chance(15) ? .none : .read
    let noReplace = random.chance(8)
    let space = model.spaces[index].name
    let range = PageRange(
      address: model.address(start) + (random.chance(1) ? 0x10 : 0), pages: isDevice ? 1 : count)
    let sharing: SharingWord = isDevice ? .shared : .private
    add(
      .space(
        .map(
          MapStatement(
            space: space, range: range, permission: permission, sharing: sharing,
            backing: .pfn(isDevice ? Self.device : Self.image), noReplace: noReplace))))
    if isDevice { add(.space(.advise(space: space, range, .dontFork))) }
    let wanted = model.spaces[index].inWindow(start, range.pages)
    if noReplace, wanted.contains(where: { model.spaces[index].pages[$0] != nil }) { return }
    model.spaces[index].map(
      start, range.pages, ProgramModel.MappedPage(permission: permission, sharing: sharing))
  }

  private mutating func addChange(_ index: Int) {
    let space = model.spaces[index]
    if random.chance(2) { return addFarChange(space.name) }
    let (start, count, range) = range(space)
    if locks, random.chance(30), range.pages <= Comparability.mostLockedPages {
      let isLock = random.chance(65)
      return add(.space(isLock ? .lock(space: space.name, range) : .unlock(space: space.name, range)))
    }
    if seals, random.chance(15) { return add(.space(.seal(space: space.name, range))) }
    switch random.pick([(3, 0), (7, 1), (mode == .swap ? 30 : 7, 2), (5, 3)]) {
    case 0:
      add(.space(.unmap(space: space.name, range)))
      model.spaces[index].map(start, count, nil)
    case 1:
      let permission = permission(space.name, range)
      add(.space(.protect(space: space.name, range, permission)))
      model.spaces[index].protect(start, count, permission)
    case 2:
      let advice: AdviceWord = random.pick([
        (6, .dontNeed), (mode == .swap ? 40 : pagesOut ? 6 : 0, .pageOut), (2, .dontFork),
        (mode == .pfn ? 6 : 2, .doFork),
        (2, .wipeOnFork), (1, .keepOnFork), (model.isHuge ? 3 : 1, .cold), (frees && !hasPagedOut ? 12 : 0, .free),
        (2, .populateRead), (2, .populateWrite), (collapses ? 5 : 0, .collapse), (2, .guardInstall), (2, .guardRemove),
      ])
      if advice == .pageOut { hasPagedOut = true }
      add(.space(.advise(space: space.name, range, advice)))
    default:
      // Mostly moves the range as it is. Sometimes grows or shrinks it, in place or with a move.
      let someCount = random.chance(65) ? range.pages : length() * model.scale
      let newCount = collapsesShared ? min(someCount, range.pages) : someCount
      let inPlace = random.chance(20)
      let reach = random.chance(50) ? hotPages : ProgramModel.windowPages
      let target = inPlace ? start : Int.random(in: 0..<reach, using: &random)
      // Keeps the offset in 2 MiB, so that a 2 MiB entry can move whole.
      let inside = range.address % (UInt64(model.scale) * 4096)
      let to = PageRange(address: inPlace ? range.address : model.address(target) + inside, pages: newCount)
      let dontUnmap = random.chance(20)
      add(.space(.remap(space: space.name, range, to: to, dontUnmap: dontUnmap)))
      if dontUnmap, inPlace || range.pages != newCount { return }
      model.spaces[index].remap(start, count, to: target, newCount / model.scale)
      if dontUnmap {
        for page in space.inWindow(start, count) { model.spaces[index].map(page, 1, space.pages[page]) }
      }
    }
  }

  /// A change of a range that begins or ends far from the window. If it begins in the window, it holds no other
  /// mapping.
  private mutating func addFarChange(_ name: String) {
    let startsFar = random.chance(50)
    let address = startsFar ? farAddress() : model.address(Int.random(in: 0..<hotPages, using: &random))
    let pages = startsFar ? length() : random.pick([(1, 1 << 20), (1, 1 << 33)])
    let range = PageRange(address: address, pages: pages)
    switch random.pick([(1, 0), (1, 1), (1, 2), (1, 3), (1, 4)]) {
    case 0: add(.space(.unmap(space: name, range)))
    case 1: add(.space(.protect(space: name, range, permission(name, range))))
    case 2:
      let advice: AdviceWord = random.pick([
        (2, .dontNeed), (pagesOut && !frees ? 1 : 0, .pageOut), (1, .populateRead), (1, .populateWrite),
      ])
      add(.space(.advise(space: name, range, advice)))
    case 3:
      let longest = PageRange(address: address, pages: 1 << 45)
      add(
        .space(
          random.chance(50) ? .unmap(space: name, longest) : .protect(space: name, longest, permission(name, longest))))
    default:
      let near = PageRange(address: model.address(0), pages: length())
      let far = PageRange(address: startsFar ? address : 0x7fff_ffff_f000, pages: near.pages)
      guard far.address >= Comparability.lowest else { return }
      add(.space(random.chance(50) ? .remap(space: name, near, to: far) : .remap(space: name, far, to: near)))
    }
  }
}
