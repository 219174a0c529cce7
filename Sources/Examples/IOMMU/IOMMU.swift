// A device that faults: a network card with rings in the program's memory, behind an IOMMU that pins nothing.
//
// A real card with page requests (PRI), or RDMA with on-demand paging, translates by a table of its own. A miss asks
// the operating system for the page, and an invalidation takes translations back. Here the table is a mirror. So the
// driver may fork, page out, move and unmap the buffers while the card works, and the card sees what the program has at
// that moment. With pins, none of this would be possible.

import Foundation
import UserPages

/// What the card knows of memory: I/O addresses are offsets into one mirrored range, its domain.
final class IOMMU: Sendable {
  private let domain: Mirror

  init(domain: Mirror) { self.domain = domain }

  /// A read or write by the card. A miss faults the page in, as a page request does. An address that the program does
  /// not map is a fault that the card sees as an error.
  func read(_ address: Int, count: Int) throws(PageError) -> [UInt8] {
    try domain.load(at: domain.range.lowerBound + address, count: count)
  }

  func read<T: FixedWidthInteger & BitwiseCopyable>(_ address: Int, as type: T.Type = T.self) throws(PageError) -> T {
    try domain.load(at: domain.range.lowerBound + address)
  }

  func write(_ bytes: [UInt8], to address: Int) throws(PageError) {
    try domain.store(bytes, at: domain.range.lowerBound + address)
  }

  func write<T: FixedWidthInteger & BitwiseCopyable>(_ value: T, to address: Int) throws(PageError) {
    try domain.store(value, at: domain.range.lowerBound + address)
  }

  /// How many of the first `pages` pages have a translation at this moment.
  func translations(amongFirst pages: Int) -> Int {
    (0..<pages).count { domain.holdsTranslation(at: domain.range.lowerBound + $0 * Page.size) }
  }
}

/// A ring of descriptors in page 0: the driver's index, the card's index, then a buffer's address and length each. The
/// card sends every buffer back upside down.
struct Card {
  static let slots = 16
  let iommu: IOMMU

  /// Handles what the driver has queued. Returns how many buffers.
  func poll() throws(PageError) -> Int {
    let tail: UInt32 = try iommu.read(0)
    var head: UInt32 = try iommu.read(4)
    var handled = 0
    while head != tail {
      let descriptor = 16 + 16 * (Int(head) % Self.slots)
      let (address, count) = (Int(try iommu.read(descriptor) as UInt64), Int(try iommu.read(descriptor + 8) as UInt64))
      try iommu.write(try iommu.read(address, count: count).reversed(), to: address)
      head &+= 1
      // After the bytes: the driver that sees the index sees them.
      try iommu.write(head, to: 4)
      handled += 1
    }
    return handled
  }
}

/// The driver's side: the program's own loads and stores.
struct Driver {
  let space: AddressSpace
  let start: VirtualAddress

  func submit(_ text: String, buffer: Int) throws(PageError) {
    let bytes = [UInt8](text.utf8)
    let tail: UInt32 = try space.load(at: start)
    let descriptor = start + 16 + 16 * (Int(tail) % Card.slots)
    try space.store(bytes, at: start + buffer)
    try space.store(UInt64(buffer), at: descriptor)
    try space.store(UInt64(bytes.count), at: descriptor + 8)
    try space.store(tail &+ 1, at: start)
  }

  func result(count: Int, buffer: Int) throws(PageError) -> String {
    String(decoding: try space.load(at: start + buffer, count: count), as: UTF8.self)
  }
}

@main
struct Example {
  static let pages = 64
  static let buffer = 5 * Page.size - 3

  static func main() throws {
    let memory = try PhysicalMemory(ramPages: 256, swapFile: .temporary(pages: 256))
    let space = AddressSpace(memory)
    try space.map(at: 0x1000_0000, pages: pages, protection: .readWrite)
    let driver = Driver(space: space, start: 0x1000_0000)
    let iommu = IOMMU(domain: try space.mirror(at: driver.start, pages: pages, for: .write))
    let card = Card(iommu: iommu)

    func exchange(_ text: String, _ what: String) throws {
      try driver.submit(text, buffer: buffer)
      guard try card.poll() == 1 else { throw Wrong(what: what) }
      let answer = try driver.result(count: text.utf8.count, buffer: buffer)
      guard answer == String(text.reversed()) else { throw Wrong(what: "\(what): \(answer)") }
      print("\(what): \(iommu.translations(amongFirst: pages)) translations, the card answers \(answer)")
    }

    try exchange("first use", "faulted in")
    try exchange("second use", "translated")
    // What a pinned buffer would refuse or get wrong.
    try space.advise(at: driver.start, pages: pages, .pageOut)
    print("paged out: \(iommu.translations(amongFirst: pages)) translations")
    try exchange("out and in", "after page-out")
    let child = try space.fork()
    try exchange("parent only", "after fork")
    guard try child.load(at: driver.start + buffer, count: 10) == [UInt8]("ni dna tuo".utf8) else {
      throw Wrong(what: "the card's store reached the child")
    }
    child.exit()
    try space.unmap(at: driver.start + 5 * Page.size, pages: 1)
    do {
      _ = try iommu.read(buffer, count: 8)
      throw Wrong(what: "a page that is not mapped was read")
    } catch PageError.badAddress {
      print("after unmap: the card gets a fault (\(PageError.badAddress))")
    }
    let pins = memory.census().pins
    guard pins == 0 else { throw Wrong(what: "\(pins) pins") }
    print("no page was ever pinned")
    space.exit()
  }

  struct Wrong: Error, CustomStringConvertible {
    let what: String
    var description: String { "wrong: \(what)" }
  }
}
