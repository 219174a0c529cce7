import Glibc
import Measuring
import UserPages

/// Where the program's areas lie in its address space.
enum Areas {
  static let pool: VirtualAddress = 0x10_0000_0000
  static let log: VirtualAddress = 0x20_0000_0000
  static let scan: VirtualAddress = 0x30_0000_0000
  static let sort: VirtualAddress = 0x40_0000_0000

  static let scanPages = 64
}

extension Failure {
  /// The library refused what a correct program may ask for.
  init(_ action: String, _ error: PageError) {
    self.init("\(action): \(error.name)")
  }
}

/// A database's direct I/O: pins the frames, lets the disk transfer, releases the pins. During a run nothing else in this program
/// reads or writes a page of the database or of the log.
enum Transfer {
  /// Reads page `number` into the page at `address` and verifies it.
  @inline(__always)
  static func read(
    _ number: Int, _ kind: PageKind, to address: VirtualAddress, _ space: AddressSpace, _ storage: Storage,
    _ meter: inout PinMeter
  ) throws(Failure) {
    let began = meter.begin()
    let pin: PinnedPage
    do { pin = try space.pin(at: address, .write) } catch { throw Failure("cannot pin a frame for reading", error) }
    meter.end(began)
    let bytes = pin.withUnsafeMutableBytes { $0.baseAddress! }
    try storage.read(number, into: bytes)
    if let defect = PageHeader.defect(bytes, number: number, kind: kind) {
      throw Failure("the database is corrupted: \(defect)")
    }
    let ended = meter.begin()
    pin.release(dirty: true)
    meter.end(ended)
  }

  /// Writes the page at `address` as page `number`. The caller's latch keeps its bytes as they are. `seal` gets the pinned bytes, to
  /// compute and store their checksum.
  @inline(__always)
  static func write(
    _ number: Int, from address: VirtualAddress, _ space: AddressSpace, _ storage: Storage, _ meter: inout PinMeter,
    seal: (UnsafeMutableRawPointer) throws(PageError) -> Void
  ) throws(Failure) {
    let began = meter.begin()
    let pin: PinnedPage
    do { pin = try space.pin(at: address, .write) } catch { throw Failure("cannot pin a frame for writing", error) }
    meter.end(began)
    let bytes = pin.withUnsafeMutableBytes { $0.baseAddress! }
    do { try seal(bytes) } catch { throw Failure("cannot seal a page", error) }
    try storage.write(number, from: bytes)
    let ended = meter.begin()
    pin.release()
    meter.end(ended)
  }

  /// Writes `count` pages that lie side by side in the address space as pages `first` and so on, with one system call for
  /// each run of pages that one pin yields.
  static func write(
    _ count: Int, to first: Int, from address: VirtualAddress, _ space: AddressSpace, _ storage: Storage,
    _ meter: inout PinMeter, seal: (Int, UnsafeMutableRawPointer) throws(PageError) -> Void
  ) throws(Failure) {
    var done = 0
    while done < count {
      // The seal is stored through the pin.
      let pins = try pin(count - done, at: address + done * Page.size, .write, space, &meter)
      let run = pins.count
      do throws(PageError) {
        for index in 0..<run { try seal(done + index, pins.withUnsafeMutableBytes(at: index) { $0.baseAddress! }) }
      } catch { throw Failure("cannot seal a page", error) }
      try withIOVectors(pins) { (vectors) throws(Failure) in
        try storage.transfer(vectors, at: first + done, writing: true)
      }
      let ended = meter.begin()
      pins.release()
      meter.end(ended)
      done += run
    }
  }

  /// Reads `count` pages from page `first` on into pages that lie side by side in the address space.
  static func read(
    _ count: Int, from first: Int, to address: VirtualAddress, _ space: AddressSpace, _ storage: Storage,
    _ meter: inout PinMeter
  ) throws(Failure) {
    var done = 0
    while done < count {
      let pins = try pin(count - done, at: address + done * Page.size, .write, space, &meter)
      try withIOVectors(pins) { (vectors) throws(Failure) in
        try storage.transfer(vectors, at: first + done, writing: false)
      }
      done += pins.count
      let ended = meter.begin()
      pins.release(dirty: true)
      meter.end(ended)
    }
  }

  private static func pin(
    _ count: Int, at address: VirtualAddress, _ options: PinOptions, _ space: AddressSpace, _ meter: inout PinMeter
  ) throws(Failure) -> PinnedPages {
    let began = meter.begin()
    let pins: PinnedPages
    do { pins = try space.pin(at: address, pages: count, options) } catch {
      throw Failure("cannot pin \(count) frames", error)
    }
    meter.end(began)
    if pins.count == 0 { throw Failure("cannot pin any of \(count) frames") }
    return pins
  }

  @inline(__always)
  private static func withIOVectors(
    _ pins: borrowing PinnedPages, _ body: (UnsafeBufferPointer<iovec>) throws(Failure) -> Void
  ) throws(Failure) {
    var vectors = InlineArray<64, iovec>(repeating: iovec())
    var span = vectors.mutableSpan
    for index in 0..<pins.count {
      let address = pins.withUnsafeBytes(at: index) { UnsafeMutableRawPointer(mutating: $0.baseAddress!) }
      span[index] = iovec(iov_base: address, iov_len: Page.size)
    }
    let count = pins.count
    try span.withUnsafeBufferPointer { (all) throws(Failure) in
      try body(UnsafeBufferPointer(rebasing: all[..<count]))
    }
  }
}
