import ArgumentParser
import Foundation
import UserPages

/// The image that a subcommand works on, mounted from a real file.
struct OpenedImage {
  let volume: ErofsVolume
  private let path: String
  private let memory: PhysicalMemory

  var tree: ErofsImage { volume.tree }

  /// Opens an image, or says why not and ends with status 1.
  init(_ path: String) throws {
    self.path = path
    do {
      // Nothing is copied into RAM: the image's frame numbers lead to the real file's pages.
      memory = try PhysicalMemory(ramPages: 16)
      volume = try ErofsVolume(try Image(memory, path: path))
    } catch {
      throw Self.failure("\(path): \(Self.reason(error))")
    }
  }

  /// Runs `body`; what the image cannot answer is said, with the image's name, and ends with status 1.
  func checking<Result>(_ body: (ErofsImage) throws -> Result) throws -> Result {
    do {
      return try body(tree)
    } catch let error as ErofsError {
      throw Self.failure("\(path): \(error)")
    }
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case PageError.file: "cannot be opened: \(error)"
    case PageError.invalidArgument: "is empty or no regular file"
    case PageError.outOfMemory: "is larger than physical memory can be"
    default: "\(error)"
    }
  }

  static func failure(_ message: String) -> ExitCode {
    Output.error.line("gup: \(message)")
    return .failure
  }
}
