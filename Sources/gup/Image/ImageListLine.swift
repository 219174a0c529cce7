import Foundation
import UserPagesEROFS

/// One line of `gup image ls`.
struct ImageListLine {
  let inode: EROFSImage.Inode
  let name: [UInt8]
  /// A symbolic link's.
  let target: [UInt8]?

  var text: String {
    let size = inode.device.map { "\($0.major),\($0.minor)" } ?? String(inode.size)
    let columns = [
      String(inode.type.letter) + permissions, right(inode.linkCount, 3), right(inode.owner, 5), right(inode.group, 5),
      right(size, 10), layout.padding(toLength: 10, withPad: " ", startingAt: 0), PrintedName.text(name),
    ]
    return columns.joined(separator: " ") + (target.map { " -> " + PrintedName.text($0) } ?? "")
  }

  var json: String {
    let record = Record(
      name: PrintedName.text(name), type: inode.type.description, permissions: String(inode.permissions, radix: 8),
      links: inode.linkCount, owner: inode.owner, group: inode.group, size: inode.size,
      modified: inode.modificationTime, inode: inode.node.rawValue, layout: layout,
      target: target.map(PrintedName.text))
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // A record of strings and numbers can always be encoded.
    return (try? encoder.encode(record)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
  }

  private struct Record: Encodable {
    let name: String
    let type: String
    let permissions: String
    let links: UInt32
    let owner: UInt32
    let group: UInt32
    let size: Int
    let modified: UInt64
    let inode: UInt64
    let layout: String
    let target: String?
  }

  private var layout: String {
    switch inode.layout {
    case .none: "-"
    case .blocks: "blocks"
    case .blocksAndTail: "tail"
    case .chunks: "chunks"
    case .compressed: "compressed"
    }
  }

  /// The nine letters of `ls -l`, with set-user-ID, set-group-ID and sticky in their places.
  private var permissions: String {
    var letters = (0..<9).map { index -> Character in
      inode.permissions & (0o400 >> UInt16(index)) != 0 ? ["r", "w", "x"][index % 3] : "-"
    }
    for (bit, place, letter) in [(UInt16(0o4000), 2, "s"), (0o2000, 5, "s"), (0o1000, 8, "t")]
    where inode.permissions & bit != 0 {
      letters[place] = Character(letters[place] == "x" ? letter : letter.uppercased())
    }
    return String(letters)
  }

  private func right(_ value: some CustomStringConvertible, _ width: Int) -> String {
    let text = value.description
    return String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
