import Foundation
import TestSupport
import Glibc
import SeededRandom

/// A small tree with one of everything that the format treats in its own way.
enum SampleTree {
  /// Sizes around every boundary that a layout knows.
  static let sizes = [0, 1, 31, 32, 2000, 4000, 4095, 4096, 4097, 8191, 8192, 8193, 65_536, 70_000, 1_000_003]

  /// The tree, made once for all tests and removed when they end. Nothing may write to it.
  static let path: Result<String, any Error> = Result {
    let directory = NSTemporaryDirectory() + "/erofs-tests-sample-\(getpid())"
    try make(in: directory)
    atexit {
      try? FileManager.default.removeItem(atPath: NSTemporaryDirectory() + "/erofs-tests-sample-\(getpid())")
    }
    return directory
  }

  private static func make(in directory: String) throws {
    let files = FileManager.default
    try files.createDirectory(atPath: directory, withIntermediateDirectories: true)
    var random = SplitMix64(seed: 1)
    for size in sizes {
      try write(random.bytes(size), to: directory + "/size-\(size)")
    }
    try write(Array("text\n".utf8), to: directory + "/text")
    chown(directory + "/text", 1234, 70_000)
    chmod(directory + "/text", 0o4751)
    link(directory + "/text", directory + "/text again")
    try makeLinks(in: directory)
    try makeDirectories(in: directory, &random)
    mkfifo(directory + "/pipe", 0o640)
    // Devices and foreign owners need a privilege that a test may not have; without it they are left out.
    mknod(directory + "/null", S_IFCHR | 0o666, makedev(1, 3))
    mknod(directory + "/disk", S_IFBLK | 0o660, makedev(259, 70_001))
    for name in ["size-0", "size-4000", "size-8193"] {
      setAttribute(
        of: directory + "/" + name, name: "user.sample", value: [UInt8](repeating: 0x61, count: 77))
    }
    // A time in the past, so that one taken from the image's own time would show.
    let past = timespec(tv_sec: 1_000_000_007, tv_nsec: 5)
    utimensat(AT_FDCWD, directory + "/size-1", [past, past], 0)
  }

  private static func makeLinks(in directory: String) throws {
    let targets = [
      "link": "text", "absolute": "/text", "dangling": "nowhere/at all", "loop": "loop", "ping": "pong", "pong": "ping",
      "to directory": "many", "up": "../../../..", "long": String(repeating: "x/", count: 2000) + "y",
    ]
    for (name, target) in targets {
      symlink(target, directory + "/" + name)
    }
  }

  private static func makeDirectories(in directory: String, _ random: inout SplitMix64) throws {
    let files = FileManager.default
    for name in ["empty", "many", "names", "deep"] {
      try files.createDirectory(atPath: directory + "/" + name, withIntermediateDirectories: true)
    }
    for index in 0..<1500 {
      let name = String(repeating: "n", count: Int(random.next() % 60)) + String(index, radix: 36)
      try write(Array(String(index).utf8), to: directory + "/many/" + name)
    }
    // The longest name that every version of mkfs.erofs takes.
    let longest = String(repeating: "ü", count: 127)
    for name in [longest, " ", "-", "a\nb", "\u{1}", ".hidden", "...", "~"] {
      try write(Array(name.utf8), to: directory + "/names/" + name)
    }
    let odd = Array("/names/".utf8) + [0xff, 0xfe, 0x80]
    let descriptor = open(SourceFile.terminated(Array(directory.utf8) + odd), O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
    if descriptor >= 0 { close(descriptor) }
    var path = directory + "/deep"
    for level in 0..<40 {
      path += "/\(level)"
      try files.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    try write(Array("bottom".utf8), to: path + "/file")
  }

  static func write(_ bytes: [UInt8], to path: String) throws {
    // Foundation's way waits for the disk with every file.
    let descriptor = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Tool.Failure(description: "cannot make \(path)") }
    defer { close(descriptor) }
    guard Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
      throw Tool.Failure(description: "cannot write \(path)")
    }
  }

  private static func makedev(_ major: UInt, _ minor: UInt) -> UInt {
    major << 8 | (minor & 0xff) | (minor >> 8) << 20
  }

  /// Gives a file an extended attribute, where the C library and the file system have them.
  private static func setAttribute(of path: String, name: String, value: [UInt8]) {
    typealias Name = UnsafePointer<CChar>
    typealias Function = @convention(c) (Name, Name, UnsafeRawPointer, Int, Int32) -> Int32
    guard let symbol = dlsym(nil, "setxattr") else { return }
    _ = unsafeBitCast(symbol, to: Function.self)(path, name, value, value.count, 0)
  }
}
