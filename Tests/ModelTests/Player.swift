import TestSupport
import UserPages

/// Plays a program on the library and on the model, and finds the first step at which they differ.
final class Player {
  private let machine: Machine
  private let engine: PinEngine
  let file: PageCacheFile
  let image: Image
  let device: DeviceRange
  let world: World
  let modelFile: [ModelFrame]
  let modelImage: [ModelFrame]
  let modelDevice: [ModelFrame]
  var spaces: [AddressSpace?]
  var models: [ModelSpace]
  var pins: [HeldPin?]
  /// Mappings made so far: the number of the last one.
  var mappings = 0
  /// Whether a comparison of spaces has met an entry of 2 MiB.
  var hasSeenHuge = false

  /// A pin and the frame that it holds in the model.
  final class HeldPin {
    private var pin: PinnedPage?
    let frame: ModelFrame

    init(_ pin: consuming PinnedPage, _ frame: ModelFrame) {
      self.pin = consume pin
      self.frame = frame
    }

    func differs() -> String? {
      guard let bytes = pin?.deviceBytes.copy(fromByteOffset: 0, count: Page.size) else { return nil }
      return difference(bytes, frame.bytes).map { "through the pin: \($0)" }
    }

    func poke(_ bytes: [UInt8], at offset: Int) {
      pin?.deviceBytes.copy(bytes, toByteOffset: offset)
      frame.bytes.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }

    func release() { pin.take()?.release(dirty: true) }
  }

  init(engine: PinEngine, in world: World = .small) throws {
    self.engine = engine
    self.world = world
    modelFile = (0..<world.objectPages).map { _ in ModelFrame(fill: 0x0F) }
    modelImage = (0..<world.objectPages).map { ModelFrame(fill: UInt8(truncatingIfNeeded: $0 + 1)) }
    modelDevice = (0..<world.objectPages).map { _ in ModelFrame() }
    machine = try Machine(frames: world.frames, swapPages: world.frames)
    file = try PageCacheFile(machine.memory, pages: world.objectPages, fill: 0x0F)
    image = try Image(machine.memory, pages: world.objectPages) { UInt8(truncatingIfNeeded: $0 + 1) }
    device = try DeviceRange(machine.memory, pages: world.objectPages)
    spaces = (0..<World.spaces).map { _ in nil }
    models = (0..<World.spaces).map { _ in ModelSpace() }
    pins = (0..<World.pins).map { _ in nil }
    for index in spaces.indices { spaces[index] = AddressSpace(machine.memory, engine: engine) }
  }

  /// Plays the program. Returns the first difference, or nil.
  func play(_ program: [Operation]) -> String? {
    for (step, operation) in program.enumerated() {
      if let wrong = perform(operation) { return "step \(step), \(operation): \(wrong)" }
      if step % 8 == 7, let wrong = compareEverything() { return "after step \(step), \(operation): \(wrong)" }
    }
    return compareEverything() ?? compareBeginnings()
  }

  /// Gives everything back. Returns what leaked, or nil.
  func end() -> String? {
    for pin in pins { pin?.release() }
    for space in spaces { space?.exit() }
    spaces = []
    file.drop()
    let leaks = machine.leaks()
    return leaks.isEmpty ? nil : "leaks: \(leaks)"
  }

  /// Writes to the file and not to the model, for the test that the model notices differences.
  func writeBehindTheModel() {
    try? file.write([1, 2, 3], at: 0)
  }

