import Glibc

/// What the operating system says about one file: the truth that an image is compared with.
struct SourceFile {
  let mode: UInt32
  let size: Int
  let links: UInt32
  let owner: UInt32
  let group: UInt32
  let device: UInt64
  let inode: UInt64
  let seconds: Int

  init?(_ path: [UInt8]) {
    var status = stat()
    guard lstat(Self.terminated(path), &status) == 0 else { return nil }
    mode = status.st_mode
    size = Int(status.st_size)
    links = UInt32(status.st_nlink)
    owner = status.st_uid
    group = status.st_gid
    device = UInt64(status.st_rdev)
    inode = UInt64(status.st_ino)
    seconds = status.st_mtim.tv_sec
  }

  static func names(in path: [UInt8]) -> [[UInt8]] {
    guard let directory = opendir(terminated(path)) else { return [] }
    defer { closedir(directory) }
    var names: [[UInt8]] = []
    // Copying a whole `dirent` would read past the end of the library's buffer.
    let start = MemoryLayout.offset(of: \dirent.d_name) ?? 0
    while let entry = readdir(directory) {
      let text = UnsafeRawPointer(entry) + start
      let name = Array(UnsafeRawBufferPointer(start: text, count: strlen(text.assumingMemoryBound(to: CChar.self))))
      if name != Array(".".utf8), name != Array("..".utf8) { names.append(name) }
    }
    return names
  }

  static func target(of path: [UInt8]) -> [UInt8]? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(terminated(path), &buffer, buffer.count)
    return count < 0 ? nil : buffer.prefix(count).map { UInt8(bitPattern: $0) }
  }

  static func contents(of path: [UInt8]) -> [UInt8]? {
    let descriptor = open(terminated(path), O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    let size = Int(lseek(descriptor, 0, SEEK_END))
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, filled in
      while filled < size {
        let count = pread(descriptor, buffer.baseAddress! + filled, size - filled, filled)
        guard count > 0 else { break }
        filled += count
      }
    }
    return bytes.count == size ? bytes : nil
  }

  static func terminated(_ path: [UInt8]) -> [CChar] {
    path.map { CChar(bitPattern: $0) } + [0]
  }
}
