import ArgumentParser
import UserPagesEROFS

/// The image that a subcommand works on, read from a real file.
struct OpenedImage {
  let tree: EROFSImage
  private let path: String

  /// Opens an image. If that fails, prints why and ends with status 1.
  init(_ path: String) throws {
    self.path = path
    do throws(EROFSError) {
      // Not mapped: a file that is truncated meanwhile is then an error of a read, not of a memory access.
      tree = try EROFSImage(path: path)
    } catch {
      switch error {
      case .cannotOpen, .notAFile: throw Self.failure("\(error)")
      default: throw Self.failure("\(path): \(error)")
      }
    }
  }

  /// Runs `body`. An error of the image is printed with the image's path, and ends with status 1.
  func checking<Result>(_ body: (EROFSImage) throws -> Result) throws -> Result {
    do {
      return try body(tree)
    } catch let error as EROFSError {
      throw Self.failure("\(path): \(error)")
    }
  }

  static func failure(_ message: String) -> ExitCode {
    Output.error.line("gup: \(message)")
    return .failure
  }
}
