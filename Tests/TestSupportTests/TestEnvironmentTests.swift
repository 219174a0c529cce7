import TestSupport
import Testing

/// The settings of the tests. A refused one must not be taken for the default.
@Suite struct TestEnvironmentTests {
  @Test func numbers() throws {
    #expect(try TestEnvironment.parse("17", "GUP_SEED", in: 0...UInt64.max) == 17)
    #expect(try TestEnvironment.parse("0xff", "GUP_SEED", in: 0...UInt64.max) == 255)
    #expect(try TestEnvironment.parse("18446744073709551615", "GUP_SEED", in: 0...UInt64.max) == .max)
    #expect(try TestEnvironment.parse("1", "GUP_MODEL_PROGRAMS", in: 1...300) == 1)
    #expect(try TestEnvironment.parse("0.5", "GUP_TORTURE_SECONDS", in: 0.01...60) == 0.5)
  }

  @Test(arguments: ["abc", "", " 1", "1 ", "0x", "-1", "18446744073709551616", "1.5"])
  func refusesSeeds(text: String) {
    #expect(throws: TestEnvironment.Refusal.self) {
      try TestEnvironment.parse(text, "GUP_SEED", in: 0...UInt64.max)
    }
  }

  @Test(arguments: ["abc", "", "0", "-1", "301", "1e2"])
  func refusesCounts(text: String) {
    #expect(throws: TestEnvironment.Refusal.self) {
      try TestEnvironment.parse(text, "GUP_MODEL_PROGRAMS", in: 1...300)
    }
  }

  @Test(arguments: ["abc", "", "0", "-1", "nan", "inf", "1e300"])
  func refusesTimes(text: String) {
    #expect(throws: TestEnvironment.Refusal.self) {
      try TestEnvironment.parse(text, "GUP_TORTURE_SECONDS", in: 0.01...86_400)
    }
  }

  @Test func saysWhichVariableAndWhatIsNeeded() {
    #expect(
      throws: TestEnvironment.Refusal(description: "GUP_MODEL_PROGRAMS=0: a number from 1 to 300 is needed")
    ) { try TestEnvironment.parse("0", "GUP_MODEL_PROGRAMS", in: 1...300) }
  }

  /// The whole way: a test process with a wrong seed fails and names it.
  @Test(arguments: ["GUP_SEED=abc", "GUP_MODEL_PROGRAMS=0", "GUP_TORTURE_SECONDS=abc", "GUP_ENGINE=abc"])
  func aWrongSettingEndsTheRun(setting: String) throws {
    let tests = CommandLine.arguments[0]
    let run = try Tool.run(
      "/usr/bin/env",
      [setting, tests, "--testing-library", "swift-testing", "--filter", "settingsAreRead"])
    #expect(run.status == 2)
    let needed = setting.hasPrefix("GUP_ENGINE") ? "one of locked, reference, slot" : "a number from "
    #expect(run.errors.contains("error: \(setting): \(needed)"))
  }

  /// Reads every setting, for the test above.
  @Test func settingsAreRead() {
    #expect(TestSeed.named("settings") == TestSeed.named("settings"))
    #expect(TortureTime.perPair > 0)
    #expect(ModelPrograms.count > 0)
    #expect(!Engines.all.isEmpty)
  }
}
