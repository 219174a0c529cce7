import Foundation
import TestSupport
import Testing
import UserPages

/// Random programs on the library and on a model, which is only a dictionary of pages.
@Suite struct ModelTests {
  @Test(arguments: Engines.all)
  func randomPrograms(engine: PinEngine) throws {
    try play(ModelPrograms.count, "model, \(engine)", engine: engine, in: .small)
  }

  /// The same with mappings of some MiB. Most of them may have 2 MiB entries.
  @Test(arguments: Engines.all)
  func randomProgramsWithHugePages(engine: PinEngine) throws {
    try play(max(1, ModelPrograms.count / 12), "model of huge pages, \(engine)", engine: engine, in: .huge)
  }

  private func play(_ programs: Int, _ name: String, engine: PinEngine, in world: World) throws {
    var random = SeededGenerator(seed: TestSeed.named(name))
    for number in 0..<programs {
      let program = (0..<10 + random.below(60)).map { _ in Operation.random(&random, in: world) }
      guard let wrong = try verdict(on: program, engine: engine, in: world) else { continue }
      let small = try shrink(program, engine: engine, in: world)
      let steps = small.map { "  \($0)" }.joined(separator: "\n")
      Issue.record(
        """
        program \(number) with GUP_SEED=\(TestSeed.run): \(wrong)
        the same with \(small.count) steps: \(try verdict(on: small, engine: engine, in: world) ?? "")
        \(steps)
        """)
      return
    }
  }

  @Test func theModelNoticesDifferences() throws {
    // The library and the model must differ here, because only the library sees the write to the file.
    let player = try Player(engine: .reference)
    player.writeBehindTheModel()
    #expect(player.play([.readFile(offset: 0, count: 8)]) != nil)
    #expect(player.end() == nil)
  }

  @Test func programsWithHugePagesMeetHugeEntries() throws {
    let player = try Player(engine: .reference, in: .huge)
    var random = SeededGenerator(seed: TestSeed.named("model, huge entries"))
    // One player, so the pieces are one long program.
    for _ in 0..<100 where !player.hasSeenHuge {
      #expect(player.play((0..<10).map { _ in Operation.random(&random, in: .huge) }) == nil)
    }
    #expect(player.hasSeenHuge)
    #expect(player.end() == nil)
  }

  private func verdict(on program: [Operation], engine: PinEngine, in world: World) throws -> String? {
    let player = try Player(engine: engine, in: world)
    let wrong = player.play(program)
    let leaked = player.end()
    return wrong ?? leaked
  }

  /// Removes steps as long as the program still fails.
  private func shrink(_ program: [Operation], engine: PinEngine, in world: World) throws -> [Operation] {
    var program = program
    var chunk = max(1, program.count / 2)
    while true {
      var index = 0
      var isSmaller = false
      while index < program.count {
        var candidate = program
        candidate.removeSubrange(index..<min(index + chunk, program.count))
        if try verdict(on: candidate, engine: engine, in: world) != nil {
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
