import ArgumentParser
import Scenario
import UserPages

/// `gup scenario FILE...`.
struct ScenarioCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scenario",
    abstract: "Runs scenario files and checks what they expect.",
    discussion: """
      A scenario is a text file that drives address spaces as a program drives a kernel: map, fault, fork, pin, unmap, and \
      look at the result. Each file runs on a fresh machine. Every statement is printed with the result that really \
      occurred. A statement that ends with '=> RESULT' is checked against it.

      Exit status: 0 if every expectation held and nothing leaked, 1 if one did not or something leaked, 2 if a file \
      could not be parsed (it is not run then), 74 if the report could not be written.
      """
  )

  @Argument(
    help: "The scenario files. '-' is standard input.", completion: .file(extensions: ["gup"]))
  var files: [String]

  @Flag(help: "Print JSON lines.")
  var json = false

  @Flag(help: "Print only failures and, last, how many files passed and failed.")
  var quiet = false

  @Option(help: "How spaces pin pages.")
  var engine = PinEngine.reference

  func validate() throws {
    if files.filter({ $0 == ScenarioParser.standardInput }).count > 1 {
      throw ValidationError("Standard input ('-') can be read once.")
    }
  }

  func run() throws {
    let suite = ScenarioSuite(
      format: json ? .json : .text, isQuiet: quiet, runner: ScenarioRunner(engine: engine))
    let status = suite.run(files, print: Output.standard.line, complain: Output.error.line)
    if status != ScenarioSuite.passedStatus { throw ExitCode(status) }
  }
}

/// `--engine`.
extension PinEngine: ExpressibleByArgument {}
