import Foundation
import Scenario

/// The file of the running kernel that is mapped by frame number (VM_PFNMAP), as a device is.
///
/// It holds the kernel's own types (BTF). Linux maps it since 6.16, from its first page, private and for reading. The
/// entries are there at once, and a mapping of it never becomes writable: that is `EACCES`. Programs map it as
/// `pfn:NAME` after `image NAME from PATH`, so the library's image holds the same bytes.
enum FrameNumberFile {
  /// `frame_number_file` of `oracle.h`.
  static let path = "/sys/kernel/btf/vmlinux"
  /// The most pages of a mapping: `frame_number_pages`.
  static let mostPages = 16

  /// The statement that makes the image `name`. The image is empty if the kernel has no such file.
  static func image(_ name: String) -> Statement { .machine(.image(name: name, .copied(path: path, bytes: bytes))) }

  private static let bytes = [UInt8]((try? Data(contentsOf: URL(fileURLWithPath: path))) ?? Data())
}

/// Where the spaces of a program may have memory of the frame number file: at least everywhere it is.
struct FrameNumberRanges {
  private var ranges: [String: [ClosedRange<UInt64>]] = [:]

  /// Adds what a statement may map or move there. An unmapped range stays, since another statement may have refused.
  ///
  /// - Parameter devices: the names of the program's devices. Their mappings may become writable.
  mutating func note(_ statement: SpaceStatement, _ devices: Set<String>) {
    switch statement {
    case .map(let map):
      if case .pfn(let name) = map.backing, !devices.contains(name) {
        ranges[map.space, default: []].append(map.range.bytes)
      }
    case .remap(let space, let from, let to, _):
      if overlap(from, of: space) { ranges[space, default: []].append(to.bytes) }
    case .fork(let parent, let child): ranges[child, default: []] += ranges[parent] ?? []
    default: break
    }
  }

  func overlap(_ range: PageRange, of space: String) -> Bool {
    ranges[space]?.contains { $0.overlaps(range.bytes) } ?? false
  }
}

extension PageRange {
  /// At least one byte; not beyond the last address.
  var bytes: ClosedRange<UInt64> {
    let (count, overflows) = UInt64(max(pages, 0)).multipliedReportingOverflow(by: 4096)
    return Self.bytes(from: address, overflows ? .max : count)
  }

  static func bytes(from address: UInt64, _ count: UInt64) -> ClosedRange<UInt64> {
    let (end, overflows) = address.addingReportingOverflow(max(count, 1) - 1)
    return address...(overflows ? .max : end)
  }
}
