/// A word in a message, cut where it is long.
func quoted(_ word: some StringProtocol) -> String {
  let limit = 40
  return word.count <= limit ? "'\(word)'" : "'\(word.prefix(limit))...'"
}
