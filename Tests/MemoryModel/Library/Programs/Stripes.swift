import MemoryModel

/// A mapping that ends before its stripe does, and the last page of the stripe, with which it becomes a wide one.
private let lastPage: VirtualAddress = 0x7fff_f000
private let besideLastPage: VirtualAddress = 0x7fff_e000
/// In a stripe of its own.
private let untouched: VirtualAddress = 0x9000_0000
/// Reaches beyond one stripe.
private let manyStripes: (start: VirtualAddress, pages: Int) = (0x4000_0000, 1 << 19)

private final class Box: Sendable {
  let value: Int
  init(_ value: Int) { self.value = value }
}

/// A thread that finds an object finds it whole.
func setOnce() {
  let places = SetOnceArray<Box>(count: 1)
  inParallel(
    // Not a constant: of one the compiler makes an object that is there from the start.
    { places.set(Box(places.count), at: 0) },
    { places[0]?.with { check($0.value == 1, "an object was half there") } })
  places.release()
}

/// Two writers, one in a stripe and one of the whole space, edit the same tree.
func mapInAStripeAgainstTheWhole(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    { try! setting.space.map(at: Setting.address + 4 * Page.size, pages: 1, protection: .readWrite) },
    { try! setting.space.unmap(at: manyStripes.start, pages: manyStripes.pages) })
  check(setting.space.mapping(at: Setting.address) == nil, "a mapping was left")
  setting.end()
}

/// Two first writers in a stripe: one makes its lock, under the whole, and the other may find it.
func firstMapsInAStripe(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    { try! setting.space.map(at: untouched, pages: 1, protection: .readWrite) },
    { try! setting.space.map(at: untouched + 4 * Page.size, pages: 1, protection: .readWrite) })
  check(setting.space.mapping(at: untouched) != nil, "a mapping is lost")
  check(setting.space.mapping(at: untouched + 4 * Page.size) != nil, "a mapping is lost")
  setting.end()
}

/// A reader in a stripe, and a writer of the whole space.
func adviceInAStripeAgainstTheWhole(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    { try? setting.space.advise(at: Setting.address, pages: 1, .dontNeed) },
    { try! setting.space.unmap(at: manyStripes.start, pages: manyStripes.pages) })
  setting.end()
}

/// A mapping is found while it goes from its stripe's tree to that of the wide ones.
func lookUpWhileItWidens(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  try! setting.space.map(at: besideLastPage, pages: 1, protection: .readWrite)
  inParallel(
    { check(setting.space.mapping(at: besideLastPage) != nil, "a mapping was between the trees") },
    { try! setting.space.map(at: lastPage, pages: 1, protection: .readWrite) })
  setting.end()
}

/// A mapping is found while one below it takes its place in the leaf.
func lookUpWhileItShifts(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    { check(setting.space.mapping(at: Setting.address) != nil, "a mapping was between two places") },
    { try! setting.space.map(at: Setting.address + -2 * Page.size, pages: 1, protection: .readWrite) })
  setting.end()
}

/// The same while one below it goes.
func lookUpWhileItShiftsBack(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let below = Setting.address + -2 * Page.size
  try! setting.space.map(at: below, pages: 1, protection: .readWrite)
  inParallel(
    { check(setting.space.mapping(at: Setting.address) != nil, "a mapping was between two places") },
    { try! setting.space.unmap(at: below, pages: 1) })
  setting.end()
}

/// A look-up finds nothing, or the first mapping of a stripe whole.
func lookUpOfTheFirst(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  inParallel(
    {
      let found = setting.space.mapping(at: untouched)?.range.lowerBound
      check(found == nil || found == untouched, "a mapping was half there")
    },
    { try! setting.space.map(at: untouched, pages: 1, protection: .readWrite) })
  setting.end()
}
