import Benchmark
import UserPages

// Times the operations of the library one by one. An operation takes nanoseconds to microseconds, so each measured
// iteration runs a thousand of them. Results are of one operation.

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

/// The address of a page that differs from call to call and is spread over the area.
@inline(__always)
private func page(_ index: Int) -> VirtualAddress { area + ((index &* 2503) & (pages - 1)) * Page.size }

/// The address of a word in one of 128 pages, each at another offset. The words stay in the cache, so the walk to them
/// is what is timed.
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

  // The lockless descent alone: a load of one word of a resident page.
  Benchmark("walk") { benchmark in
    let space = try residentSpace(.reference)
    benchmark.startMeasurement()
    for index in benchmark.scaledIterations { blackHole(try space.load(at: word(index), as: UInt64.self)) }
    benchmark.stopMeasurement()
    space.exit()
  }

  // The same over an image, which special entries map. The cost of the walk must not depend on the kind of entry.
  Benchmark("walk, special entries") { benchmark in
    let machine = try PhysicalMemory(ramPages: 64)
    let image = try Image(machine, pages: pages) { UInt8(truncatingIfNeeded: $0 + 1) }
    let space = AddressSpace(machine)
    try space.map(at: area, pages: pages, protection: .read, backing: .mixed(image))
    for index in 0..<128 { _ = try space.load(at: word(index), as: UInt64.self) }
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

    // 16 pages in one call, as for a transfer of 64 KiB. Results are of one call.
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

  // The first store to each anonymous page. Making and unmapping the mapping is not timed.
  Benchmark("fault") { benchmark in
    let machine = try PhysicalMemory(ramPages: 2 * pages)
    let space = AddressSpace(machine)
    try space.map(at: area, pages: 1000, protection: .readWrite)
    benchmark.startMeasurement()
    for index in benchmark.scaledIterations { try space.store(UInt8(1), at: area + index * Page.size) }
    benchmark.stopMeasurement()
    space.exit()
  }

  // The first load from each page of an image: a special entry each, no frame.
  Benchmark("fault, image") { benchmark in
    let machine = try PhysicalMemory(ramPages: 64)
    let image = try Image(machine, pages: 1000) { UInt8(truncatingIfNeeded: $0 + 1) }
    let space = AddressSpace(machine)
    try space.map(at: area, pages: 1000, protection: .read, backing: .mixed(image))
    benchmark.startMeasurement()
    for index in benchmark.scaledIterations { blackHole(try space.load(at: area + index * Page.size, as: UInt8.self)) }
    benchmark.stopMeasurement()
    space.exit()
  }

  for mappings in [1, 1_000, 100_000] { amongMappings(mappings) }

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

/// Pins a thousand pages, then releases all of them. One of the two is timed.
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

/// Times mappings among `count` others. Every second page is a mapping, so that none merge.
private func amongMappings(_ count: Int) {
  func space(_ machine: PhysicalMemory) throws -> AddressSpace {
    let space = AddressSpace(machine)
    for index in 0..<count { try space.map(at: area + index * 2 * Page.size, pages: 1, protection: .readWrite) }
    return space
  }

  Benchmark("look a mapping up among \(count)") { benchmark in
    let machine = try PhysicalMemory(ramPages: 64)
    let space = try space(machine)
    benchmark.startMeasurement()
    for index in benchmark.scaledIterations {
      blackHole(space.mapping(at: area + ((index &* 7919) % count) * 2 * Page.size)?.range.lowerBound)
    }
    benchmark.stopMeasurement()
    space.exit()
  }

  Benchmark("map and unmap among \(count)") { benchmark in
    let machine = try PhysicalMemory(ramPages: 64)
    let space = try space(machine)
    benchmark.startMeasurement()
    for index in benchmark.scaledIterations {
      let place = area + (((index &* 7919) % count) * 2 + 1) * Page.size
      try space.map(at: place, pages: 1, protection: .read)
      try space.unmap(at: place, pages: 1)
    }
    benchmark.stopMeasurement()
    space.exit()
  }
}
