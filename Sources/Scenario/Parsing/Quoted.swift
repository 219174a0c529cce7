/// A word in a message: in quotes, cut if it is long.
func quoted(_ word: some StringProtocol) -> String {
  let limit = 40
  return word.count <= limit ? "'\(word)'" : "'\(word.prefix(limit))...'"
}
