import ArgumentParser

/// `gup image cat IMAGE PATH...`.
struct ImageCatCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cat",
    abstract: "Prints the bytes of files."
  )

  @Argument(help: "The image.", completion: .file())
  var image: String

  @Argument(help: "The files.")
  var paths: [String]

  private static let piece = 1 << 20

  func run() throws {
    let opened = try OpenedImage(image)
    for path in paths where Output.standard.firstFailure == nil {
      try opened.checking { tree in
        let inode = try tree.inode(at: path)
        guard inode.type == .regular else {
          throw OpenedImage.failure("\(image): \(path): is a \(inode.type), no regular file")
        }
        var offset = 0
        while offset < inode.size {
          let bytes = try tree.read(inode, at: offset, count: Self.piece)
          guard !bytes.isEmpty else { break }
          // The rest would be lost, too. `Gup.main` says why.
          guard (try? Output.standard.write(bytes)) != nil else { return }
          offset += bytes.count
        }
      }
    }
  }
}
