import Foundation
import TestSupport
import Testing
import UserPages

/// Random programs on the library and on a model that is nothing but a dictionary of pages.
@Suite struct ModelTests {
  /// How many programs run over each engine: `GUP_MODEL_PROGRAMS`, else enough for a few seconds.
  private static let programs: Int = {
    ProcessInfo.processInfo.environment["GUP_MODEL_PROGRAMS"].flatMap { Int($0) } ?? 300
  }()

  @Test(arguments: Engines.all)
  func randomPrograms(engine: PinEngine) throws {
    var random = SeededGenerator(seed: TestSeed.named("model, \(engine)"))
    for number in 0..<Self.programs {
      let program = (0..<10 + random.below(60)).map { _ in Operation.random(&random) }
      guard let wrong = try verdict(on: program, engine: engine) else { continue }
      let small = try shrink(program, engine: engine)
      let steps = small.map { "  \($0)" }.joined(separator: "\n")
      Issue.record(
        """
        program \(number) with GUP_SEED=\(TestSeed.run): \(wrong)
        the same with \(small.count) steps: \(try verdict(on: small, engine: engine) ?? "")
        \(steps)
        """)
      return
    }
  }

  @Test func theModelNoticesDifferences() throws {
    // A program that the library and the model understand differently by construction: the file is written behind the model's back.
    let player = try Player(engine: .reference)
    player.writeBehindTheModel()
    #expect(player.play([.readFile(offset: 0, count: 8)]) != nil)
    #expect(player.end() == nil)
  }

  private func verdict(on program: [Operation], engine: PinEngine) throws -> String? {
    let player = try Player(engine: engine)
    let wrong = player.play(program)
    let leaked = player.end()
    return wrong ?? leaked
  }

  /// Leaves steps out as long as the program still goes wrong.
  private func shrink(_ program: [Operation], engine: PinEngine) throws -> [Operation] {
    var program = program
    var chunk = max(1, program.count / 2)
    while true {
      var index = 0
      var isSmaller = false
      while index < program.count {
        var candidate = program
        candidate.removeSubrange(index..<min(index + chunk, program.count))
        if try verdict(on: candidate, engine: engine) != nil {
          program = candidate
          isSmaller = true
        } else {
          index += chunk
        }
      }
      if chunk == 1 && !isSmaller { return program }
      chunk = max(1, chunk / 2)
    }
  }
}
