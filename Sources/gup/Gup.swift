import ArgumentParser
import Foundation
import Scenario

/// The command-line tool. Each subcommand has a file or a folder of its own.
@main
struct Gup: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gup",
    abstract: "Drives address spaces, page faults and page pins in user space.",
    version: "0.1.0",
    subcommands: [
      ScenarioCommand.self,
      FuzzCommand.self,
      ImageCommand.self,
      DensityCommand.self,
      KernelOracleCommand.self,
    ]
  )

  static func main() {
    occupyStandardDescriptors()
    let words = Array(CommandLine.arguments.dropFirst())
    if let word = words.first { check(word, among: Gup.self) }
    if words.first == ImageCommand.configuration.commandName, let word = words.dropFirst().first {
      check(word, among: ImageCommand.self)
    }
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      reportLostOutput()
      exit(withError: error)
    }
    if reportLostOutput() { exit(withError: lostOutput) }
  }

  /// The exit status if the work went well and the report could not be written (`EX_IOERR` of `sysexits.h`).
  private static let lostOutput = ExitCode(74)

  /// Says that standard output could not be written to, if that is so. Returns whether it is.
  @discardableResult
  private static func reportLostOutput() -> Bool {
    guard let failure = Output.standard.firstFailure else { return false }
    Output.error.line("gup: standard output cannot be written to: \(failure)")
    return true
  }

  /// Opens every standard descriptor that is closed. Otherwise the next file or socket would get its number, and this
  /// program would read its input from there or print its report into it.
  ///
  /// The direction is the wrong one, so a read or a write fails as on a closed descriptor.
  private static func occupyStandardDescriptors() {
    for (descriptor, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)]
    where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is this one.
      _ = open("/dev/null", mode)
    }
  }

  /// Ends the program if `word` stands where a subcommand of `parent` is expected, and is neither an option nor one of
  /// them. ArgumentParser would only say that the argument is unexpected.
  private static func check(_ word: String, among parent: any ParsableCommand.Type) {
    let shown = parent.configuration.subcommands.filter { $0.configuration.shouldDisplay }
    let names = shown.compactMap { $0.configuration.commandName } + ["help"]
    let isKnown = parent.configuration.subcommands.contains { $0.configuration.commandName == word }
    guard !word.hasPrefix("-"), !isKnown, word != "help" else { return }
    let path = parent == Gup.self ? "gup" : "gup \(parent.configuration.commandName ?? "")"
    let suggestion = Suggestion.text(for: word, among: names)
    Output.error.line("\(path): no command is called '\(word)'\(suggestion) (\(path) --help lists the commands)")
    exit(withError: ExitCode.validationFailure)
  }
}
