/// A machine with two frames of 2 MiB, and a space that maps 2 MiB.
private struct HugeSetting {
  static let address: VirtualAddress = 0x4000_0000
  let memory: PhysicalMemory
  let space: AddressSpace
  private let freeAtStart: Int

  init(_ engine: PinEngine, isHuge: Bool) {
    memory = try! PhysicalMemory(ramPages: 2 * Page.pagesPerHuge, spanPages: 4096)
    freeAtStart = memory.freePages
    space = AddressSpace(memory, engine: engine)
    try! space.map(at: Self.address, pages: Page.pagesPerHuge, protection: .readWrite, hugePages: isHuge)
    try! space.store(Setting.content, at: Self.address)
  }

  func pinAndStore(_ way: PinWay) { space.pinAndStore(way, at: Self.address, [.write, .fastOnly]) }

  /// - Parameter roots: one for each space that is not released yet.
  func end(roots: Int = 1) {
    space.exit()
    memory.flushDeferredFrees()
    check(
      memory.census() == Census(framesInUse: 0, tableNodes: roots, mapcounts: 0, pins: 0, references: 0),
      "something leaked")
    check(memory.freePages == freeAtStart, "frames leaked")
    withExtendedLifetime(space) {}
  }

  /// The second page of the 2 MiB.
  static let part = address + Page.size

  /// A frame of 2 MiB of which two pages are mapped: the other 510 are wanted.
  static func leftover(_ engine: PinEngine) -> HugeSetting {
    let huge = HugeSetting(engine, isHuge: true)
    try! huge.space.unmap(at: part + Page.size, pages: Page.pagesPerHuge - 2)
    return huge
  }

  /// Drains the queue, writes to every frame that is free, and gives them back.
  func useFramesAgain() {
    memory.flushDeferredFrees()
    var taken: [PFN] = []
    while taken.count < memory.ramPages, let pfn = try? memory.allocateFrame(.noWait) {
      memory.frames.bytes(of: pfn).store(Setting.foreign)
      taken.append(pfn)
    }
    check(taken.count < freeAtStart, "a frame is free twice, or in use")
    for pfn in taken { memory.discardFrame(pfn) }
  }

  func breakUp() { space.breakUpHugeFrames(.leftovers, in: Self.address.hugeRange) }

  func finalValue(_ at: VirtualAddress = address) -> UInt64 { Setting.finalValue(space, at: at) }
}

/// A pin of a part while the entry of 2 MiB becomes 512: it keeps the program's page.
func pinAgainstSplit(_ engine: PinEngine, _ way: PinWay = .first) {
  let huge = HugeSetting(engine, isHuge: true)
  inParallel(
    { huge.pinAndStore(way) },
    { try! huge.space.protect(at: HugeSetting.address + Page.size, pages: 1, .read) })
  huge.end()
}

/// A store while the entry of 2 MiB becomes 512 is not lost.
func storeAgainstSplit(_ engine: PinEngine) {
  let huge = HugeSetting(engine, isHuge: true)
  inParallel(
    { try! huge.space.store(Setting.foreign, at: HugeSetting.address) },
    { try! huge.space.protect(at: HugeSetting.address + Page.size, pages: 1, .read) })
  check(huge.finalValue() == Setting.foreign, "a store is lost")
  huge.end()
}

/// A pin while 512 entries become one of 2 MiB: the pages stay, or the pin does not get one.
func pinAgainstCollapse(_ engine: PinEngine, _ way: PinWay = .first) {
  let huge = HugeSetting(engine, isHuge: false)
  if way == .again { try! huge.space.pin(at: HugeSetting.address, [.write, .fastOnly]).release() }
  inParallel(
    { huge.pinAndStore(way) },
    { try? huge.space.advise(at: HugeSetting.address, pages: Page.pagesPerHuge, .collapse) })
  huge.end()
}

/// A store while 512 entries become one of 2 MiB is not lost.
func storeAgainstCollapse(_ engine: PinEngine) {
  let huge = HugeSetting(engine, isHuge: false)
  inParallel(
    { try! huge.space.store(Setting.foreign, at: HugeSetting.address) },
    { try? huge.space.advise(at: HugeSetting.address, pages: Page.pagesPerHuge, .collapse) })
  check(huge.finalValue() == Setting.foreign, "a store is lost")
  huge.end()
}

/// A pin of a part while its 2 MiB are broken up, and the part's frame is used again: the pinned page stays.
func pinAgainstBreakUp(_ engine: PinEngine, _ way: PinWay = .first) {
  let huge = HugeSetting.leftover(engine)
  try! huge.space.store(Setting.content, at: HugeSetting.part)
  inParallel(
    {
      huge.space.withPin(way, at: HugeSetting.part, .fastOnly) { load, _ in
        check(load() == Setting.content, "a pinned page changed")
      }
    },
    {
      huge.breakUp()
      try! huge.space.unmap(at: HugeSetting.part, pages: 1)
      huge.useFramesAgain()
    })
  check(huge.finalValue() == Setting.content, "a page became another one")
  huge.end()
}

