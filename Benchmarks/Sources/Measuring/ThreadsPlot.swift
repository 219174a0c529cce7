import Foundation

/// The results as an SVG picture: small multiples of one scale.
///
/// Each kind of work has a panel: threads to the right, nanoseconds upwards on a logarithmic scale that all panels
/// share, and a bar from the least to the greatest round. Lines are labelled where they end. What is compared with, the
/// kernel, the disk and the floors in C, is grey. A panel draws six subjects at most. The picture names the others.
public struct ThreadsPlot<Config: Encodable, Row: MeasuredRow> {
  private let report: MeasuredReport<Config, Row>
  private let title: String
  private let works: [String]
  private let threads: [Int]
  private let axis: String
  private let first: [String]
  private static var mostSubjects: Int { 6 }

  /// A picture with a panel for each of `works`.
  ///
  /// - Parameters:
  ///   - axis: what `threads` counts.
  ///   - first: the subjects that are drawn first where there are more than six. By default those measured first.
  public init(
    _ report: MeasuredReport<Config, Row>, title: String, works: [String], threads: [Int], axis: String = "threads",
    first: [String] = []
  ) {
    self.report = report
    self.title = title
    self.works = works
    self.threads = threads
    self.axis = axis
    self.first = first
  }

  private let panelSize = (width: 220.0, height: 260.0)
  private let margin = (left: 60.0, top: 60.0, right: 110.0, bottom: 70.0)
  private let colours = ["#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b"]
  private let greys = ["#444444", "#777777", "#999999", "#bbbbbb"]

  /// The picture.
  public var text: String {
    let step = panelSize.width + margin.left + margin.right
    let width = step * Double(max(works.count, 1))
    let height = panelSize.height + margin.top + margin.bottom
    var lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width.fixed(0))\" height=\"\(height.fixed(0))\" "
        + "font-family=\"sans-serif\" font-size=\"12\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
      label(10, 20, title),
    ]
    let drawn = works.map { work in report.rows.filter { $0.work == work && subjects(of: work).contains($0.subject) } }
    let scale = Scale(
      drawn.flatMap { $0.map(\.nanoseconds) }, bottom: margin.top + panelSize.height, height: panelSize.height)
    for (index, work) in works.enumerated() {
      lines += panel(work, left: Double(index) * step + margin.left, scale)
    }
    let names = Set(drawn.flatMap { $0.map(\.subject) })
    let left = report.subjects.filter { !names.contains($0) }
    if !left.isEmpty { lines.append(label(10, height - 10, "not drawn: " + left.joined(separator: ", "))) }
    lines.append("</svg>")
    return lines.joined(separator: "\n") + "\n"
  }

  /// What the panel of `work` draws, in the order of measurement.
  private func subjects(of work: String) -> [String] {
    let measured = report.subjects.filter { subject in
      report.rows.contains { $0.work == work && $0.subject == subject }
    }
    let chosen = (measured.filter(first.contains) + measured.filter { !first.contains($0) }).prefix(Self.mostSubjects)
    return measured.filter(chosen.contains)
  }

  /// Nanoseconds to heights: the same in all panels.
  private struct Scale {
    let powers: ClosedRange<Int>
    private let bottom: Double
    private let height: Double

    init(_ spreads: [Spread], bottom: Double, height: Double) {
      let low = Int(floor(log10(max(0.1, spreads.map(\.low).min() ?? 1))))
      let high = Int(ceil(log10(max(0.1, spreads.map(\.high).max() ?? 10))))
      powers = low...max(low + 1, high)
      self.bottom = bottom
      self.height = height
    }

    func y(_ value: Double) -> Double {
      let share = (log10(max(value, 0.01)) - Double(powers.lowerBound)) / Double(powers.count - 1)
      return bottom - share * height
    }
  }

  private func panel(_ work: String, left: Double, _ scale: Scale) -> [String] {
    let rows = report.rows.filter { $0.work == work }
    let drawn = subjects(of: work)
    let (width, height) = panelSize
    let bottom = margin.top + height
    func colour(_ subject: String) -> String {
      let isPeer = Self.isPeer(subject)
      let index = drawn.filter { Self.isPeer($0) == isPeer }.firstIndex(of: subject) ?? 0
      return isPeer ? greys[index % greys.count] : colours[index % colours.count]
    }
    func x(_ index: Int) -> Double { left + (Double(index) + 0.5) / Double(threads.count) * width }
    var lines = [
      "<rect x=\"\(left)\" y=\"\(margin.top)\" width=\"\(width)\" height=\"\(height)\" fill=\"none\" stroke=\"#888\"/>",
      label(left, margin.top - 8, work),
      label(left + width / 2 - 25, bottom + 34, axis),
      label(left - 50, margin.top - 8, "ns"),
    ]
    for power in scale.powers {
      let value = pow(10, Double(power))
      let at = scale.y(value).fixed(1)
      lines.append("<line x1=\"\(left)\" x2=\"\(left + width)\" y1=\"\(at)\" y2=\"\(at)\" stroke=\"#ddd\"/>")
      lines.append(label(left - 50, scale.y(value) + 4, value.fixed(value < 1 ? 1 : 0)))
    }
    for (index, count) in threads.enumerated() { lines.append(label(x(index) - 4, bottom + 16, "\(count)")) }
    var ends: [(subject: String, y: Double)] = []
    for (offset, subject) in drawn.enumerated() {
      let shift = (Double(offset) - Double(drawn.count) / 2) * 2
      var points: [String] = []
      for (index, count) in threads.enumerated() {
        guard let spread = rows.first(where: { $0.subject == subject && $0.threads == count })?.nanoseconds else {
          continue
        }
        let at = (x(index) + shift).fixed(1)
        let (low, middle, high) = (scale.y(spread.low), scale.y(spread.median), scale.y(spread.high))
        points.append("\(at),\(middle.fixed(1))")
        lines.append(
          "<line x1=\"\(at)\" x2=\"\(at)\" y1=\"\(low.fixed(1))\" y2=\"\(high.fixed(1))\" "
            + "stroke=\"\(colour(subject))\"/>")
        lines.append("<circle cx=\"\(at)\" cy=\"\(middle.fixed(1))\" r=\"2.5\" fill=\"\(colour(subject))\"/>")
        ends.removeAll { $0.subject == subject }
        ends.append((subject, middle))
      }
      lines.append(
        "<polyline points=\"\(points.joined(separator: " "))\" fill=\"none\" stroke=\"\(colour(subject))\"/>")
    }
    // One below the other if lines end together.
    var last = -Double.infinity
    for end in ends.sorted(by: { $0.y < $1.y }) {
      last = max(end.y + 4, last + 13)
      lines.append(label(left + width + 6, last, end.subject, colour(end.subject)))
    }
    return lines
  }

  /// Whether a subject is what others are compared with.
  private static func isPeer(_ subject: String) -> Bool {
    ["memset", "disk", "mmap", "c-reference", "c-slot"].contains(subject) || subject.hasPrefix("kernel")
  }

  private func label(_ x: Double, _ y: Double, _ text: String, _ colour: String = "#000000") -> String {
    let safe = text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
    return "<text x=\"\(x.fixed(1))\" y=\"\(y.fixed(1))\" fill=\"\(colour)\">\(safe)</text>"
  }
}
