import UserPages

/// The contents of one page. Several mappings of the same memory share the object.
final class ModelFrame {
  private let fill: UInt8
  // Made by the first write. Most pages of a large object are never written.
  private var written: [UInt8]?

  init(fill: UInt8 = 0) { self.fill = fill }

  var bytes: [UInt8] {
    get { written ?? [UInt8](repeating: fill, count: Page.size) }
    set { written = newValue }
  }

  func copy() -> ModelFrame {
    let copy = ModelFrame(fill: fill)
    copy.written = written
    return copy
  }
}

/// The kind of memory that a mapping shows.
enum ModelKind: Int, CaseIterable {
  case anonymous, file, mixed, pfnImage, pfnDevice

  /// Whether the mapping is by frame number. Pins and most advice refuse such mappings.
  var isPFN: Bool { self == .pfnImage || self == .pfnDevice }
}

/// One page of a mapping.
struct ModelPage {
  /// The number of the `map` call that made the mapping.
  var mapping: Int
  var kind: ModelKind
  var sharing: Sharing
  var protection: Protection
  /// The page of the mapped object.
  var offset: Int
  /// The object's contents. Nil beyond the end of the object, and for private anonymous memory.
  var source: ModelFrame?
  /// The private copy, if there is one.
  var own: ModelFrame?
  var inheritable = true

  /// The contents that a load sees. Nil if the load takes a bus error.
  var visible: ModelFrame? {
    if let own { return own }
    return kind == .anonymous && sharing == .private ? ModelFrame() : source
  }

  /// The contents that a store changes: the object's page, or a private copy, which this call makes.
  mutating func writable() -> ModelFrame? {
    if sharing == .shared { return source }
    if own == nil { own = visible?.copy() }
    return own
  }
}

/// An address space as a dictionary of pages. The library must look the same from outside.
final class ModelSpace {
  var pages: [Int: ModelPage] = [:]

  func fork() -> ModelSpace {
    let child = ModelSpace()
    for (number, page) in pages where page.inheritable {
      var page = page
      page.own = page.own?.copy()
      child.pages[number] = page
    }
    return child
  }

  /// Loads `count` bytes at the byte address `address`.
  func load(_ address: Int, _ count: Int) throws(PageError) -> [UInt8] {
    var result: [UInt8] = []
    for chunk in chunks(address, count) {
      let page = try accessible(chunk.page, for: .read)
      guard let frame = page.visible else { throw .busError }
      result += frame.bytes[chunk.range]
    }
    return result
  }

  /// Stores bytes. Pages before a fault stay written.
  func store(_ bytes: [UInt8], _ address: Int) throws(PageError) {
    var done = 0
    for chunk in chunks(address, bytes.count) {
      var page = try accessible(chunk.page, for: .write)
      guard let frame = page.writable() else { throw .busError }
      pages[chunk.page] = page
      frame.bytes.replaceSubrange(chunk.range, with: bytes[done..<done + chunk.range.count])
      done += chunk.range.count
    }
  }

  /// The frame that a pin of one page holds. The model has only pins that stay coherent: for writing, or long-term.
  func pin(_ number: Int, write: Bool) throws(PageError) -> ModelFrame {
    guard var page = pages[number], page.protection.contains(write ? .write : .read) else { throw .badAddress }
    guard let frame = page.writable() else { throw .badAddress }
    pages[number] = page
    return frame
  }

  func protect(_ range: Range<Int>, _ protection: Protection) throws(PageError) {
    for number in range {
      guard pages[number] != nil else { throw .outOfMemory }
      pages[number]?.protection = protection
    }
  }

  func dontNeed(_ range: Range<Int>) throws(PageError) {
    for number in range { pages[number]?.own = nil }
    if range.contains(where: { pages[$0] == nil }) { throw .outOfMemory }
  }

  func setInheritable(_ range: Range<Int>, _ inheritable: Bool) throws(PageError) {
    for number in range { pages[number]?.inheritable = inheritable }
    if range.contains(where: { pages[$0] == nil }) { throw .outOfMemory }
  }

  /// Moves pages. All of them must belong to one mapping.
  func remap(_ range: Range<Int>, to target: Int, newCount: Int) throws(PageError) {
    if target == range.lowerBound {
      for number in range.dropFirst(newCount) { pages[number] = nil }
      return
    }
    if target < range.upperBound && range.lowerBound < target + newCount { throw .invalidArgument }
    let moved = range.map { pages[$0] }
    for number in range { pages[number] = nil }
    for number in target..<target + newCount { pages[number] = nil }
    for (index, page) in moved.prefix(newCount).enumerated() { pages[target + index] = page }
    guard newCount > range.count, var last = moved[moved.count - 1] else { return }
    for index in range.count..<newCount {
      last.own = nil
      last.offset += 1
      pages[target + index] = last
    }
  }

  private func accessible(_ number: Int, for protection: Protection) throws(PageError) -> ModelPage {
    guard let page = pages[number], page.protection.contains(protection) else { throw .segmentationViolation }
    return page
  }

  private func chunks(_ address: Int, _ count: Int) -> [(page: Int, range: Range<Int>)] {
    var chunks: [(page: Int, range: Range<Int>)] = []
    var at = address
    while at < address + count {
      let start = at % Page.size
      let length = min(Page.size - start, address + count - at)
      chunks.append((at / Page.size, start..<start + length))
      at += length
    }
    return chunks
  }
}
