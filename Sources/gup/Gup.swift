import ArgumentParser

/// The command-line tool. Each subcommand has a file of its own.
@main
struct Gup: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gup",
    abstract: "Drives address spaces, page faults and page pins in user space.",
    subcommands: [
      ScenarioCommand.self,
      FuzzCommand.self,
      ImageCommand.self,
      DensityCommand.self,
    ]
  )
}
