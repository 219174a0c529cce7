import Fuzz

/// The last lines of `gup fuzz`: what was run, how many programs were compared, and why the others were not.
struct FuzzReport {
  let summary: Campaign.Summary
  let seed: UInt64
  let first: Int
  let modes: [ProgramMode]
  let seconds: Int

  var lines: [String] {
    var lines = [
      """
      seed \(seed),\(modes.isEmpty ? "" : " \(modes.map(\.rawValue).joined(separator: " and ")),") programs \(first)..<\(first + summary.programs): \(summary.statements) statements, \
      \(summary.compared) programs compared, \(summary.differences.count) differences, \(seconds) s
      """
    ]
    if let example = summary.incomparable.keys.min() {
      let count = summary.incomparable.values.reduce(0, +)
      lines.append("not compared: \(count) programs (real memory cannot answer a statement such as '\(example)')")
    }
    if summary.compared == 0 { lines.append("no program was compared with the kernel") }
    return lines
  }
}
