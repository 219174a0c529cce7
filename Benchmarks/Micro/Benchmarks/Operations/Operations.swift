import Benchmark
import UserPages

// What the operations of the library cost one by one. Everything here takes nanoseconds to microseconds, so each
// measured iteration runs an inner loop of a thousand operations, and results are of one operation.

private let area: VirtualAddress = 0x10_0000_0000
private let pages = 4096

/// A space with `pages` resident anonymous pages.
private func residentSpace(_ engine: PinEngine) throws -> AddressSpace {
  let machine = try PhysicalMemory(ramPages: 2 * pages)
  let space = AddressSpace(machine, engine: engine)
  try space.map(at: area, pages: pages, protection: .readWrite)
  try space.advise(at: area, pages: pages, .populateWrite)
  return space
}

/// A page that differs from call to call and is spread over the area.
@inline(__always)
private func page(_ index: Int) -> VirtualAddress { area + ((index &* 2503) & (pages - 1)) * Page.size }

/// A word in a page of few, no two at one offset: bytes in the cache, so that the way to them is what is measured.
@inline(__always)
private func word(_ index: Int) -> VirtualAddress { area + (index & 127) * (Page.size + 24) }

let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock, .throughput],
    warmupIterations: 3,
    scalingFactor: .kilo,
    maxDuration: .seconds(2),
    maxIterations: 10_000
  )

  // The lockless descent alone: a load of one word of a resident page, which is the walk, the entry and the bytes.
  Benchmark("walk") { benchmark in
    let space = try residentSpace(.reference)
    benchmark.startMeasurement()
    for index in benchmark.scaledIterations { blackHole(try space.load(at: word(index), as: UInt64.self)) }
    benchmark.stopMeasurement()
    space.exit()
  }

  for (name, engine) in [("locked", PinEngine.locked), ("reference", .reference), ("slot", .slot)] {
    Benchmark("pin and unpin, \(name)") { benchmark in
      let space = try residentSpace(engine)
      benchmark.startMeasurement()
      for index in benchmark.scaledIterations {
        let pin = try space.pin(at: page(index))
        pin.release()
      }
      benchmark.stopMeasurement()
      space.exit()
    }

    // 16 pages in one call, as a transfer of 64 KiB takes them; results are of one call.
    Benchmark("pin a range of 16, \(name)") { benchmark in
      let space = try residentSpace(engine)
      benchmark.startMeasurement()
      for index in benchmark.scaledIterations {
        let pins = try space.pin(at: area + ((index &* 16) & (pages - 1)) * Page.size, pages: 16)
        pins.release()
      }
      benchmark.stopMeasurement()
      space.exit()
    }
  }

  pinAlone("pin", measuresPin: true)
  pinAlone("unpin", measuresPin: false)

  // First touch of anonymous pages, of a mapping that is made and unmapped unmeasured.
  Benchmark("fault") { benchmark in
    let machine = try PhysicalMemory(ramPages: 2 * pages)
    let space = AddressSpace(machine)
    try space.map(at: area, pages: 1000, protection: .readWrite)
    benchmark.startMeasurement()
    for index in benchmark.scaledIterations { try space.store(UInt8(1), at: area + index * Page.size) }
    benchmark.stopMeasurement()
    space.exit()
  }

  Benchmark("map and unmap, untouched") { benchmark in
    let machine = try PhysicalMemory(ramPages: 64)
    let space = AddressSpace(machine)
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations {
      try space.map(at: area, pages: 16, protection: .readWrite)
      try space.unmap(at: area, pages: 16)
    }
    benchmark.stopMeasurement()
    space.exit()
  }

  Benchmark("map, touch 16 pages, unmap") { benchmark in
    let machine = try PhysicalMemory(ramPages: 2 * pages)
    let space = AddressSpace(machine)
    benchmark.startMeasurement()
    for _ in benchmark.scaledIterations {
      try space.map(at: area, pages: 16, protection: .readWrite)
      for index in 0..<16 { try space.store(UInt8(1), at: area + index * Page.size) }
      try space.unmap(at: area, pages: 16)
    }
    benchmark.stopMeasurement()
    space.exit()
  }
}

/// A thousand pins are taken, then all are released; one of the two is measured.
private func pinAlone(_ name: String, measuresPin: Bool) {
  Benchmark("\(name) alone, reference") { benchmark in
    let space = try residentSpace(.reference)
    let count = benchmark.scaledIterations.count
    let held = UnsafeMutablePointer<PinnedPage>.allocate(capacity: count)
    defer { held.deallocate() }
    if measuresPin { benchmark.startMeasurement() }
    for index in 0..<count { (held + index).initialize(to: try space.pin(at: page(index))) }
    if measuresPin { benchmark.stopMeasurement() } else { benchmark.startMeasurement() }
    for index in 0..<count { (held + index).move().release() }
    if !measuresPin { benchmark.stopMeasurement() }
    space.exit()
  }
}
