import Fuzz
import TestSupport

/// The kernel that runs the tests.
enum RunningKernel {
  /// Why this kernel cannot be asked. Nil if it can, or if the oracle itself is broken: then the tests fail.
  static let missing: String? = {
    do throws(KernelOracle.Problem) {
      _ = try KernelOracle(program: Tool.gup)
      return nil
    } catch {
      guard case .unavailable = error else { return nil }
      return "\(error)"
    }
  }()

  /// The words that this machine has no answer to. Programs with one of them are not compared.
  static let missingWords: [String: String] = {
    do throws(KernelOracle.Problem) {
      return try KernelOracle(program: Tool.gup).missingWords
    } catch {
      return [:]
    }
  }()

  /// The words that a newer or differently configured kernel would answer, with the reasons; nil if there is none.
  static var missingFeatures: String? {
    let features = missingWords.filter { !["diskfile", "image", "device", "longterm-read"].contains($0.key) }
    if features.isEmpty { return nil }
    return features.sorted { $0.key < $1.key }.map { "\($0.key) (\($0.value))" }.joined(separator: ", ")
  }

  /// Why there is no disk to put files on.
  static var missingDisk: String? { missing ?? missingWords["diskfile"] }
}
