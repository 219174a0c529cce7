import UserPages
import UserPagesEROFS

extension ScenarioMachine {
  func execute(_ statement: AccessStatement) throws(PageError) -> Outcome {
    switch statement {
    case .read(let name, let address, let count):
      return .bytes(try space(name).load(at: VirtualAddress(address), count: count))
    case .write(let name, let address, let bytes):
      try space(name).store(bytes.bytes, at: VirtualAddress(address))
      return .ok
    case .readRemotely(let name, let address, let count):
      return .bytes(try space(name).readRemotely(at: VirtualAddress(address), count: count))
    case .writeRemotely(let name, let address, let bytes):
      let done = try space(name).writeRemotely(bytes.bytes, at: VirtualAddress(address))
      return done == bytes.bytes.count ? .ok : .number(done)
    case .readFile(let name, let offset, let count):
      if let file = files[name] { return .bytes(try file.read(at: offset, count: count)) }
      if let disk = diskFiles[name] { return .bytes(try disk.cache.read(at: offset, count: count)) }
      if let image = images[name] { return .bytes(try image.read(at: offset, count: count)) }
      throw .invalidArgument
    case .writeFile(let name, let offset, let bytes):
      if let file = files[name] {
        try file.write(bytes.bytes, at: offset)
        return .ok
      }
      if let disk = diskFiles[name] {
        try disk.cache.write(bytes.bytes, at: offset)
        return .ok
      }
      if let image = images[name] {
        try image.write(bytes.bytes, at: offset)
        return .ok
      }
      throw .invalidArgument
    case .readErofs(let name, let path, let offset, let count):
      let file = try erofsFile(name, path)
      do throws(EROFSError) {
        return .bytes(try file.read(at: offset, count: count))
      } catch {
        // The inode names a chunk outside the image.
        throw .invalidArgument
      }
    case .writeErofs(let name, let path, let offset, let bytes):
      try erofsFile(name, path).write(bytes.bytes, at: offset)
      return .ok
    }
  }
}
