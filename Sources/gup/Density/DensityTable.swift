import Foundation

/// The result as text.
struct DensityTable {
  let result: DensityResult

  var lines: [String] {
    let own = String(format: "%.0f-byte", result.descriptorBytes)
    let origin = result.tree.map { ", of \($0)" } ?? ""
    var lines = [
      "image: \(mebibytes(result.imageBytes)) MiB, \(result.imagePages) pages\(origin)",
      "memory beside the image, in MiB, as the kernel counts it:",
      row(
        "guests", "tables", "machines", own + " descriptors", "64-byte descriptors", "tables / image", "64-byte / image"
      ),
    ]
    for point in result.points {
      lines.append(
        row(
          String(point.guests), mebibytes(point.special), "+ " + mebibytes(point.machine),
          "+ " + mebibytes(point.descriptors), "+ " + mebibytes(point.linuxDescriptors),
          overImage(point.special, digits: 4), overImage(point.linuxDescriptors, digits: 2)))
    }
    if let guests = result.outweighedAt {
      lines.append("64-byte descriptors outweigh the image at \(guests) guests or before")
    }
    let fit = result.fit
    lines.append(
      """
      guests of \(mebibytes(fit.guestMemory)) MiB each that fit in \(mebibytes(fit.memory)) MiB with the image: \
      \(fit.special) with special entries, \(fit.descriptors) with \(own) descriptors, \
      \(fit.linuxDescriptors) with 64-byte descriptors
      """)
    return lines
  }

  private func overImage(_ bytes: Int, digits: Int) -> String {
    String(format: "%.\(digits)f", Double(bytes) / Double(max(1, result.imageBytes)))
  }

  private func mebibytes(_ bytes: Int) -> String { String(format: "%.1f", Double(bytes) / 1_048_576) }

  private func row(_ cells: String...) -> String {
    zip(cells, [8, 9, 11, 22, 22, 17, 18]).map { cell, width in
      String(repeating: " ", count: max(0, width - cell.count)) + cell
    }.joined()
  }
}
