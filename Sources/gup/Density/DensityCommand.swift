import ArgumentParser
import Foundation
import UserPages

/// `gup density [TREE]`.
struct DensityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "density",
    abstract: "Measures what guests that share one image pay for it, with special entries and with descriptors.",
    discussion: """
      Makes an EROFS image of a directory tree and a machine for each guest, attaches the image to each machine, and touches \
      every page of it. Tables are the nodes of the page tables; machines are all else that a guest costs beside the image. \
      Then each machine gets a descriptor for every page of the image: first this library's, then one of 64 \
      bytes, as Linux has. The memory is what the kernel counts for this process. Only the number of guests that fit is \
      calculated.

      Exit status: 0 if all went well, 1 if it could not be measured, 74 if the report could not be written.
      """
  )

  @Argument(help: "The directory tree; a few hundred megabytes of installed files if none is given.")
  var tree: String?

  @Option(help: "An EROFS image, in place of a tree.")
  var image: String?

  @Option(help: "How many guests.")
  var guests = 100

  @Option(help: "The memory that guests should fit in, in MiB.")
  var memory = 4096

  @Option(help: "Memory that each guest has for itself alone, in MiB.")
  var guestMemory = 16

  @Option(help: "Where to write a plot (SVG).", completion: .file(extensions: ["svg"]))
  var svg: String?

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    guard (1...10_000).contains(guests) else { throw ValidationError("--guests: from 1 to 10000") }
    let sizes = 1...(1 << 30)
    guard sizes.contains(memory), sizes.contains(guestMemory) else {
      throw ValidationError("--memory, --guest-memory: from 1 to \(sizes.upperBound)")
    }
    guard tree == nil || image == nil else { throw ValidationError("a tree or an image, not both") }
  }

  func run() throws {
    do {
      let image = try self.image.map(DensityImage.init(existing:)) ?? DensityImage(of: tree)
      // Whatever would end the command after the measurement ends it before.
      _ = try OpenedImage(image.path)
      let plot = try svg.map { try PlotFile($0, notOver: image.path) }
      let measurement = DensityMeasurement(
        image: image, guests: guests, memory: memory << 20, guestMemory: guestMemory << 20)
      let result = try measurement.run()
      if json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        Output.standard.line(String(decoding: try encoder.encode(result), as: UTF8.self))
      } else {
        DensityTable(result: result).lines.forEach(Output.standard.line)
      }
      try plot?.write(DensityPlot(result: result).svg)
    } catch let error as DensityImage.Failure {
      throw OpenedImage.failure(error.description)
    } catch let error as PlotFile.Failure {
      throw OpenedImage.failure(error.description)
    } catch let error as PageError {
      throw OpenedImage.failure("the guests do not fit in this process: \(error)")
    }
  }
}
