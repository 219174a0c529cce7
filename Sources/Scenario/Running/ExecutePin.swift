import UserPages

extension ScenarioMachine {
  func execute(_ statement: PinStatement) throws(PageError) -> Outcome {
    switch statement {
    case .pin(let name, let space, let range, let options):
      return .number(
        try hold(name) { () throws(PageError) in
          try self.space(space).pin(at: range.start, pages: range.pages, options.pinOptions)
        })
    case .get(let name, let space, let range, let options):
      return .number(
        try hold(name) { () throws(PageError) in
          try self.space(space).get(at: range.start, pages: range.pages, options.pinOptions)
        })
    case .release(let name, let dirty):
      let held = try pages(name)
      pins[name] = nil
      held.release(dirty: dirty)
      return .ok
    case .peek(let name, let offset, let count):
      return .bytes(try peek(try pages(name), offset, count))
    case .poke(let name, let offset, let bytes):
      try poke(try pages(name), offset, bytes.bytes)
      return .ok
    }
  }

  /// Gives what `body` pins the name, and returns how many pages those are.
  private func hold(_ name: String, _ body: () throws(PageError) -> PinnedPages) throws(PageError) -> Int {
    guard pins[name] == nil else { throw .busy }
    let pages = try body()
    let count = pages.count
    pins[name] = HeldPages(pages)
    return count
  }

  private func pages(_ name: String) throws(PageError) -> HeldPages {
    guard let pages = pins[name] else { throw .invalidArgument }
    return pages
  }

  private func peek(_ held: HeldPages, _ offset: Int, _ count: Int) throws(PageError) -> [UInt8] {
    var bytes: [UInt8] = []
    try held.forEachPiece(offset: offset, count: count) { page, inPage, piece in
      bytes += page.copy(fromByteOffset: inPage, count: piece.count)
    }
    return bytes
  }

  private func poke(_ held: HeldPages, _ offset: Int, _ bytes: [UInt8]) throws(PageError) {
    try held.forEachPiece(offset: offset, count: bytes.count) { page, inPage, piece in
      page.copy(Array(bytes[piece]), toByteOffset: inPage)
    }
  }
}

extension Set<PinOption> {
  var pinOptions: PinOptions {
    var options: PinOptions = []
    if contains(.write) { options.insert(.write) }
    if contains(.longTerm) { options.insert(.longTerm) }
    if contains(.force) { options.insert(.force) }
    if contains(.fast) { options.insert(.fastOnly) }
    return options
  }
}
