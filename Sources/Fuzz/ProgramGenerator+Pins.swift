import Scenario

/// Steps that take pins, use them and release them.
extension ProgramGenerator {
  mutating func addPinStep(_ space: ProgramModel.Space) {
    let wantsNew = model.pins.isEmpty || (model.pins.count < 5 && random.chance(45))
    guard !wantsNew, let index = model.pins.indices.randomElement(using: &random) else { return addPin(space) }
    let pin = model.pins[index]
    let offset = Int.random(in: 0..<pin.pages, using: &random) * 4096 + Int(offsetInPage())
    switch random.pick([(4, 0), (4, 1), (pin.takesStores ? 8 : 0, 2)]) {
    case 0:
      let isDirty = random.chance(50)
      add(.pin(.release(name: pin.name, dirty: isDirty && !frees)))
      model.pins.remove(at: index)
    case 1: add(.pin(.peek(name: pin.name, offset: offset, count: Int.random(in: 1...12, using: &random))))
    default: add(.pin(.poke(name: pin.name, offset: offset, bytes())))
    }
  }

  private mutating func addPin(_ space: ProgramModel.Space) {
    let takesNoStores = frees || pagesOutShared
    if takesNoStores, mapsWriteOnly { return }
    let isLongRead = mode == .longterm && !frees && !model.pins.contains { $0.isLongRead } && random.chance(70)
    let writes = !takesNoStores && !isLongRead && (mapsWriteOnly || random.chance(65))
    let start = somePage(space) { !writes || $0.permission == .readWrite }
    let pages = pinLength()
    let name = model.nextPinName()
    let range = PageRange(address: model.address(start) + offsetInPiece(), pages: pages)
    add(
      .pin(
        writes || isLongRead
          ? .pin(name: name, space: space.name, range, writes ? [.write, .longTerm] : [.longTerm])
          : .get(name: name, space: space.name, range, [])))
    model.pins.append(.init(name: name, pages: pages, takesStores: writes, isLongRead: isLongRead))
  }

  /// The pages of a pin.
  private mutating func pinLength() -> Int {
    mode == .pins ? random.pick([(2, 2), (2, 4), (3, 8), (2, 12), (1, 16), (1, 40)]) : length()
  }

  /// A pin that is used and released at once, as another process or a debugger does.
  mutating func addTransientPin(_ space: ProgramModel.Space) {
    let forces = mapsWriteOnly || random.chance(mode == .unshare ? 10 : 40)
    let writes = random.chance(mode == .unshare ? 20 : 60)
    let start = somePage(space) { forces || (writes ? $0.permission == .readWrite : $0.permission != .none) }
    let pages = pinLength()
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
    if mode == .unshare, !model.isHuge {
      for space in model.spaces { add(.look(.frame(space: space.name, address: model.address(start)))) }
    }
  }
}
