/// The word that was meant by a mistyped one.
public enum Suggestion {
  /// `; did you mean 'CANDIDATE'?` for the candidate that is most like `word`. Empty if none is like it.
  ///
  /// One edit in three letters is allowed, and two at most. An edit inserts, removes or replaces a letter, or swaps
  /// neighbours.
  public static func text(for word: String, among candidates: some Sequence<String>) -> String {
    let allowed = min(word.count / 3, 2)
    let distances = candidates.map { (candidate: $0, edits: edits(from: Array(word), to: Array($0))) }
    guard let best = distances.min(by: { $0.edits < $1.edits }), best.edits <= allowed else { return "" }
    return "; did you mean '\(best.candidate)'?"
  }

  /// The optimal string alignment distance.
  private static func edits(from source: [Character], to target: [Character]) -> Int {
    // A long word is like no candidate, and would fill a large table.
    guard abs(source.count - target.count) <= 2 else { return .max }
    var rows = [Array(0...target.count)]
    for (i, letter) in source.enumerated() {
      var row = [i + 1]
      for (j, other) in target.enumerated() {
        var least = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (letter == other ? 0 : 1))
        if i > 0, j > 0, letter == target[j - 1], source[i - 1] == other { least = min(least, rows[i - 1][j - 1] + 1) }
        row.append(least)
      }
      rows.append(row)
    }
    return rows[source.count][target.count]
  }
}
