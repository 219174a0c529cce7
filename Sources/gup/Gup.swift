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
    if let word = CommandLine.arguments.dropFirst().first { checkCommand(word) }
    main(nil)
  }

  /// Opens every standard descriptor that is closed. Otherwise the next file or socket would get its number, and this program
  /// would read its input from there or print its report into it.
  ///
  /// The direction is the wrong one, so a read or a write fails as on a closed descriptor.
  private static func occupyStandardDescriptors() {
    for (descriptor, mode) in [(STDIN_FILENO, O_WRONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_RDONLY)]
    where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest free number is this one.
      _ = open("/dev/null", mode)
    }
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
