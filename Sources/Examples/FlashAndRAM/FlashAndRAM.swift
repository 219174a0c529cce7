import Synchronization
import UserPages

/// A backing that owns frames: the code of a program stays in flash, and its data is in RAM.
///
///     swift run example-flash-and-ram
///
/// One mixed mapping shows both. A page of code is a bare frame number: no memory is allocated for it, and it cannot be
/// pinned. A page of data is a frame of the backing's own, allocated on the first touch and counted: it can be pinned,
/// and it is freed with the last of the backing, the entries and the pins.
final class Firmware: Backing {
  private let memory: PhysicalMemory
  private let flash: Image
  private let codePages: Int
  private let data = Mutex<[Int: DataPage]>([:])

  /// A frame in a class, so that a dictionary can hold it.
  private final class DataPage: Sendable {
    let frame: FrameReference
    init(_ frame: consuming FrameReference) { self.frame = frame }
  }

  init(_ memory: PhysicalMemory, flash: Image, codePages: Int) {
    self.memory = memory
    self.flash = flash
    self.codePages = codePages
  }

  var pageCount: Int { flash.pageCount }

  func fault(page: Int, write: Bool) -> FaultAnswer {
    guard page >= 0, page < pageCount else { return .busError }
    if page < codePages { return write ? .busError : .frameNumber(flash.firstPFN + page, writable: false) }
    do {
      // The answer takes one reference with it, for the entry. The backing keeps its own.
      return .frame(try dataPage(page).frame.retain())
    } catch {
      return .outOfMemory
    }
  }

  private static func fill(_ frame: borrowing FrameReference, with contents: [UInt8]) {
    frame.bytes.copy(from: contents.span.bytes)
  }

  /// The data page, with the contents that flash gives it at first.
  private func dataPage(_ page: Int) throws -> DataPage {
    if let known = data.withLock({ $0[page] }) { return known }
    let initial = try flash.read(at: page * Page.size, count: Page.size)
    let frame = try memory.allocate()
    Self.fill(frame, with: initial)
    let new = DataPage(frame)
    return data.withLock { data in
      // Another fault may have been faster. Then this one's frame is freed here.
      if let known = data[page] { return known }
      data[page] = new
      return new
    }
  }
}

@main
struct Example {
  static func main() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let free = memory.freePages
    let base: VirtualAddress = 0x4000_0000
    do {
      let flash = try Image(memory, pages: 4) { UInt8($0 + 1) }
      let space = AddressSpace(memory)
      try space.map(
        at: base, pages: 4, protection: .readWrite, sharing: .shared,
        backing: .mixed(Firmware(memory, flash: flash, codePages: 2)))

      let code = try space.load(at: base, as: UInt8.self)
      try space.store(UInt8(9), at: base + 2 * Page.size)
      print("code \(code) by a \(space.entry(at: base)) entry")
      print("data by a \(space.entry(at: base + 2 * Page.size)) entry; \(free - memory.freePages) frame in use")
      precondition(free - memory.freePages == 1, "only the data page that was touched takes a frame")
      try space.pin(at: base + 2 * Page.size, .write).release()
      do {
        try space.pin(at: base).release()
        preconditionFailure("a bare frame number was pinned")
      } catch {
        print("a pin of code: \(error)")
      }
      space.exit()
    }
    memory.flushDeferredFrees()
    precondition(memory.freePages == free, "the backing's frames ended with it")
  }
}