/// A store to a part that is all zeroes, while its 2 MiB are broken up: the part is kept, or copied once the zero page
/// is there.
func storeAgainstBreakUp(_ engine: PinEngine) {
  let huge = HugeSetting.leftover(engine)
  inParallel({ try! huge.space.store(Setting.foreign, at: HugeSetting.part) }, { huge.breakUp() })
  check(huge.finalValue(HugeSetting.part) == Setting.foreign, "a store is lost")
  check(huge.finalValue() == Setting.content, "a page became another one")
  huge.end()
}

/// An unmap of a part lets its reference fall later, while its 2 MiB are broken up: the other part stays.
func unmapAgainstBreakUp(_ engine: PinEngine) {
  let huge = HugeSetting.leftover(engine)
  inParallel({ try! huge.space.unmap(at: HugeSetting.part, pages: 1) }, { huge.breakUp() })
  check(huge.finalValue() == Setting.content, "a page became another one")
  huge.end()
}

/// The last entry that maps 2 MiB whole goes while another space unmaps a part: reclaim is told of the part that no
/// space maps.
func lastWholeAgainstPart(_ engine: PinEngine) {
  let huge = HugeSetting(engine, isHuge: true)
  let child = try! huge.space.fork()
  try! child.protect(at: HugeSetting.part, pages: 1, .read)
  inParallel(
    { try! huge.space.unmap(at: HugeSetting.address, pages: Page.pagesPerHuge) },
    { try! child.unmap(at: HugeSetting.part, pages: 1) })
  check(huge.memory.hasPartlyMappedFrames, "memory that no program can reach is not counted")
  child.exit()
  huge.end(roots: 2)
  withExtendedLifetime(child) {}
}

/// A fork maps 2 MiB once more while an earlier child unmaps them: no mapping is counted twice, or not at all.
func forkAgainstUnmapOfHuge(_ engine: PinEngine) {
  final class Child: @unchecked Sendable { var space: AddressSpace? }
  let huge = HugeSetting(engine, isHuge: true)
  let (earlier, later) = (try! huge.space.fork(), Child())
  inParallel(
    { later.space = try! huge.space.fork() },
    { try! earlier.unmap(at: HugeSetting.address, pages: Page.pagesPerHuge) })
  check(huge.finalValue() == Setting.content, "a page became another one")
  earlier.exit()
  later.space!.exit()
  huge.end(roots: 3)
  withExtendedLifetime((earlier, later)) {}
}

/// A frame is retained by its number while its 2 MiB are broken up: the reference counts on 2 MiB, which stay, or on
/// the frame alone.
func numberAgainstBreakUp(_ engine: PinEngine) {
  let memory = try! PhysicalMemory(ramPages: 2 * Page.pagesPerHuge, spanPages: 4096)
  let frames = memory.frames
  let first = memory.allocateHugeFrame(.noWait)!
  let part = first + 1
  frames.beginHuge(first, anonymous: false, mapped: false)
  frames.frame(first).addReferences(1)
  inParallel(
    {
      RCU.read { section in
        guard let folio = try! memory.retainFolio(of: part, section) else { return }
        check(frames.folio(of: part).descriptor == folio.descriptor, "a reference is on another frame")
        memory.put(folio, Frame.oneReference)
      }
    },
    {
      let unused = frames.breakUp(first, users: [first, part])
      for pfn in unused ?? [] { memory.discardFrame(pfn) }
      memory.put(frames.frame(first), Frame.oneReference)
      memory.put(frames.frame(unused == nil ? first : part), Frame.oneReference)
    })
  memory.flushDeferredFrees()
  check(
    memory.census() == Census(framesInUse: 0, tableNodes: 0, mapcounts: 0, pins: 0, references: 0), "something leaked")
  check(memory.freePages == memory.ramPages, "frames leaked")
}

/// A part is retained by its number and stored to, while its 2 MiB are broken up and the parts without a user are used
/// again: the store lands before that, or the frame stays.
func numberAgainstReuseAfterBreakUp(_ engine: PinEngine) {
  let memory = try! PhysicalMemory(ramPages: 2 * Page.pagesPerHuge, spanPages: 4096)
  let frames = memory.frames
  let first = memory.allocateHugeFrame(.noWait)!
  let part = first + 1
  frames.beginHuge(first, anonymous: false, mapped: false)
  inParallel(
    {
      RCU.read { section in
        guard let folio = try! memory.retainFolio(of: part, section) else { return }
        if folio.descriptor == frames.frame(first).descriptor { frames.bytes(of: part).store(Setting.other) }
        memory.put(folio, Frame.oneReference)
      }
    },
    {
      guard let unused = frames.breakUp(first, users: [first]) else { return }
      frames.bytes(of: part).store(Setting.foreign)
      check(frames.bytes(of: part).load(as: UInt64.self) == Setting.foreign, "a store landed in another space")
      for pfn in unused { memory.discardFrame(pfn) }
    })
  memory.put(frames.frame(first), Frame.oneReference)
  memory.flushDeferredFrees()
  check(memory.freePages == memory.ramPages, "frames leaked")
}
