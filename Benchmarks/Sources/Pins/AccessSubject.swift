import Measuring
import UserPages

/// One access to a word of a drawn page, for the comparison with a pin: through a mirror, or the program's own through
/// the table.
///
/// `draw` is what every loop costs that draws a page and touches none.
final class AccessSubject: Subject {
  enum Kind: String, CaseIterable {
    case mirrorLoad = "mirror-load"
    case mirrorStore = "mirror-store"
    case load, store, draw
  }

  private let kind: Kind
  private let space: AddressSpace
  private let mirror: Mirror

  var name: String { kind.rawValue }

  init(_ kind: Kind, pages: Int) throws(PageError) {
    self.kind = kind
    space = AddressSpace(try PhysicalMemory(ramPages: pages + 1024))
    try space.map(at: EngineSubject.area, pages: pages, protection: .readWrite)
    try space.advise(at: EngineSubject.area, pages: pages, .populateWrite)
    mirror = try space.mirror(at: EngineSubject.area, pages: pages, for: .write)
    for page in 0..<pages { try mirror.store(UInt64(page), at: Self.word(of: page)) }
  }

  /// The address of a page's word. The words lie in all sets of the cache, as data does.
  @inline(__always)
  static func word(of page: Int) -> VirtualAddress { EngineSubject.area + (page &* Page.size &+ (page &* 72 & 0xff8)) }

  func can(_ work: Work) -> Bool { work.isCommon && !work.isRange }

  func loop(_ draw: inout PageDraw, iterations: Int) -> Int {
    switch kind {
    case .mirrorLoad: mirrorLoadLoop(mirror, &draw, iterations)
    case .mirrorStore: mirrorStoreLoop(mirror, &draw, iterations)
    case .load: loadLoop(space, &draw, iterations)
    case .store: storeLoop(space, &draw, iterations)
    case .draw: drawLoop(&draw, iterations)
    }
  }

  func rangeLoop(_ draw: inout PageDraw, iterations: Int) -> Int { 0 }

  func check() -> String? { nil }
}

/// A timed loop, as any client would write it. A word is not what its page was filled with if the access was wrong.
@inline(never)
private func mirrorLoadLoop(_ mirror: Mirror, _ draw: inout PageDraw, _ iterations: Int) -> Int {
  loop(&draw, iterations) { page in
    (try? mirror.load(at: AccessSubject.word(of: page), as: UInt64.self)) == UInt64(page)
  }
}

@inline(never)
private func mirrorStoreLoop(_ mirror: Mirror, _ draw: inout PageDraw, _ iterations: Int) -> Int {
  loop(&draw, iterations) { page in (try? mirror.store(UInt64(page), at: AccessSubject.word(of: page))) != nil }
}

@inline(never)
private func loadLoop(_ space: AddressSpace, _ draw: inout PageDraw, _ iterations: Int) -> Int {
  loop(&draw, iterations) { page in
    (try? space.load(at: AccessSubject.word(of: page), as: UInt64.self)) == UInt64(page)
  }
}

@inline(never)
private func storeLoop(_ space: AddressSpace, _ draw: inout PageDraw, _ iterations: Int) -> Int {
  loop(&draw, iterations) { page in (try? space.store(UInt64(page), at: AccessSubject.word(of: page))) != nil }
}

@inline(never)
private func drawLoop(_ draw: inout PageDraw, _ iterations: Int) -> Int {
  loop(&draw, iterations) { page in page >= 0 }
}

/// Runs `access` on drawn pages, and returns how often it failed.
@inline(__always)
private func loop(_ draw: inout PageDraw, _ iterations: Int, _ access: (Int) -> Bool) -> Int {
  var random = draw.random
  let (first, span) = (draw.first, draw.span)
  var failures = 0
  for _ in 0..<iterations where !access(first &+ random.below(span)) { failures += 1 }
  draw.random = random
  return failures
}
