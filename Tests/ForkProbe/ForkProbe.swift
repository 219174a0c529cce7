import Foundation
import UserPages

// A program that forks, by its argument, and reports how the child ended. Or it has no standard streams (`ForkTests`),
// or a section that lasts too long (`LongSectionTests`).

/// What the child does.
enum Deed: String, CaseIterable {
  /// Uses the parent's space.
  case pin, store, map, fork
  /// Uses translations of the parent's.
  case mirrorLoad, mirrorStore
  /// Ends the parent's space.
  case end
  /// Makes a machine of its own.
  case machine
  case synchronize
  case deferFree
  /// Stores through the address of a page that the parent pinned.
  case address
  /// Things that are not uses of the library.
  case exit, exec, wait
}

/// `fork(2)`, which Swift's libraries hide.
let systemFork = unsafeBitCast(
  dlsym(UnsafeMutableRawPointer(bitPattern: 0), "fork")!, to: (@convention(c) () -> pid_t).self)

/// Prints a line. Unbuffered: a child must not print what its parent left in a buffer.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// What a child executes. Made before the fork.
nonisolated(unsafe) let command: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = {
  let words = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: 2)
  words[0] = strdup("/bin/true")
  words[1] = nil
  return words
}()

/// How a child ended, in a word that tests compare.
func ending(of child: pid_t) -> String {
  var status: Int32 = 0
  while waitpid(child, &status, 0) < 0 && errno == EINTR {}
  return status & 0x7f == 0 ? "exit \(status >> 8 & 0xff)" : "signal \(status & 0x7f)"
}

/// Threads that keep taking the library's locks and waiting for grace periods, so that a fork meets them held.
final class Busy: @unchecked Sendable {
  private let stop = NSLock()
  private var isStopped = false
  private let ended = DispatchGroup()

  /// Returns when each thread has been around once. Until then Swift's runtime makes types on first use, under a lock
  /// that a forked child would wait for.
  init(_ space: AddressSpace, threads: Int) {
    let first = DispatchSemaphore(value: 0)
    for index in 0..<threads {
      ended.enter()
      Thread { [self, unowned space] in
        let address = VirtualAddress(UInt64(0x1000_0000 + index * 0x10_0000))
        var isFirst = true
        while !stop.withLock({ isStopped }) {
          do {
            try space.map(at: address, pages: 4, protection: .readWrite, sharing: index % 2 == 0 ? .shared : .private)
            try space.store(UInt64(1), at: address)
            try space.unmap(at: address, pages: 4)
          } catch { say("a busy thread failed: \(error)") }
          RCU.deferFree {}
          RCU.synchronize()
          if isFirst { first.signal() }
          isFirst = false
        }
        ended.leave()
      }.start()
    }
    for _ in 0..<threads { first.wait() }
  }

  func end() {
    stop.withLock { isStopped = true }
    ended.wait()
  }
}

@main
enum ForkProbe {
  static func main() throws {
    // A test's thread may have blocked signals, and this process with it.
    var none = sigset_t()
    sigemptyset(&none)
    sigprocmask(SIG_SETMASK, &none, nil)
    let arguments = CommandLine.arguments
    if arguments.count == 2, arguments[1] == "before" { return try forkBeforeFirstUse() }
    if arguments.count == 3, arguments[1] == "streams" { return try openWithoutStreams(in: arguments[2]) }
    if arguments.count == 3, arguments[1] == "longSection", let limit = Int(arguments[2]) {
      return stayInSection(limit: .milliseconds(limit))
    }
    guard arguments.count == 3, let deed = Deed(rawValue: arguments[1]), let rounds = Int(arguments[2]) else {
      say(
        "usage: ForkProbe before | ForkProbe streams FOLDER | ForkProbe longSection MS | ForkProbe \(Deed.allCases.map(\.rawValue).joined(separator: "|")) ROUNDS"
      )
      Foundation.exit(2)
    }
    let memory = try PhysicalMemory(ramPages: 256)
    var space: AddressSpace? = AddressSpace(memory, engine: .slot)
    try space!.map(at: 0x10000, pages: 4, protection: .readWrite)
    try space!.store(UInt64(7), at: 0x10000)
    let pin = try space!.pin(at: 0x10000, .write)
    let address = pin.withUnsafeMutableBytes { $0.baseAddress! }
    // It keeps the space, which other deeds end.
    var mirror =
      [.mirrorLoad, .mirrorStore].contains(deed) ? try space!.mirror(at: 0x10000, pages: 4, for: .write) : nil
    try mirror?.store(UInt64(7), at: 0x10000)
    let busySpace = AddressSpace(memory)
    let busy = Busy(busySpace, threads: 3)
    _ = command
    for _ in 0..<rounds {
      let child = systemFork()
      if child == 0 {
        act(deed, memory, &space, mirror, address)
        _exit(0)
      }
      if deed == .wait { kill(child, SIGTERM) }
      say("child: \(ending(of: child))")
    }
    busy.end()
    // The parent goes on, and finds its memory as it left it.
    say("parent: \(try space!.load(at: 0x10000, as: UInt64.self))")
    pin.release()
    mirror = nil
    space = nil
    busySpace.exit()
    memory.flushDeferredFrees()
    say("parent: \(memory.census().framesInUse == 0 ? "clean" : "not clean")")
  }

