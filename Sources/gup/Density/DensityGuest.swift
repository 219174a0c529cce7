import UserPages

/// One guest: a machine of its own with the shared image attached, and a space that has touched every page of the
/// image.
final class DensityGuest {
  private let memory: PhysicalMemory
  private let image: Image
  private let space: AddressSpace
  private var described: DeviceRange?
  private var linuxDescriptors: [UInt64] = []

  private static let start = VirtualAddress(1 << 32)

  /// Words of a descriptor of 64 bytes, which is what Linux spends on each frame.
  private static let linuxWords = 64 / 8

  init(image path: String, pages: Int) throws {
    let stretches = pages / Page.pagesPerHuge + 1
    memory = try PhysicalMemory(ramPages: 16, spanPages: (2 * stretches + 16) * Page.pagesPerHuge)
    image = try Image(memory, path: path)
    space = AddressSpace(memory)
    try space.map(at: Self.start, pages: image.pageCount, protection: .read, backing: .mixed(image))
    for page in 0..<image.pageCount {
      _ = try space.load(at: Self.start + page * Page.size, as: UInt64.self)
    }
  }

  /// Page-table nodes in use.
  var tableNodes: Int { memory.census().tableNodes }

  /// Adds what the guest would need for the image without special entries: as many frames with descriptors.
  func describe() throws {
    described = try DeviceRange(memory, pages: image.pageCount)
  }

  /// Adds as many descriptors of Linux's size, and writes to each once, so that the kernel counts its memory.
  func describeAsLinuxDoes() {
    linuxDescriptors = [UInt64](repeating: 1, count: image.pageCount * Self.linuxWords)
  }

  func end() { space.exit() }
}
