import Scenario
import Testing

/// "Did you mean": one edit in three letters, two at most.
@Suite struct SuggestionTests {
  static let words = ["space", "fork", "exit", "protect", "populate-read", "r", "rw"]

  @Test(arguments: [
    ("spce", "space"), ("sapce", "space"), ("spaces", "space"), ("protetc", "protect"), ("portcet", "protect"),
    ("populate-raed", "populate-read"), ("rwx", "rw"), ("fokr", "fork"),
  ])
  func isLikeOne(word: String, meant: String) {
    #expect(Suggestion.text(for: word, among: Self.words) == "; did you mean '\(meant)'?")
  }

  /// Short words are like all other short words, and a distant word is no help.
  @Test(arguments: ["", "x", "xw", "frob", "sp", "unprotected", String(repeating: "space", count: 1 << 16)])
  func isLikeNone(word: String) {
    #expect(Suggestion.text(for: word, among: Self.words) == "")
  }

  @Test func everyWordOfAScenarioHasOne() {
    #expect(errors("spce A") == ["1: no statement is called 'spce'; did you mean 'space'?"])
    #expect(
      errors("space A\nprotect A 0 1 nnoe") == ["2: PROT: 'nnoe' is none of none, r, w, rw; did you mean 'none'?"])
    #expect(errors("space A\npin p A 0 1 wirte").first?.hasSuffix("did you mean 'write'?") == true)
    #expect(errors("space A\npin p A 0 1\nrelease p drity") == ["3: 'drity' is not 'dirty'; did you mean 'dirty'?"])
    #expect(errors("space one\nread oen 0 1") == ["2: no space is called 'oen'; did you mean 'one'?"])
    #expect(errors("space A\npin pin1 A 0 1\npeek pin 0 1") == ["3: no pin is called 'pin'; did you mean 'pin1'?"])
    #expect(
      errors("image rom 1\nreadfile rmo 0 1") == [
        "2: nothing is called 'rmo' (a file or a disk file or an image is needed); did you mean 'rom'?"
      ])
  }
}
