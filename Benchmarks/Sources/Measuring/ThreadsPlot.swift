import Foundation

/// The results as an SVG picture: a panel for each kind of work, threads to the right, nanoseconds upwards on a
/// logarithmic scale, and a bar from the least to the greatest round.
public struct ThreadsPlot<Config: Encodable, Row: MeasuredRow> {
  private let report: MeasuredReport<Config, Row>
  private let title: String
  private let works: [String]
  private let threads: [Int]
  private let axis: String

  /// A picture with a panel for each of `works`.
  ///
  /// - Parameter axis: what `threads` counts.
  public init(
    _ report: MeasuredReport<Config, Row>, title: String, works: [String], threads: [Int], axis: String = "threads"
  ) {
    self.report = report
    self.title = title
    self.works = works
    self.threads = threads
    self.axis = axis
  }

  private let panelSize = (width: 300.0, height: 260.0)
  private let margin = (left: 60.0, top: 60.0, right: 20.0, bottom: 50.0)
  private let colours = [
    "#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
    "#000000",
  ]

  /// The picture.
  public var text: String {
    let step = panelSize.width + margin.left + margin.right
    let width = step * Double(works.count)
    let legend = Double((report.subjects.count + 3) / 4) * 18 + 10
    let height = panelSize.height + margin.top + margin.bottom + legend
    var lines = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(width.fixed(0))\" height=\"\(height.fixed(0))\" "
        + "font-family=\"sans-serif\" font-size=\"12\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>",
      label(10, 20, title),
    ]
    for (index, work) in works.enumerated() {
      lines += panel(work, left: Double(index) * step + margin.left)
    }
    for (index, subject) in report.subjects.enumerated() {
      let x = 60 + Double(index % 4) * 160
      let y = margin.top + panelSize.height + margin.bottom + Double(index / 4) * 18
      lines.append("<rect x=\"\(x)\" y=\"\(y - 9)\" width=\"12\" height=\"10\" fill=\"\(colour(subject))\"/>")
      lines.append(label(x + 18, y, subject))
    }
    lines.append("</svg>")
    return lines.joined(separator: "\n") + "\n"
  }

  private func panel(_ work: String, left: Double) -> [String] {
    let rows = report.rows.filter { $0.work == work }
    let low = floor(log10(max(0.1, rows.map(\.nanoseconds.low).min() ?? 1)))
    let high = max(low + 1, ceil(log10(rows.map(\.nanoseconds.high).max() ?? 10)))
    let (width, height) = panelSize
    let bottom = margin.top + height
    func y(_ value: Double) -> Double { bottom - (log10(value) - low) / (high - low) * height }
    func x(_ index: Int) -> Double { left + (Double(index) + 0.5) / Double(threads.count) * width }
    var lines = [
      "<rect x=\"\(left)\" y=\"\(margin.top)\" width=\"\(width)\" height=\"\(height)\" fill=\"none\" stroke=\"#888\"/>",
      label(left, margin.top - 8, work),
      label(left + width / 2 - 25, bottom + 34, axis),
    ]
    for power in Int(low)...Int(high) {
      let value = pow(10, Double(power))
      lines.append(
        "<line x1=\"\(left)\" x2=\"\(left + width)\" y1=\"\(y(value).fixed(1))\" y2=\"\(y(value).fixed(1))\" stroke=\"#ddd\"/>"
      )
      lines.append(label(left - 45, y(value) + 4, "\(value.fixed(value < 1 ? 1 : 0))"))
    }
    for (index, count) in threads.enumerated() { lines.append(label(x(index) - 4, bottom + 16, "\(count)")) }
    for (offset, subject) in report.subjects.enumerated() {
      let shift = (Double(offset) - Double(report.subjects.count) / 2) * 2
      var points: [String] = []
      for (index, count) in threads.enumerated() {
        guard let spread = rows.first(where: { $0.subject == subject && $0.threads == count })?.nanoseconds else {
          continue
        }
        let at = (x(index) + shift).fixed(1)
        points.append("\(at),\(y(spread.median).fixed(1))")
        lines.append(
          "<line x1=\"\(at)\" x2=\"\(at)\" y1=\"\(y(spread.low).fixed(1))\" y2=\"\(y(spread.high).fixed(1))\" "
            + "stroke=\"\(colour(subject))\"/>")
        lines.append("<circle cx=\"\(at)\" cy=\"\(y(spread.median).fixed(1))\" r=\"2.5\" fill=\"\(colour(subject))\"/>")
      }
      lines.append(
        "<polyline points=\"\(points.joined(separator: " "))\" fill=\"none\" stroke=\"\(colour(subject))\"/>")
    }
    return lines
  }

  private func colour(_ subject: String) -> String {
    colours[(report.subjects.firstIndex(of: subject) ?? 0) % colours.count]
  }

  private func label(_ x: Double, _ y: Double, _ text: String) -> String {
    let safe = text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
    return "<text x=\"\(x.fixed(1))\" y=\"\(y.fixed(1))\">\(safe)</text>"
  }
}