  static func act(
    _ deed: Deed, _ memory: PhysicalMemory, _ space: inout AddressSpace?, _ mirror: Mirror?,
    _ address: UnsafeMutableRawPointer
  ) {
    do {
      switch deed {
      case .pin: try space!.pin(at: 0x10000, .write).release()
      case .store: try space!.store(UInt64(8), at: 0x10000)
      case .mirrorLoad: _ = try mirror!.load(at: 0x10000, as: UInt64.self)
      case .mirrorStore: try mirror!.store(UInt64(8), at: 0x10000)
      case .map: try space!.map(at: 0x20000, pages: 1, protection: .readWrite)
      case .fork: _ = try space!.fork()
      case .end: space = nil
      case .machine: _ = try PhysicalMemory(ramPages: 16)
      case .synchronize: RCU.synchronize()
      case .deferFree: RCU.deferFree {}
      case .address: address.storeBytes(of: 8, as: UInt64.self)
      case .exit: Foundation.exit(3)
      case .exec:
        execv(command[0]!, command)
        _exit(9)
      case .wait: while true { pause() }
      }
    } catch {
      say("the child failed: \(error)")
      _exit(4)
    }
    _exit(5)
  }

  /// Has the library open files of every kind while the standard streams are closed. The status says how many of these
  /// are open after.
  static func openWithoutStreams(in folder: String) throws {
    for stream in 0..<Int32(3) { close(stream) }
    let memory = try PhysicalMemory(ramPages: 256, swapFile: .file(at: "\(folder)/swap", pages: 64))
    let file = try DirectFile(path: "\(folder)/data")
    let cache = try PageCache(memory, file, limit: 16)
    try cache.setByteCount(Page.size)
    let image = try Image(memory, path: "\(folder)/data")
    let open = (0..<Int32(3)).filter { fcntl($0, F_GETFD) >= 0 }.count
    withExtendedLifetime((image, cache)) { Foundation.exit(Int32(open)) }
  }

  /// A thread stays in a section for two seconds while a grace period waits. The output is the thread's number, and
  /// whether the library's thread that watches grace periods is there: with one reader alone, and a while after.
  static func stayInSection(limit: Duration) {
    RCU.longSectionLimit = limit
    RCU.read {}
    RCU.synchronize()
    say(isWatched ? "watched" : "unwatched")
    let entered = DispatchSemaphore(value: 0)
    Thread {
      RCU.read {
        // Its number is the link's last part.
        let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
        say("\(link?.split(separator: "/").last ?? "")")
        entered.signal()
        sleep(2)
      }
    }.start()
    entered.wait()
    RCU.synchronize()
    for _ in 0..<600 where isWatched { usleep(100_000) }
    say(isWatched ? "watched" : "unwatched")
  }

  static var isWatched: Bool {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return tasks.contains { task in
      (try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)) == "gup-sections\n"
    }
  }

  /// A child that is forked before the library was used may use it; the parent may, too.
  static func forkBeforeFirstUse() throws {
    let child = systemFork()
    let memory = try PhysicalMemory(ramPages: 16)
    let space = AddressSpace(memory)
    try space.map(at: 0x10000, pages: 1, protection: .readWrite)
    try space.store(UInt64(7), at: 0x10000)
    guard try space.load(at: 0x10000, as: UInt64.self) == 7 else { Foundation.exit(6) }
    if child == 0 { _exit(0) }
    say("child: \(ending(of: child))")
  }
}
