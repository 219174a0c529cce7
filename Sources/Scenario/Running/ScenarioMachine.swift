import UserPages
import UserPagesEROFS

/// A machine that statements drive one at a time, on the calling thread, or two at a time: `execute(_:besides:with:)`.
///
/// It owns the things that the statements made, by name. A statement answers EINVAL if it names the result of a fork or
/// a pin that failed. It answers EBUSY if it makes a name that is in use. The parser has refused all other wrong names.
public final class ScenarioMachine {
  let memory: PhysicalMemory
  let engine: PinEngine
  let memoryPages: Int
  var images: [String: Image] = [:]
  var files: [String: PageCacheFile] = [:]
  var diskFiles: [String: DiskFile] = [:]
  var devices: [String: DeviceRange] = [:]
  var volumes: [String: EROFSVolume] = [:]
  var spaces: [String: AddressSpace] = [:]
  var pins: [String: HeldPages] = [:]
  var mirrors: [String: Mirror] = [:]

  /// A machine with spaces that pin with `engine`. No background thread reclaims.
  ///
  /// - Parameters:
  ///   - memoryPages: the pages of RAM.
  ///   - movablePages: how many of them are for memory that can be moved.
  ///   - swapPages: the pages of the swap file. The default is as many as there is RAM.
  ///   - swapsForAllocations: whether an allocation that finds no free frame takes anonymous memory. It takes pages of
  ///     disk files in any case.
  public init(
    memoryPages: Int, movablePages: Int = 0, swapPages: Int? = nil, swapsForAllocations: Bool = false,
    engine: PinEngine = .reference
  ) throws(PageError) {
    memory = try PhysicalMemory(
      ramPages: memoryPages, movablePages: movablePages, swapFile: .temporary(pages: swapPages ?? memoryPages),
      reclaim: ReclaimPolicy(
        watermarks: Watermarks.none, usesBackgroundThread: false, swapsForAllocations: swapsForAllocations))
    self.engine = engine
    self.memoryPages = memoryPages
  }

  /// Another owner of what `machine` owns now. What the one makes or gives back from then on the other does not know.
  init(sharing machine: ScenarioMachine) {
    memory = machine.memory
    engine = machine.engine
    memoryPages = machine.memoryPages
    images = machine.images
    files = machine.files
    diskFiles = machine.diskFiles
    devices = machine.devices
    volumes = machine.volumes
    spaces = machine.spaces
    pins = machine.pins
    mirrors = machine.mirrors
  }

  /// Runs one statement. One that begins or ends a block does nothing.
  public func execute(_ statement: Statement) -> Outcome {
    do throws(PageError) {
      switch statement {
      case .machine(let statement): return try execute(statement)
      case .space(let statement): return try execute(statement)
      case .access(let statement): return try execute(statement)
      case .pin(let statement): return try execute(statement)
      case .file(let statement): return try execute(statement)
      case .mirror(let statement): return try execute(statement)
      case .block: return .ok
      case .look(let statement): return try execute(statement)
      }
    } catch {
      return .failed(error)
    }
  }

  /// Gives the pins, mirrors, spaces and memory files back. What is deferred may still be under way.
  package func clear() {
    for pages in pins.values { pages.release(dirty: false) }
    pins = [:]
    mirrors = [:]
    for space in spaces.values { space.exit() }
    spaces = [:]
    for file in files.values { file.drop() }
    files = [:]
  }

  /// Gives everything back and waits for the deferred frees. Returns what the machine still holds then. It can be used
  /// again.
  public func finish() -> Leak? {
    clear()
    // The spaces' ends may be deferred, and each holds the files that it maps.
    memory.flushDeferredFrees()
    diskFiles = [:]
    for volume in volumes.values { volume.drop() }
    volumes = [:]
    images = [:]
    devices = [:]
    memory.flushDeferredFrees()
    let census = memory.census()
    return census.isClean ? nil : Leak(frames: census.framesInUse, tableNodes: census.tableNodes)
  }

  func space(_ name: String) throws(PageError) -> AddressSpace {
    guard let space = spaces[name] else { throw .invalidArgument }
    return space
  }

  /// A file of a mounted EROFS file system. EINVAL if there is none or it cannot be mapped.
  func erofsFile(_ name: String, _ path: String) throws(PageError) -> EROFSFile {
    guard let volume = volumes[name] else { throw .invalidArgument }
    do throws(EROFSError) { return try volume.file(at: path) } catch { throw .invalidArgument }
  }
}

/// The frames and table nodes that a machine still holds after everything was given back.
public struct Leak: Equatable, Sendable, CustomStringConvertible {
  public var frames: Int
  public var tableNodes: Int

  public init(frames: Int, tableNodes: Int) {
    self.frames = frames
    self.tableNodes = tableNodes
  }

  /// The line that a report prints at a file's end.
  public var description: String { "leak: \(frames) frames, \(tableNodes) table nodes" }
}

/// Pinned pages under a name. It is a class because `PinnedPages` cannot be copied into a dictionary.
final class HeldPages {
  private var pages: PinnedPages?

  init(_ pages: consuming PinnedPages) { self.pages = consume pages }

  func release(dirty: Bool) { pages.take()?.release(dirty: dirty) }

  /// Splits `count` bytes at `offset` at page boundaries and calls `body` for each piece. EINVAL if the pin is shorter.
  func forEachPiece(
    offset: Int, count: Int, _ body: (_ page: FrameBytes, _ offset: Int, _ pieces: Range<Int>) -> Void
  ) throws(PageError) {
    guard let held = pages?.count, offset <= held * Page.size, count <= held * Page.size - offset else {
      throw .invalidArgument
    }
    var done = 0
    while done < count {
      let position = offset + done
      let inPage = position % Page.size
      let length = min(count - done, Page.size - inPage)
      if let page = pages?.deviceBytes(at: position / Page.size) { body(page, inPage, done..<(done + length)) }
      done += length
    }
  }
}
