import Scenario

/// The statements between the beginning of a program and its end.
extension ProgramGenerator {
  private enum Step {
    case read, write, readFile, writeFile
    case map, unmap, protect, advise, remap
    case fork, exit, space
    case pin, get, release, peek, poke
    case transient, look
  }

  private static let steps: [(weight: Int, Step)] = [
    (8, .read), (16, .write), (1, .readFile), (3, .writeFile),
    (7, .map), (3, .unmap), (7, .protect), (7, .advise), (5, .remap),
    (7, .fork), (3, .exit), (1, .space),
    (9, .pin), (5, .get), (4, .release), (5, .peek), (7, .poke), (7, .transient), (3, .look),
  ]

  mutating func addStep() {
    guard let index = model.spaces.indices.randomElement(using: &random) else { return addSpace() }
    let space = model.spaces[index]
    switch random.pick(Self.steps) {
    case .read:
      let (address, _) = target(space) { $0.permission != .none }
      let count = random.chance(8) ? 8192 : Int.random(in: 1...20, using: &random)
      add(.access(.read(space: space.name, address: address, count: count)))
    case .write:
      let (address, _) = target(space) { $0.permission == .readWrite }
      add(.access(.write(space: space.name, address: address, bytes())))
    case .readFile, .writeFile: addFileStep()
    case .map: addMap(space.name)
    case .unmap, .protect, .advise, .remap: addChange(index)
    case .fork:
      guard model.spaces.count < 4 else { return }
      let child = model.nextSpaceName()
      add(.space(.fork(parent: space.name, child: child)))
      model.spaces.append(.init(name: child, pages: space.pages))
    case .exit:
      guard model.spaces.count > 1 else { return }
      add(.space(.exit(space: space.name)))
      model.spaces.remove(at: index)
    case .space:
      if model.spaces.count < 4 { addSpace() }
    case .pin, .get, .release, .peek, .poke: addPinStep(space)
    case .transient: addTransientPin(space)
    case .look:
      guard !model.isHuge else { return }
      add(.look(.frame(space: space.name, address: model.address(somePage(space)))))
    }
  }

  // MARK: - Targets

