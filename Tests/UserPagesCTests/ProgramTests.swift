import Foundation
import TestSupport
import Testing

/// Programs of C that change what a test's own process needs. `.ci/c-face` runs them against the installed library.
@Suite(.offThePool) struct ProgramTests {
  /// What a program prints does not go to a cache's file. The program gave the file's descriptor away with its
  /// standard output closed.
  @Test func whatIsPrintedGoesToNoFile() throws {
    let library = try BuiltProgram.url(named: "libUserPagesC.so").path
    let sources = CFace.root.path
    let run = try Tool.withFolder { folder in
      try Tool.shell(
        """
        gcc -std=c11 -D_GNU_SOURCE -I '\(sources)/Sources/UserPagesC/include' -o '\(folder)/program' \
          '\(sources)/Tests/CFacePrograms/closed_output.c' -ldl && '\(folder)/program' '\(library)' '\(folder)/file'
        """)
    }
    #expect(run.status == 0, "\(run.errors)")
  }
}
