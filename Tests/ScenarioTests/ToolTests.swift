import Foundation
import TestSupport
import Testing

/// `gup` and `gup scenario` as programs: what they write to which stream, and their exit status.
@Suite(.offThePool) struct ToolTests {
  /// Runs `gup scenario` on a file that holds `text`.
  private func run(_ text: String, _ options: String...) throws -> (run: Tool.Run, path: String) {
    try Tool.withFolder { folder in
      let path = "\(folder)/t.gup"
      try text.write(toFile: path, atomically: false, encoding: .utf8)
      return (try Tool.gup(["scenario"] + options + [path]), path)
    }
  }

  @Test func passes() throws {
    #expect(
      try run("space A\nentry A 0x1000 => none\n").run
        == Tool.Run(status: 0, output: "1: space A => ok\n2: entry A 0x1000 => none\n", errors: ""))
  }

  @Test func fails() throws {
    #expect(
      try run("space A\nread A 0x1000 1 => 00\n", "--quiet").run
        == Tool.Run(
          status: 1, output: "2: read A 0x1000 1 => SIGSEGV\n2: expected 00\n0 passed, 1 failed\n", errors: ""))
  }

  @Test func doesNotParse() throws {
    let (run, path) = try run("space A\nfrob\n")
    #expect(
      run == Tool.Run(status: 2, output: "", errors: "\(path):2: error: no statement is called 'frob'\n"))
  }

  @Test func saysWhichFileCannotBeReadAndWhy() throws {
    let missing = try Tool.gup(["scenario", "/no/such/file.gup"])
    let message = "cannot read /no/such/file.gup: No such file or directory (ENOENT)"
    #expect(missing == Tool.Run(status: 2, output: "", errors: "/no/such/file.gup: error: \(message)\n"))
    let folder = try Tool.gup(["scenario", "/tmp"])
    #expect(folder.status == 2)
    #expect(folder.errors == "/tmp: error: cannot read /tmp: Is a directory (EISDIR)\n")
  }

  /// A scenario that waited for a FIFO's writer would never end.
  @Test func refusesAFIFO() throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/fifo"
      #expect(mkfifo(path, 0o600) == 0)
      let run = try Tool.gup(["scenario", path])
      #expect(run.status == 2)
      #expect(run.errors == "\(path): error: cannot read \(path): it is not a regular file\n")
    }
  }

  @Test func readsStandardInput() throws {
    let run = try Tool.gup(["scenario", "-"], input: "space A\nfrob => ok\n")
    #expect(run == Tool.Run(status: 2, output: "", errors: "<stdin>:2: error: no statement is called 'frob'\n"))
    let good = try Tool.gup(["scenario", "--quiet", "-"], input: "space A\n")
    #expect(good == Tool.Run(status: 0, output: "1 passed, 0 failed\n", errors: ""))
    #expect(try Tool.gup(["scenario", "-", "-"], input: "space A\n").status == 64)
  }

  @Test func printsJSON() throws {
    let (run, path) = try run("space A\n", "--json")
    #expect(run.status == 0)
    let line = try #require(
      try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    #expect(line["file"] as? String == path)
    #expect(line["line"] as? Int == 1)
    #expect(line["statement"] as? String == "space A")
    #expect(line["result"] as? String == "ok")
    #expect(line["passed"] as? Bool == true)
  }

  /// A file from elsewhere must not move the cursor or change the terminal's title.
  @Test(arguments: [
    "\u{1b}]0;title\u{7} A", "space \u{9b}31m", "space \u{202e}A", "image i from \u{1b}[2J", "free => \u{1b}[2J",
    "space A\u{7f}",
  ])
  func printsNoControlCharacters(text: String) throws {
    for options in [[], ["--json"]] {
      let run = try Tool.gup(["scenario"] + options + ["-"], input: text + "\n")
      let printed = (run.output + run.errors).unicodeScalars.filter { $0 != "\n" }
      #expect(run.status != 0)
      #expect(!printed.isEmpty)
      #expect(
        !printed.contains { scalar in
          [.control, .format].contains(scalar.properties.generalCategory)
        })
    }
  }

  /// A report that did not arrive is no success, and the message says what was wrong.
  @Test(arguments: [("> /dev/full", "No space left on device (ENOSPC)"), (">&-", "Bad file descriptor (EBADF)")])
  func aLostReportIsNoSuccess(redirection: String, reason: String) throws {
    let passes = try Tool.shell("echo 'space A' | '\(Tool.gup)' scenario - \(redirection)")
    #expect(
      passes == Tool.Run(status: 74, output: "", errors: "gup: standard output cannot be written to: \(reason)\n"))
    // What the scenario has to say about itself goes before.
    let fails = try Tool.shell("echo 'free => 1' | '\(Tool.gup)' scenario - \(redirection)")
    #expect(fails.status == 1)
    #expect(fails.errors.contains(reason))
  }

  @Test func tellsItsVersion() throws {
    let run = try Tool.gup(["--version"])
    #expect(run.status == 0)
    #expect(run.output.wholeMatch(of: /\d+\.\d+\.\d+\n/) != nil)
  }

  @Test func suggestsACommand() throws {
    let run = try Tool.gup(["scenrio", "x"])
    #expect(run.status == 64)
    #expect(
      run.errors
        == "gup: no command is called 'scenrio'; did you mean 'scenario'? (gup --help lists the commands)\n")
    let inner = try Tool.gup(["image", "veriyf", "x"])
    #expect(inner.status == 64)
    #expect(
      inner.errors
        == "gup image: no command is called 'veriyf'; did you mean 'verify'? (gup image --help lists the commands)\n")
    #expect(try Tool.gup(["frob"]).errors == "gup: no command is called 'frob' (gup --help lists the commands)\n")
    #expect(!(try Tool.gup(["--help"]).output.contains("kernel-oracle")))
  }
}
