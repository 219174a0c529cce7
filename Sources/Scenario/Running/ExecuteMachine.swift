import UserPages
import UserPagesEROFS

extension ScenarioMachine {
  func execute(_ statement: MachineStatement) throws(PageError) -> Outcome {
    switch statement {
    case .memory, .swap:
      // The initializer of the machine has used them.
      break
    case .image(let name, .filled(let pages, let byte)):
      images[name] = try Image(memory, pages: pages) { page in byte ?? UInt8(truncatingIfNeeded: page + 1) }
    case .image(let name, .copied(_, let bytes)):
      // An image is whole pages, so read(2) shows the padding too.
      let padding = (Page.size - bytes.count % Page.size) % Page.size
      images[name] = try Image(memory, contents: bytes + [UInt8](repeating: 0, count: padding))
    case .file(let name, .filled(let pages, let byte)):
      files[name] = try PageCacheFile(
        memory, pages: pages, fill: byte ?? 0, maximumPages: Int(Limits.memoryPages))
    case .file(let name, .copied(_, let bytes)):
      files[name] = try PageCacheFile(memory, contents: bytes, maximumPages: Int(Limits.memoryPages))
    case .diskFile(let name, let contents):
      diskFiles[name] = try DiskFile(
        memory, contents, limit: memoryPages, maximumPages: Int(Limits.memoryPages))
    case .device(let name, let pages):
      devices[name] = try DeviceRange(memory, pages: pages)
    case .erofs(let name, _, let bytes):
      let image = try Image(memory, contents: bytes)
      do throws(EROFSError) { volumes[name] = try EROFSVolume(image) } catch { throw .invalidArgument }
    }
    return .ok
  }
}
