/// One column of a table: its title, and what it says of a row.
public struct Column<Row> {
  let title: String
  let isNumber: Bool
  let cell: (Row) -> String

  /// Words, aligned to the left.
  public static func text(_ title: String, _ cell: @escaping (Row) -> String) -> Column {
    Column(title: title, isNumber: false, cell: cell)
  }

  /// A number, aligned to the right.
  public static func number(_ title: String, _ cell: @escaping (Row) -> String) -> Column {
    Column(title: title, isNumber: true, cell: cell)
  }

  /// The median of several rounds, and in brackets the least and the greatest.
  public static func spread(_ title: String, digits: Int, _ value: @escaping (Row) -> Spread) -> Column {
    number(title) { value($0).formatted(digits) }
  }

  /// The median alone, and `-` where nothing was measured.
  public static func median(_ title: String, digits: Int, _ value: @escaping (Row) -> Spread?) -> Column {
    number(title) { value($0)?.median.fixed(digits) ?? "-" }
  }
}

/// A table for a terminal.
public struct TextTable {
  /// The table's lines: titles, a rule, and a line for each row.
  public let text: String

  public init<Row>(_ rows: [Row], _ columns: [Column<Row>]) {
    let cells = [columns.map(\.title)] + rows.map { row in columns.map { $0.cell(row) } }
    let widths = columns.indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
    var lines = cells.map { line in
      columns.indices.map { column in
        let cell = line[column]
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return columns[column].isNumber ? space + cell : cell + space
      }.joined(separator: "  ")
    }
    lines.insert(widths.map { String(repeating: "-", count: $0) }.joined(separator: "  "), at: 1)
    text = lines.map { String($0.reversed().drop { $0 == " " }.reversed()) }.joined(separator: "\n")
  }
}
