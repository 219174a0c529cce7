import ArgumentParser
import CKernelOracle
import Fuzz

/// `gup kernel-oracle`, which `gup fuzz` starts: this program as the kernel's side of the comparison.
struct KernelOracleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: KernelOracle.arguments[0],
    abstract: "Answers scenario programs on standard input by real memory. gup fuzz starts it.",
    shouldDisplay: false
  )

  func run() throws {
    throw ExitCode(kernel_oracle_run())
  }
}
