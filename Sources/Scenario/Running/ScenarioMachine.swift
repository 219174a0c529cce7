import UserPages

/// A machine that statements drive one at a time, on the calling thread.
///
/// It owns what the statements made, by name. A statement that names what is not there (a fork that failed, a pin that
/// failed) answers EINVAL, and one that would make what is there already answers EBUSY; the parser has refused all that
/// can be known before running.
public final class ScenarioMachine {
  let memory: PhysicalMemory
  let engine: PinEngine
  var images: [String: Image] = [:]
  var files: [String: PageCacheFile] = [:]
  var devices: [String: DeviceRange] = [:]
  var volumes: [String: ErofsVolume] = [:]
  var spaces: [String: AddressSpace] = [:]
  var pins: [String: HeldPages] = [:]

  /// A machine with `memoryPages` of RAM, and room for as many pages in a swap file unless `swapPages` says otherwise, whose
  /// spaces pin with `engine`.
  public init(memoryPages: Int, swapPages: Int? = nil, engine: PinEngine = .reference) throws(PageError) {
    memory = try PhysicalMemory(ramPages: memoryPages, swapFile: .temporary(pages: swapPages ?? memoryPages))
    self.engine = engine
  }

  /// Runs one statement.
  public func execute(_ statement: Statement) -> Outcome {
    do throws(PageError) {
      switch statement {
      case .machine(let statement): return try execute(statement)
      case .space(let statement): return try execute(statement)
      case .access(let statement): return try execute(statement)
      case .pin(let statement): return try execute(statement)
      case .look(let statement): return try execute(statement)
      }
    } catch {
      return .failed(error)
    }
  }

  /// Releases every pin, exits every space, drops every file, image and device, waits for the deferred frees, and tells
  /// what is still held.
  public func finish() -> Leak? {
    for pages in pins.values { pages.release(dirty: false) }
    pins = [:]
    for space in spaces.values { space.exit() }
    spaces = [:]
    for file in files.values { file.drop() }
    files = [:]
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

  /// A file of a mounted EROFS file system; EINVAL where there is none or it cannot be mapped.
  func erofsFile(_ name: String, _ path: String) throws(PageError) -> ErofsFile {
    guard let volume = volumes[name] else { throw .invalidArgument }
    do throws(ErofsError) { return try volume.file(at: path) } catch { throw .invalidArgument }
  }
}

/// What a machine still holds when everything was given back.
public struct Leak: Equatable, Sendable, CustomStringConvertible {
  public var frames: Int
  public var tableNodes: Int

  public init(frames: Int, tableNodes: Int) {
    self.frames = frames
    self.tableNodes = tableNodes
  }

  /// The line that the contract prints at a file's end.
  public var description: String { "leak: \(frames) frames, \(tableNodes) table nodes" }
}

/// A set of pinned pages under a name: a home for what cannot be copied.
final class HeldPages {
  private var pages: PinnedPages?

  init(_ pages: consuming PinnedPages) { self.pages = consume pages }

  func release(dirty: Bool) { pages.take()?.release(dirty: dirty) }

  /// Calls `body` for each piece of `count` bytes at `offset` that lies in one page; EINVAL where the pin is shorter.
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
