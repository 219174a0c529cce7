import ArgumentParser
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
    if let word = CommandLine.arguments.dropFirst().first { checkCommand(word) }
    main(nil)
  }

  /// Ends the program if `word`, its first argument, is neither an option nor a command. ArgumentParser would only say that
  /// the argument is unexpected.
  private static func checkCommand(_ word: String) {
    let commands = configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
    guard !word.hasPrefix("-"), !commands.contains(word) else { return }
    let shown = configuration.subcommands.filter { $0.configuration.shouldDisplay }
    let names = shown.compactMap { $0.configuration.commandName }
    let suggestion = Suggestion.text(for: word, among: names + ["help"])
    Output.error.line("gup: no command is called '\(word)'\(suggestion) (gup --help lists the commands)")
    exit(withError: ExitCode.validationFailure)
  }
}
