import UserPages

extension ScenarioMachine {
  func execute(_ statement: FileStatement) throws(PageError) -> Outcome {
    switch statement {
    case .truncate(let name, let byteCount):
      if let disk = diskFiles[name] {
        try disk.cache.setByteCount(byteCount)
      } else if let file = files[name] {
        try file.setByteCount(byteCount)
      } else {
        throw images[name] == nil ? .invalidArgument : .readOnly
      }
    case .punch(let name, let page, let count):
      // As fallocate(2): no hole has no pages.
      guard count > 0 else { throw .invalidArgument }
      if let disk = diskFiles[name] {
        try disk.cache.punchHole(page..<page + count)
      } else if let file = files[name] {
        try file.punchHole(page..<page + count)
      } else {
        throw images[name] == nil ? .invalidArgument : .readOnly
      }
    case .sync(let name):
      guard let disk = diskFiles[name] else { throw .invalidArgument }
      try disk.cache.sync()
    case .onDisk(let name, let offset, let count):
      guard let disk = diskFiles[name] else { throw .invalidArgument }
      return .bytes(try disk.bytesOnDisk(at: offset, count: count))
    case .cached(let name):
      if let disk = diskFiles[name] { return .number(disk.cache.residentPages) }
      guard let file = files[name] else { throw .invalidArgument }
      return .number(file.cachedPages)
    case .reclaim(let pages):
      return .number(memory.reclaim(pages: pages))
    }
    return .ok
  }
}
