import Foundation

/// The result as a picture: memory over guests, in SVG.
struct DensityPlot {
  let result: DensityResult

  private static let width = 760.0
  private static let height = 460.0
  private static let left = 80.0
  private static let right = 30.0
  private static let top = 40.0
  private static let bottom = 60.0

  private struct Series {
    let name: String
    let color: String
    let values: [(guests: Int, bytes: Int)]
  }

  private var series: [Series] {
    let points = result.points
    func values(_ bytes: (DensityResult.Point) -> Int) -> [(Int, Int)] {
      [(0, 0)] + points.map { ($0.guests, bytes($0)) }
    }
    let own = String(format: "%.0f-byte", result.descriptorBytes)
    return [
      Series(
        name: "64-byte descriptors", color: "#c0392b", values: values { $0.withoutDescriptors + $0.linuxDescriptors }),
      Series(name: "\(own) descriptors", color: "#2471a3", values: values { $0.withoutDescriptors + $0.descriptors }),
      Series(name: "special entries", color: "#1e8449", values: values { $0.withoutDescriptors }),
      Series(
        name: "the image itself", color: "#7f8c8d",
        values: [(0, result.imageBytes), (points.last?.guests ?? 1, result.imageBytes)]),
    ]
  }

  var svg: String {
    let series = series
    let guests = max(1, result.points.last?.guests ?? 1)
    let most = max(1, series.flatMap(\.values).map(\.bytes).max() ?? 1)
    let step = Self.roundStep(Double(most) / 1_048_576 / 5)
    let top = step * (Double(most) / 1_048_576 / step).rounded(.up)
    func x(_ value: Double) -> Double {
      Self.left + (Self.width - Self.left - Self.right) * value / Double(guests)
    }
    func y(_ mebibytes: Double) -> Double {
      Self.height - Self.bottom - (Self.height - Self.top - Self.bottom) * mebibytes / top
    }
    var parts = [
      """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(Int(Self.width))" height="\(Int(Self.height))" \
      font-family="sans-serif" font-size="13">
      <rect width="100%" height="100%" fill="white"/>
      """,
      text("Memory beside a shared image of \(Self.number(Double(result.imageBytes) / 1_048_576)) MiB", 20, 22),
      text("guests", Self.width / 2, Self.height - 15),
      text("MiB", 20, Self.top - 2),
    ]
    for value in stride(from: 0, through: top, by: step) {
      parts.append(line(Self.left, y(value), Self.width - Self.right, y(value), "#dddddd", 1))
      parts.append(text(Self.number(value), Self.left - 8, y(value) + 4, anchor: "end"))
    }
    for tenth in stride(from: 0, through: 10, by: 2) {
      let value = Double(guests) * Double(tenth) / 10
      parts.append(text(Self.number(value), x(value), Self.height - Self.bottom + 20, anchor: "middle"))
    }
    for (index, one) in series.enumerated() {
      let points = one.values.map { value in
        Self.coordinate(x(Double(value.guests))) + "," + Self.coordinate(y(Double(value.bytes) / 1_048_576))
      }.joined(separator: " ")
      parts.append("<polyline fill=\"none\" stroke=\"\(one.color)\" stroke-width=\"2\" points=\"\(points)\"/>")
      let height = Self.top + 14 + Double(index) * 20
      parts.append(line(Self.left + 15, height - 4, Self.left + 40, height - 4, one.color, 3))
      parts.append(text(one.name, Self.left + 48, height))
    }
    parts.append("</svg>\n")
    return parts.joined(separator: "\n")
  }

  /// A step of 1, 2 or 5 times a power of ten.
  private static func roundStep(_ value: Double) -> Double {
    let power = pow(10, floor(log10(max(value, 0.001))))
    return ([1, 2, 5, 10].first { $0 * power >= value } ?? 10) * power
  }

  private static func number(_ value: Double) -> String {
    value == value.rounded() ? String(Int(value)) : String(format: "%.1f", value)
  }

  private static func coordinate(_ value: Double) -> String { String(format: "%.1f", value) }

  private func text(_ text: String, _ x: Double, _ y: Double, anchor: String = "start") -> String {
    "<text x=\"\(Self.coordinate(x))\" y=\"\(Self.coordinate(y))\" text-anchor=\"\(anchor)\">\(text)</text>"
  }

  private func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ color: String, _ width: Int) -> String {
    let points = "x1=\"\(Self.coordinate(x1))\" y1=\"\(Self.coordinate(y1))\" x2=\"\(Self.coordinate(x2))\""
    return "<line \(points) y2=\"\(Self.coordinate(y2))\" stroke=\"\(color)\" stroke-width=\"\(width)\"/>"
  }
}
