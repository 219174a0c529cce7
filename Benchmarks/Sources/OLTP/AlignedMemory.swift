import UserPages

/// Ordinary page-aligned memory, zeroed when it is made.
final class AlignedMemory: @unchecked Sendable {
  // Sendable: the address never changes; which thread writes where is its users' agreement.
  let bytes: UnsafeMutableRawBufferPointer

  init(pages: Int) {
    bytes = .allocate(byteCount: pages * Page.size, alignment: Page.size)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit {
    bytes.deallocate()
  }

  var address: UnsafeMutableRawPointer { bytes.baseAddress! }
}
