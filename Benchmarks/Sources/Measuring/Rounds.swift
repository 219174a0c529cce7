/// Interleaved rounds: each round measures every subject once, so a slow moment of the machine falls on all of them.
public enum Rounds {
  /// The subjects' indices in the order in which `round` measures them. Each subject comes first in its share of the
  /// rounds.
  public static func order(of count: Int, in round: Int) -> [Int] {
    (0..<count).map { ($0 + round) % count }
  }
}