  /// An address, mostly in a page for which `holds` is true, and the page's number in the window.
  private mutating func target(
    _ space: ProgramModel.Space, where holds: (ProgramModel.MappedPage) -> Bool
  ) -> (address: UInt64, page: Int) {
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

  private mutating func somePage(
    _ space: ProgramModel.Space, where holds: (ProgramModel.MappedPage) -> Bool = { _ in true }
  ) -> Int {
    if random.chance(92), let page = space.pages(where: holds).randomElement(using: &random) { return page }
    return Int.random(in: 0..<hotPages, using: &random)
  }

  private mutating func length() -> Int {
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

  private mutating func permission() -> Permission { random.pick([(1, .none), (4, .read), (6, .readWrite)]) }

  // MARK: - Mappings

  mutating func addMap(_ name: String) {
    guard let index = model.spaces.firstIndex(where: { $0.name == name }) else { return }
    let start = Int.random(in: 0..<hotPages, using: &random)
    let count = random.chance(1) ? 0 : length()
    let file = random.chance(collapses ? 0 : model.isHuge ? 10 : 35) ? model.files.randomElement(using: &random) : nil
    let sharing: SharingWord = random.chance(collapses || pagesOut ? 0 : file == nil ? 15 : 50) ? .shared : .private
    let permission = permission()
    // Mostly inside the file, sometimes past its end.
    let offset = file.map { Int.random(in: 0...(random.chance(85) ? max($0.pages - count, 0) : 8), using: &random) }
    let range = PageRange(
      address: model.address(start) + (random.chance(1) ? 0x10 : 0), pages: count * model.scale)
    add(
      .space(
        .map(
          MapStatement(
            space: name, range: range, permission: permission, sharing: sharing,
            backing: file.map { .file($0.name) } ?? .anonymous, offset: offset, huge: model.isHuge && random.chance(75))
        )))
    model.spaces[index].map(start, count, .init(permission: permission, sharing: sharing, isFile: file != nil))
  }

  private mutating func addChange(_ index: Int) {
    let space = model.spaces[index]
    if random.chance(2) { return addFarChange(space.name) }
    let (start, count, range) = range(space)
    switch random.pick([(3, 0), (7, 1), (7, 2), (5, 3)]) {
    case 0:
      add(.space(.unmap(space: space.name, range)))
      model.spaces[index].map(start, count, nil)
    case 1:
      let permission = permission()
      add(.space(.protect(space: space.name, range, permission)))
      model.spaces[index].protect(start, count, permission)
    case 2:
      let advice: AdviceWord = random.pick([
        (6, .dontNeed), (pagesOut ? 6 : 0, .pageOut), (2, .dontFork), (2, .doFork), (2, .populateRead),
        (2, .populateWrite),
        (collapses ? 5 : 0, .collapse),
      ])
      add(.space(.advise(space: space.name, range, advice)))
    default:
      // Mostly moves the range as it is. Sometimes grows or shrinks it, in place or with a move.
      let newCount = random.chance(65) ? range.pages : length() * model.scale
      let inPlace = random.chance(20)
      let reach = random.chance(50) ? hotPages : ProgramModel.windowPages
      let target = inPlace ? start : Int.random(in: 0..<reach, using: &random)
      // Keeps the offset in 2 MiB, so that a 2 MiB entry can move whole.
      let inside = range.address % (UInt64(model.scale) * 4096)
      let to = PageRange(address: inPlace ? range.address : model.address(target) + inside, pages: newCount)
      add(.space(.remap(space: space.name, range, to: to)))
      model.spaces[index].remap(start, count, to: target, newCount / model.scale)
    }
  }

  /// A change of a range that begins or ends far from the window. If it begins in the window, it holds no other mapping.
  private mutating func addFarChange(_ name: String) {
    let startsFar = random.chance(50)
    let address = startsFar ? farAddress() : model.address(Int.random(in: 0..<hotPages, using: &random))
    let pages = startsFar ? length() : random.pick([(1, 1 << 20), (1, 1 << 33)])
    let range = PageRange(address: address, pages: pages)
    switch random.pick([(1, 0), (1, 1), (1, 2), (1, 3), (1, 4)]) {
    case 0: add(.space(.unmap(space: name, range)))
    case 1: add(.space(.protect(space: name, range, permission())))
    case 2:
      let advice: AdviceWord = random.pick([
        (2, .dontNeed), (pagesOut ? 1 : 0, .pageOut), (1, .populateRead), (1, .populateWrite),
      ])
      add(.space(.advise(space: name, range, advice)))
    case 3:
      let longest = PageRange(address: address, pages: 1 << 45)
      add(.space(random.chance(50) ? .unmap(space: name, longest) : .protect(space: name, longest, permission())))
    default:
      let near = PageRange(address: model.address(0), pages: length())
      let far = PageRange(address: startsFar ? address : 0x7fff_ffff_f000, pages: near.pages)
      guard far.address >= Comparability.lowest else { return }
      add(.space(random.chance(50) ? .remap(space: name, near, to: far) : .remap(space: name, far, to: near)))
    }
  }

  // MARK: - Files and pins

  private mutating func addFileStep() {
    guard let file = model.files.randomElement(using: &random) else { return }
    let offset = Int.random(in: 0..<file.pages, using: &random) * 4096 + Int(offsetInPage())
    if random.chance(25) {
      add(.access(.readFile(name: file.name, offset: offset, count: Int.random(in: 1...20, using: &random))))
    } else {
      // A write past the end would make the file longer.
      let bytes = bytes()
      guard offset + bytes.bytes.count <= file.pages * 4096 else { return }
      add(.access(.writeFile(name: file.name, offset: offset, bytes)))
    }
  }

  private mutating func addPinStep(_ space: ProgramModel.Space) {
    let wantsNew = model.pins.isEmpty || (model.pins.count < 5 && random.chance(45))
    guard !wantsNew, let index = model.pins.indices.randomElement(using: &random) else { return addPin(space) }
    let pin = model.pins[index]
    let offset = Int.random(in: 0..<pin.pages, using: &random) * 4096 + Int(offsetInPage())
    switch random.pick([(4, 0), (4, 1), (pin.takesStores ? 8 : 0, 2)]) {
    case 0:
      add(.pin(.release(name: pin.name, dirty: random.chance(50))))
      model.pins.remove(at: index)
    case 1: add(.pin(.peek(name: pin.name, offset: offset, count: Int.random(in: 1...12, using: &random))))
    default: add(.pin(.poke(name: pin.name, offset: offset, bytes())))
    }
  }

  private mutating func addPin(_ space: ProgramModel.Space) {
    let writes = random.chance(65)
    let start = somePage(space) { !writes || $0.permission == .readWrite }
    let pages = length()
    let name = model.nextPinName()
    let range = PageRange(address: model.address(start) + offsetInPiece(), pages: pages)
    add(
      .pin(
        writes
          ? .pin(name: name, space: space.name, range, [.write, .longTerm])
          : .get(name: name, space: space.name, range, [])))
    model.pins.append(.init(name: name, pages: pages, takesStores: writes))
  }

  /// A pin that is used and released at once, as another process or a debugger does.
  private mutating func addTransientPin(_ space: ProgramModel.Space) {
    let forces = random.chance(40)
    let writes = random.chance(60)
    let start = somePage(space) { forces || (writes ? $0.permission == .readWrite : $0.permission != .none) }
    let pages = length()
    let name = model.nextPinName()
    let range = PageRange(address: model.address(start) + offsetInPiece(), pages: pages)
    let write: Set<PinOption> = writes ? [.write] : []
    add(
      .pin(
        forces
          ? .get(name: name, space: space.name, range, write.union([.force]))
          : .pin(name: name, space: space.name, range, write)))
    let offset = Int.random(in: 0..<pages, using: &random) * 4096 + Int(offsetInPage())
    if writes { add(.pin(.poke(name: name, offset: offset, bytes()))) }
    if random.chance(50) { add(.pin(.peek(name: name, offset: offset, count: 4))) }
    add(.pin(.release(name: name, dirty: writes)))
  }
}
