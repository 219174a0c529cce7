import ArgumentParser

/// `gup image ls|cat|verify IMAGE [PATH]`.
struct ImageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "image",
    abstract: "Looks into EROFS images that are not compressed.",
    discussion: """
      An image is a regular file or a block device. It is read, not mapped, so it may even be truncated meanwhile. Make one \
      with 'mkfs.erofs IMAGE DIRECTORY'.

      Exit status: 0 if all went well, 1 if the image or a path cannot be read or something is wrong in the image, 74 if the \
      output could not be written.
      """,
    subcommands: [ImageListCommand.self, ImageCatCommand.self, ImageVerifyCommand.self]
  )
}
