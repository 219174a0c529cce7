import ArgumentParser
import Foundation
import UserPagesEROFS

/// `gup image verify IMAGE [PATH]`.
struct ImageVerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Checks an image: every inode, directory, link and block address.",
    discussion: """
      Prints one line for each thing that is wrong, then what was found. The format keeps no checksums of the files' data, \
      so their bytes are not checked, only that they are inside the image. Compressed files are reported: they cannot be \
      read. Link counts are checked where the whole image is. Takes at most 64 MiB of memory, whatever the image says.
      """
  )

  @Argument(help: "The image.", completion: .file())
  var image: String

  @Argument(help: "Where to begin.")
  var path = "/"

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let opened = try OpenedImage(image)
    let report = try opened.checking { tree in tree.verify(from: try tree.inode(at: path, followLast: false)) }
    json ? printJSON(report) : printText(report)
    if report.problemCount > 0 { throw ExitCode.failure }
  }

  private func name(of problem: EROFSImage.Report.Problem) -> String {
    problem.path.isEmpty ? path : PrintedName.text(problem.path)
  }

  private func printText(_ report: EROFSImage.Report) {
    for problem in report.problems { Output.standard.line("\(name(of: problem)): \(problem.error)") }
    let unprinted = report.problemCount - report.problems.count
    if unprinted > 0 { Output.standard.line("... and \(unprinted) more") }
    let files = report.files.sorted { $0.key.rawValue < $1.key.rawValue }
      .map { "\($0.key): \($0.value)" }.joined(separator: ", ")
    Output.standard.line(
      """
      \(report.names) names (\(files)), \(report.bytes) bytes in \(report.blocks) blocks, \(report.tails) tails, \
      \(report.holes) pages of holes: \(report.problemCount == 0 ? "ok" : "\(report.problemCount) wrong")
      """)
  }

  private func printJSON(_ report: EROFSImage.Report) {
    let record = Record(
      names: report.names,
      files: Dictionary(uniqueKeysWithValues: report.files.map { ($0.key.description, $0.value) }),
      bytes: report.bytes, blocks: report.blocks, tails: report.tails, holes: report.holes,
      problemCount: report.problemCount,
      problems: report.problems.map { Record.Problem(path: name(of: $0), message: $0.error.description) })
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // A record of strings and numbers can always be encoded.
    if let text = try? encoder.encode(record) { Output.standard.line(String(decoding: text, as: UTF8.self)) }
  }

  private struct Record: Encodable {
    struct Problem: Encodable {
      let path: String
      let message: String
    }

    let names: Int
    let files: [String: Int]
    let bytes: Int
    let blocks: Int
    let tails: Int
    let holes: Int
    let problemCount: Int
    let problems: [Problem]
  }
}
