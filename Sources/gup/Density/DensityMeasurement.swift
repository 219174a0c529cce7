import Foundation
import UserPages

/// Makes guests, and measures after each step how much memory the process holds.
struct DensityMeasurement {
  let image: DensityImage
  let guests: Int
  let memory: Int
  let guestMemory: Int

  /// The counts of guests at which memory is measured: one, and each tenth of them.
  private var steps: Set<Int> {
    Set((1...10).map { max(1, guests * $0 / 10) } + [1])
  }

  func run() throws -> DensityResult {
    let size = try FileManager.default.attributesOfItem(atPath: image.path)[.size] as? Int ?? 0
    let pages = Page.count(holding: size)
    // The first guest makes what all share, so it is made before the first measurement.
    try DensityGuest(image: image.path, pages: pages).end()
    var made: [DensityGuest] = []
    made.reserveCapacity(guests)
    defer { for guest in made { guest.end() } }

    var points = try measure { _ in
      made.append(try DensityGuest(image: image.path, pages: pages))
    }.map { point in
      let tables = made[..<point.guests].reduce(0) { $0 + $1.tableNodes } * Page.size
      return DensityResult.Point(guests: point.guests, special: tables, machine: max(0, point.bytes - tables))
    }
    for (index, step) in try measure({ try made[$0].describe() }).enumerated() {
      points[index].descriptors = step.bytes
    }
    for (index, step) in try measure({ made[$0].describeAsLinuxDoes() }).enumerated() {
      points[index].linuxDescriptors = step.bytes
    }
    let last = points[points.count - 1]
    return DensityResult(
      tree: image.tree, imageBytes: size, imagePages: pages, tableNodesPerGuest: made[0].tableNodes,
      descriptorBytes: Double(last.descriptors) / Double(guests * pages), points: points,
      fit: fit(last, imageBytes: size))
  }

  /// Calls `step` for each guest. Returns how much memory the process has gained at each of the steps.
  private func measure(_ step: (Int) throws -> Void) throws -> [(guests: Int, bytes: Int)] {
    let before = try ResidentMemory.bytes()
    var gained: [(Int, Int)] = []
    for index in 0..<guests {
      try step(index)
      guard steps.contains(index + 1) else { continue }
      gained.append((index + 1, max(0, try ResidentMemory.bytes() - before)))
    }
    return gained
  }

  private func fit(_ last: DensityResult.Point, imageBytes: Int) -> DensityResult.Fit {
    let room = max(0, memory - imageBytes)
    func count(_ more: Int) -> Int {
      room / max(1, guestMemory + (last.withoutDescriptors + more) / guests)
    }
    return DensityResult.Fit(
      memory: memory, guestMemory: guestMemory, special: count(0), descriptors: count(last.descriptors),
      linuxDescriptors: count(last.linuxDescriptors))
  }
}
