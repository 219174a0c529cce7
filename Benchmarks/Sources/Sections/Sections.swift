import ArgumentParser
import CSections
import Measuring

/// What a read-side section costs with each flavour of liburcu, and what a grace period: why the library has the one it has.
@main
struct Sections: MeasuringTool {
  static let configuration = CommandConfiguration(
    commandName: "sections",
    abstract: "What a read-side section and a grace period cost, with each flavour of liburcu.",
    discussion: """
      Every flavour is measured in every round, in turns, on one thread. A section holds one load. A grace period waits for \
      nobody here: what is measured is what it costs in itself.
      """)

  @Option(help: ArgumentHelp("Rounds; each measures everything once.", valueName: "n"))
  var rounds = 9

  @Option(help: ArgumentHelp("Sections in each measurement.", valueName: "n"))
  var sections: UInt64 = 5_000_000

  @Option(help: ArgumentHelp("Grace periods in each measurement.", valueName: "n"))
  var gracePeriods: UInt64 = 200

  func validate() throws {
    guard rounds > 0, sections > 0, gracePeriods > 0 else { throw ValidationError("all numbers must be positive") }
  }

  func measure() throws(Failure) {
    let flavours = [sections_bp, sections_memb, sections_mb, sections_qsbr]
    var inside = Array(repeating: [Double](), count: flavours.count)
    var waiting = inside
    for round in 0..<rounds {
      for turn in flavours.indices {
        // Nobody always comes after the same neighbour.
        let index = (turn + round) % flavours.count
        let flavour = flavours[index]
        inside[index].append(time(sections) { flavour.sections($0) })
        waiting[index].append(time(gracePeriods) { flavour.grace_periods($0) })
      }
    }
    var table = TextTable(["flavour", "asks of a reader", "section, ns", "grace period, us"], leftColumns: 2)
    for (index, flavour) in flavours.enumerated() {
      table.add([
        String(cString: flavour.name), String(cString: flavour.asks), Spread(inside[index]).formatted(2),
        Spread(waiting[index].map { $0 / 1000 }).formatted(1),
      ])
    }
    try Standard.output("\(rounds) rounds; \(Machine.current.description)\n\n\(table.text)")
  }

  /// Nanoseconds of one of `count`.
  private func time(_ count: UInt64, _ body: (UInt64) -> Void) -> Double {
    let start = Clock.now()
    body(count)
    return Double(Clock.now() - start) / Double(count)
  }
}