  private func perform(_ operation: Operation) -> String? {
    switch operation {
    case .map(let space, let page, let count, let protection, let sharing, let kind, let offset, let huge):
      return map(space, page, count, protection, sharing, kind, offset, huge)
    case .unmap(let space, let page, let count):
      return both(
        { () throws(PageError) in try self.spaces[space]?.unmap(at: world.address(page), pages: count) },
        { () throws(PageError) in self.pages(page, count).forEach { self.models[space].pages[$0] = nil } })
    case .protect(let space, let page, let count, let protection):
      return both(
        { () throws(PageError) in try self.spaces[space]?.protect(at: world.address(page), pages: count, protection) },
        { () throws(PageError) in try self.models[space].protect(self.pages(page, count), protection) })
    case .dontNeed(let space, let page, let count):
      if pages(page, count).contains(where: { models[space].pages[$0]?.kind.isPFN == true }) { return nil }
      return advise(space, page, count, .dontNeed) { () throws(PageError) in
        try self.models[space].dontNeed(self.pages(page, count))
      }
    case .pageOut(let space, let page, let count):
      return pageOut(space, page, count)
    case .collapse(let space, let page, let count):
      return collapse(space, page, count)
    case .inherit(let space, let page, let count, let inheritable):
      if pages(page, count).contains(where: { models[space].pages[$0]?.kind.isPFN == true }) { return nil }
      return advise(space, page, count, inheritable ? .doFork : .dontFork) { () throws(PageError) in
        try self.models[space].setInheritable(self.pages(page, count), inheritable)
      }
    case .populate(let space, let page, let count, let write):
      return populate(space, page, count, write: write)
    case .remap(let space, let page, let count, let target, let newCount):
      return remap(space, page, count, to: target, newCount)
    case .fork, .exit:
      return changeFamily(operation)
    case .load(let space, let address, let count):
      return compare(
        { () throws(PageError) in
          try self.spaces[space]?.load(at: VirtualAddress(UInt64(address)), count: count) ?? []
        }, { () throws(PageError) in try self.models[space].load(address, count) })
    case .store(let space, let address, let count, let value):
      let bytes = [UInt8](repeating: value, count: count)
      return both(
        { () throws(PageError) in try self.spaces[space]?.store(bytes, at: VirtualAddress(UInt64(address))) },
        { () throws(PageError) in try self.models[space].store(bytes, address) })
    case .readFile(let offset, let count):
      return compare(
        { () throws(PageError) in try self.file.read(at: offset, count: count) },
        { () throws(PageError) in self.modelFileBytes(offset, count) })
    case .writeFile(let offset, let count, let value):
      return writeFile(offset, [UInt8](repeating: value, count: count))
    case .pin(let index, let space, let page, let options):
      return pin(index, space, page, options)
    case .poke(let index, let offset, let count, let value):
      pins[index]?.poke([UInt8](repeating: value, count: count), at: offset)
      return nil
    case .release(let index):
      pins[index]?.release()
      pins[index] = nil
      return nil
    }
  }
}

extension Player {
  private func changeFamily(_ operation: Operation) -> String? {
    switch operation {
    case .fork(let space, let child) where space != child:
      do {
        let forked = try spaces[space]?.fork()
        spaces[child]?.exit()
        spaces[child] = forked
        models[child] = models[space].fork()
      } catch {
        return "fork failed with \(error)"
      }
    case .exit(let space):
      spaces[space]?.exit()
      spaces[space] = AddressSpace(machine.memory, engine: engine)
      models[space] = ModelSpace()
    default:
      break
    }
    return nil
  }

  private func writeFile(_ offset: Int, _ bytes: [UInt8]) -> String? {
    both(
      { () throws(PageError) in try self.file.write(bytes, at: offset) },
      { () throws(PageError) in
        for (index, byte) in bytes.enumerated() {
          self.modelFile[(offset + index) / Page.size].bytes[(offset + index) % Page.size] = byte
        }
      })
  }

  private func pin(_ index: Int, _ space: Int, _ page: Int, _ options: PinOptions) -> String? {
    let number = world.firstPage + page
    // Unit tests cover pins of mappings by frame number, and long-term pins of bare images.
    if let page = models[space].pages[number], page.kind.isPFN || (page.kind == .mixed && !options.contains(.write)) {
      return nil
    }
    pins[index]?.release()
    pins[index] = nil
    let expected = Result { () throws(PageError) in
      try models[space].pin(number, write: options.contains(.write))
    }
    do {
      guard let pin = try spaces[space]?.pin(at: world.address(page), options) else { return nil }
      switch expected {
      case .success(let frame):
        pins[index] = HeldPin(pin, frame)
        return pins[index]?.differs()
      case .failure(let error):
        pin.release()
        return "pinned, but expected \(error)"
      }
    } catch {
      if case .failure(error) = expected { return nil }
      return "failed with \(error), but expected \(expected)"
    }
  }
}
