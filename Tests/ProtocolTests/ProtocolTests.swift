import TestSupport
import Testing

/// The models of the library's protocols, checked in every interleaving. With a step removed, a model must fail its
/// check.
///
/// The head of each model says which code it describes.
@Suite(.enabled(if: Spin.missing == nil, "the model checker is \(Spin.missing ?? "")"), .offThePool)
struct ProtocolTests {
  @Test(arguments: Check.protocols)
  func holds(check: Check) throws {
    let report = try Spin.run(check)
    #expect(
      report.errors == 0 && report.isComplete,
      "\(check.testDescription): \(report.assertion ?? "no verdict")\n\(tail(report.transcript))")
  }

  @Test(arguments: Check.mutations)
  func isCaught(check: Check) throws {
    guard case .violates(let expected) = check.verdict else { return }
    let report = try Spin.run(check)
    #expect(
      report.assertion?.contains(expected) == true,
      "\(check.testDescription) should violate \(expected): \(report.assertion ?? "nothing is")\n\(tail(report.transcript))"
    )
  }

  @Test func everyMutationOfTheModelsIsChecked() throws {
    // The head of a model names its mutations; each is in the table.
    for (model, named) in try Spin.mutations() {
      let checked = Set(Check.mutations.filter { $0.model == model }.flatMap(\.macros))
      #expect(named.subtracting(checked).isEmpty, "\(model).pml")
      #expect(!named.isEmpty, "\(model).pml names no mutation")
    }
  }

  private func tail(_ text: String) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false).suffix(80).joined(separator: "\n")
  }
}
