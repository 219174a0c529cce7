import Foundation
import Fuzz
import TestSupport
import Testing

/// `gup fuzz` as a program.
@Suite(.offThePool) struct FuzzToolTests {
  /// Numbers that would trap, or that would make the run pass without a program.
  @Test(arguments: [
    ["--minutes", "nan"], ["--minutes", "inf"], ["--minutes", "1e300"], ["--minutes", "0"], ["--minutes=-1"],
    ["--first", "9223372036854775807"], ["--first=-9223372036854775808"], ["--first=-1"],
    ["--programs", "0"], ["--programs=-1"], ["--programs", "9223372036854775807"], ["--differences", "0"],
    ["--programs", "1", "--differences=-1"], ["--races", "--times", "0"], ["--times", "3"], ["--fewest", "3"],
    ["--races", "--fewest", "0"], ["--races", "--fewest", "101"], ["--races", "--times", "4", "--fewest", "5"],
    ["--minutes", "many"], ["--keep", ""], ["--mode", "everything"], ["--races", "--mode", "disk"],
    ["--kept"], ["--races", "--kept"],
  ])
  func refuses(arguments: [String]) throws {
    let run = try Tool.gup(["fuzz"] + arguments)
    #expect(run.status == 64)
    #expect(run.output == "")
    #expect(run.errors.contains("Error: "))
    let option = arguments.last { $0.hasPrefix("--") }?.prefix { $0 != "=" } ?? ""
    #expect(run.errors.contains(option))
  }

  @Test func optionsOfProgramsDoNotGoWithFiles() throws {
    let run = try Tool.gup(["fuzz", "--minutes", "1", "a.gup"])
    #expect(run.status == 64)
    #expect(run.errors.contains("--minutes is for random programs"))
  }

  @Test func theFolderIsCheckedBeforeTheRun() throws {
    try Tool.withFolder { folder in
      try "".write(toFile: "\(folder)/file", atomically: false, encoding: .utf8)
      let inFile = try Tool.gup(["fuzz", "--programs", "1", "--keep", "\(folder)/file/below"])
      #expect(inFile.status == 2)
      #expect(inFile.output == "")
      #expect(inFile.errors == "gup fuzz: cannot write \(folder)/file/below/: Not a directory (ENOTDIR)\n")
      let onFile = try Tool.gup(["fuzz", "--programs", "1", "--keep", "\(folder)/file"])
      #expect(onFile.errors == "gup fuzz: cannot write \(folder)/file/current.gup: Not a directory (ENOTDIR)\n")
    }
  }

  /// Too few descriptors for the kernel's side are an error with a reason, not a trap.
  @Test(arguments: [5, 6, 20]) func saysThatDescriptorsAreShort(limit: Int) throws {
    let run = try Tool.shell("ulimit -n \(limit); exec '\(Tool.gup)' fuzz --programs 1")
    #expect(run.status == 2)
    #expect(run.errors.contains("Too many open files") || run.errors.contains("error while loading shared libraries"))
  }

  @Test func aFileThatIsNotThere() throws {
    let run = try Tool.gup(["fuzz", "/no/such.gup"])
    #expect(run.status == 2)
    #expect(run.errors.contains("/no/such.gup: No such file or directory (ENOENT)"))
  }
}

/// `gup fuzz` against the running kernel.
@Suite(.enabled(if: RunningKernel.missing == nil, "\(RunningKernel.missing ?? "")"), .offThePool)
struct FuzzRunTests {
  /// The program needs nothing beside it: a copy of `gup` alone compares.
  @Test func gupAloneAsksTheKernel() throws {
    try Tool.withFolder { folder in
      let copy = "\(folder)/gup"
      try FileManager.default.copyItem(atPath: Tool.gup, toPath: copy)
      let run = try Tool.run(copy, ["fuzz", "--programs", "20", "--keep", "\(folder)/a/b"])
      #expect(run.status == 0)
      #expect(run.errors == "")
      #expect(run.output.contains(/programs 0\.\.<20: \d+ statements, (20|1\d) programs compared, 0 differences/))
      let kept = try String(contentsOfFile: "\(folder)/a/b/current.gup", encoding: .utf8)
      #expect(kept.hasPrefix("# seed 1, program-19\n"))
    }
  }

  /// A mode for which the machine lacks something is skipped aloud. The others are compared.
  @Test func modesAreComparedOrSkipped() throws {
    let run = try Tool.gup(["fuzz", "--programs", "24"] + ProgramMode.allCases.flatMap { ["--mode", $0.rawValue] })
    #expect(run.status == 0)
    // The log of CI names what was skipped.
    print(run.errors, terminator: "")
    let oracle = try KernelOracle(program: Tool.gup)
    let missing = ProgramMode.allCases.filter { $0.whyMissing(oracle) != nil }
    for mode in ProgramMode.allCases {
      #expect(run.errors.contains("skipped: --mode \(mode.rawValue): ") == missing.contains(mode))
      #expect(run.output.contains(" \(mode.rawValue)") != missing.contains(mode))
    }
    #expect(run.output.contains(/programs 0\.\.<24: \d+ statements, (24|2[0-3]) programs compared, 0 differences/))
    for mode in missing {
      let alone = try Tool.gup(["fuzz", "--programs", "1", "--mode", mode.rawValue])
      #expect(alone.status == 2 && alone.output == "")
    }
  }

