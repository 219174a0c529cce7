import ArgumentParser
import UserPagesEROFS

/// `gup image ls IMAGE [PATH]`.
struct ImageListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls",
    abstract: "Lists files: type and permissions, links, owner, group, size, layout, name.",
    discussion: """
      The layout says where a file's data are: 'blocks' (mapped in place), 'tail' (the last page packed beside the inode), \
      'chunks', 'compressed' (cannot be read), or '-' for none.
      """
  )

  @Argument(help: "The image.", completion: .file())
  var image: String

  @Argument(help: "What to list: a directory's files, or one file.")
  var path = "/"

  @Flag(name: [.short, .long, .customShort("R")], help: "List directories within directories, too.")
  var recursive = false

  @Flag(help: "Print JSON lines.")
  var json = false

  func run() throws {
    let opened = try OpenedImage(image)
    var failed = false
    try opened.checking { tree in
      let start = try tree.inode(at: path, followLast: true)
      try tree.walk(from: start) { (visit, result) throws(EROFSError) in
        switch result {
        case .success(let inode):
          if visit.depth > 0 || inode.type != .directory, let error = list(inode, visit, in: tree) {
            failed = complain(visit, error)
          }
          return recursive || visit.depth == 0
        case .failure(let error):
          failed = complain(visit, error)
          return false
        }
      } failed: { (visit, error) throws(EROFSError) in
        failed = complain(visit, error)
      }
    }
    if failed { throw ExitCode.failure }
  }

  private func complain(_ visit: EROFSImage.Visit, _ error: EROFSError) -> Bool {
    Output.error.line("gup: \(image): \(PrintedName.text(name(of: visit))): \(error)")
    return true
  }

  /// The name below the path that was asked for, or that path itself.
  private func name(of visit: EROFSImage.Visit) -> [UInt8] {
    visit.path.isEmpty ? Array(path.utf8) : visit.path
  }

  /// Prints a file's line. Returns what is wrong with its link target, if anything is.
  private func list(_ inode: EROFSImage.Inode, _ visit: EROFSImage.Visit, in tree: EROFSImage) -> EROFSError? {
    var target: [UInt8]?
    var problem: EROFSError?
    if inode.type == .symbolicLink {
      do throws(EROFSError) { target = try tree.target(of: inode) } catch { problem = error }
    }
    let line = ImageListLine(inode: inode, name: name(of: visit), target: target)
    Output.standard.line(json ? line.json : line.text)
    return problem
  }
}
