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

  /// Why there is no disk to put files on. Without one, programs with disk files are not compared.
  static let missingDisk: String? = {
    do throws(KernelOracle.Problem) {
      return try KernelOracle(program: Tool.gup).missingDisk
    } catch {
      return missing
    }
  }()
}