  /// The socket to the kernel's side must not become the standard output: the report would be read as a program.
  @Test(arguments: [("<&-", true), (">&-", false), ("2>&-", true), ("<&- >&- 2>&-", false)])
  func closedDescriptorsStayClosed(redirections: String, isReportWritten: Bool) throws {
    let run = try Tool.shell("'\(Tool.gup)' fuzz --programs 3 \(redirections)")
    #expect(run.status == (isReportWritten ? 0 : 74))
    let isTold = redirections == ">&-"
    #expect(run.errors == (isTold ? "gup: standard output cannot be written to: Bad file descriptor (EBADF)\n" : ""))
  }

  @Test func theLastProgramNumber() throws {
    let last = Int.max / 2
    let run = try Tool.gup(["fuzz", "--first", "\(last)", "--programs", "1"])
    #expect(run.status == 0)
    #expect(run.output.contains("programs \(last)..<\(last + 1): "))
  }

  @Test func filesAreCompared() throws {
    let same = try Tool.gup(["fuzz", "-"], input: "space A\nread A 0x10000000 1\n")
    #expect(same == Tool.Run(status: 0, output: "<stdin>: the same\n", errors: ""))
    let other = try Tool.gup(["fuzz", "-"], input: "image i 1\nspace A\n")
    #expect(other.status == 2)
    #expect(other.output == "<stdin>:1: not compared: real memory cannot answer 'image i 1'\n")
  }

  @Test func halvesAreRaced() throws {
    let run = try Tool.gup(["fuzz", "--races", "--programs", "3", "--times", "4", "--fewest", "4"])
    #expect(run.status == 0)
    #expect(run.output.contains(/seed 1, pairs 0\.\.<3: \d+ orders, \d+ outcomes allowed; raced: .*; 0 failures/))
    #expect(run.output.contains("; 48 rounds; "))
    let text = "space A\nmap A 0x10000 1 rw private anon\npar\nwrite A 0x10000 01\nand\nread A 0x10000 1\nend\n"
    let file = try Tool.gup(["fuzz", "--races", "--times", "4", "-"], input: text)
    #expect(file.status == 0)
    #expect(file.output.hasPrefix("<stdin>: 2 orders, 2 outcomes allowed; raced: "))
    let other = try Tool.gup(["fuzz", "--races", "-"], input: "space A\n")
    #expect(other.status == 2)
    #expect(other.output == "<stdin>: not compared: it has not exactly one 'par', outside a 'repeat'\n")
  }

  /// What a kept pair says of the kernel alone is looked for in the library, and told by reason.
  @Test func keptPairsAreSortedByReason() throws {
    let pair = "space A\nmap A 0x10000 1 rw private anon\npar\nwrite A 0x10000 01\nand\nread A 0x10000 1\nend\n"
    try Tool.withFolder { folder in
      let path = "\(folder)/kept.gup"
      let text = pair + "# the kernel alone: ok; 01\n# the kernel alone: ok; 77\n"
      try text.write(toFile: path, atomically: false, encoding: .utf8)
      let run = try Tool.gup(["fuzz", "--races", "--kept", "--times", "1000", path])
      #expect(run.status == 0)
      #expect(run.output.contains("\n1 pairs, 2 outcomes of the kernel alone\n1: the library shows it within 1"))
      #expect(run.output.hasSuffix("\n1: not by the library: no order explains it\n"))
      try pair.write(toFile: path, atomically: false, encoding: .utf8)
      let none = try Tool.gup(["fuzz", "--races", "--kept", path])
      #expect(none.status == 2)
      #expect(none.output.contains("no outcome of the kernel alone is in it"))
    }
  }

  /// Ctrl-C at a terminal goes to every process of the run. It prints what it has, and the kernel's side does not
  /// complain.
  @Test func interruptEndsTheRunWithWhatItHas() throws {
    let run = try Tool.withFolder { folder in
      try Tool.run("/usr/bin/env", ["setsid", "--wait", Tool.gup, "fuzz", "--minutes", "5", "--keep", folder]) { _ in
        // The first program runs once the folder holds it.
        let current = "\(folder)/current.gup"
        var leader: pid_t?
        while leader == nil {
          usleep(20_000)
          guard let text = try? String(contentsOfFile: current, encoding: .utf8), !text.isEmpty else { continue }
          leader = Self.process(withArgument: folder)
        }
        if let leader { kill(-leader, SIGINT) }
      }
    }
    #expect(run.status == 130)
    #expect(run.output.contains(/programs 0\.\.<\d+: \d+ statements, \d+ programs compared, 0 differences/))
    #expect(run.errors == "")
  }

  /// The `gup` that was started with `argument` and leads a process group.
  private static func process(withArgument argument: String) -> pid_t? {
    let processes = (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { pid_t($0) } ?? []
    return processes.first { process in
      guard let words = try? String(contentsOfFile: "/proc/\(process)/cmdline", encoding: .utf8) else { return false }
      return words.hasPrefix(Tool.gup) && words.contains(argument) && getpgid(process) == process
    }
  }

  @Test func progressIsForTerminalsOnly() throws {
    let quoted = "'\(Tool.gup)' fuzz --programs 60"
    #expect(try Tool.shell(quoted).errors == "")
    let onTerminal = try Tool.shell("script -qec \"\(quoted)\" /dev/null")
    #expect(onTerminal.output.contains(/\r\d+ programs, 0 differences\u{1b}\[K/))
  }
}
