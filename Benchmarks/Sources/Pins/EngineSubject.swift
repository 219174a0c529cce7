import Measuring
import UserPages

/// One of the library's engines: `pin(at:)` and `release()` of an anonymous page, resident or untouched.
final class EngineSubject: Subject {
  static let area: VirtualAddress = 0x10_0000_0000

  let name: String
  private let machine: PhysicalMemory
  private let space: AddressSpace

  init(_ name: String, _ engine: PinEngine, pages: Int) throws(PageError) {
    self.name = name
    let huge = Work.firstHugePage(after: pages)
    let hugePages = Work.hugeRanges * Work.rangePages
    machine = try PhysicalMemory(ramPages: huge + hugePages + 1024)
    space = AddressSpace(machine, engine: engine)
    try space.map(at: Self.area, pages: pages, protection: .readWrite)
    try space.advise(at: Self.area, pages: pages, .populateWrite)
    let hugeArea = Self.area + huge * Page.size
    try space.map(at: hugeArea, pages: hugePages, protection: .readWrite, hugePages: true)
    try space.advise(at: hugeArea, pages: hugePages, .populateWrite)
    let untouchedArea = Self.area + Work.firstUntouchedPage(after: pages) * Page.size
    try space.map(at: untouchedArea, pages: pages, protection: .readWrite)
    try space.advise(at: untouchedArea, pages: pages, .populateRead)
  }

  func can(_ work: Work) -> Bool { true }

  func loop(_ draw: inout PageDraw, iterations: Int) -> Int {
    enginePinLoop(space, &draw, iterations)
  }

  func rangeLoop(_ draw: inout PageDraw, iterations: Int) -> Int {
    engineRangeLoop(space, &draw, iterations)
  }

  func check() -> String? {
    let pins = machine.census().pins
    return pins == 0 ? nil : "\(pins) pins are left"
  }
}

/// The timed loop as any client of the library would write it. Its machine code is checked: no reference counting, no
/// allocation, no exclusivity check.
@inline(never)
func enginePinLoop(_ space: AddressSpace, _ draw: inout PageDraw, _ iterations: Int) -> Int {
  var random = draw.random
  let (first, span) = (draw.first, draw.span)
  var failures = 0
  for _ in 0..<iterations {
    let page = first &+ random.below(span)
    do throws(PageError) {
      let pin = try space.pin(at: EngineSubject.area + page &* Page.size)
      pin.release()
    } catch {
      failures += 1
    }
  }
  draw.random = random
  return failures
}

@inline(never)
func engineRangeLoop(_ space: AddressSpace, _ draw: inout PageDraw, _ iterations: Int) -> Int {
  var failures = 0
  for _ in 0..<iterations {
    let page = draw.rangeStart()
    do throws(PageError) {
      let pins = try space.pin(at: EngineSubject.area + page &* Page.size, pages: Work.rangePages)
      failures += Work.rangePages - pins.count
      pins.release()
    } catch {
      failures += Work.rangePages
    }
  }
  return failures
}
