import UserPages

extension ScenarioMachine {
  func execute(_ statement: MirrorStatement) throws(PageError) -> Outcome {
    switch statement {
    case .mirror(let name, let space, let range, let writes):
      guard mirrors[name] == nil else { throw .busy }
      mirrors[name] = try self.space(space).mirror(at: range.start, pages: range.pages, for: writes ? .write : .read)
      return .ok
    case .read(let name, let offset, let count):
      let mirror = try mirror(name)
      return .bytes(try mirror.load(at: mirror.range.lowerBound + offset, count: count))
    case .write(let name, let offset, let bytes):
      let mirror = try mirror(name)
      try mirror.store(bytes.bytes, at: mirror.range.lowerBound + offset)
      return .ok
    case .valid(let name, let page):
      let mirror = try mirror(name)
      let isValid = mirror.holdsTranslation(at: mirror.range.lowerBound + page * Page.size)
      return .words(isValid ? "yes" : "no")
    }
  }

  private func mirror(_ name: String) throws(PageError) -> Mirror {
    guard let mirror = mirrors[name] else { throw .invalidArgument }
    return mirror
  }
}
