/// A table of text for a terminal: the first columns to the left, numbers to the right.
public struct TextTable {
  private var rows: [[String]]
  private let leftColumns: Int

  public init(_ titles: [String], leftColumns: Int = 1) {
    rows = [titles]
    self.leftColumns = leftColumns
  }

  public mutating func add(_ row: [String]) {
    rows.append(row)
  }

  public var text: String {
    let columns = rows[0].count
    let widths = (0..<columns).map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = rows.map { row in
      zip(row.indices, row).map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return column < leftColumns ? cell + space : space + cell
      }.joined(separator: "  ")
    }
    lines.insert(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  "), at: 1)
    return lines.map { String($0.reversed().drop { $0 == " " }.reversed()) }.joined(separator: "\n")
  }
}
