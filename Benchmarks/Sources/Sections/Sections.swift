import ArgumentParser
import CSections
import Measuring

/// Times read-side sections and grace periods with each flavour of liburcu, and so shows why the library uses the one
/// it does.
@main
struct Sections: MeasuringTool {
  static let configuration = CommandConfiguration(
    commandName: "sections",
    abstract: "What a read-side section and a grace period cost, with each flavour of liburcu.",
    discussion: """
      Every flavour is measured in every round, in turns, on one thread. A section holds one load. A grace period waits \
      for no reader here: what is measured is what it costs in itself.
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
      for index in Rounds.order(of: flavours.count, in: round) {
        let flavour = flavours[index]
        inside[index].append(time(sections) { flavour.sections($0) })
        waiting[index].append(time(gracePeriods) { flavour.grace_periods($0) })
      }
    }
    let table = TextTable(
      Array(flavours.indices),
      [
        .text("flavour") { String(cString: flavours[$0].name) },
        .text("asks of a reader") { String(cString: flavours[$0].asks) },
        .spread("section, ns", digits: 2) { Spread(inside[$0]) },
        .spread("grace period, us", digits: 1) { Spread(waiting[$0].map { $0 / 1000 }) },
      ])
    try Standard.output("\(rounds) rounds; \(Machine.current.description)\n\n\(table.text)")
  }

  /// Nanoseconds of one of `count`.
  private func time(_ count: UInt64, _ body: (UInt64) -> Void) -> Double {
    let start = Clock.now()
    body(count)
    return Double(Clock.now() - start) / Double(count)
  }
}
