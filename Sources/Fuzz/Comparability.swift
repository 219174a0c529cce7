import Scenario

/// The part of the scenario language that real memory can answer.
///
/// Of images the kernel has one to ask, the file of `FrameNumberFile`, and of devices those of a page. Only the library
/// has the looks at entries and counters. In a kernel, a pin that is not long-term lasts for one system call. So the
/// statements that use such a pin must follow at once.
struct Comparability {
  /// With less RAM a scenario runs out of it, and the kernel does not.
  static let enoughMemory = 512
  /// Linux maps nothing below this address (`vm.mmap_min_addr`).
  static let lowest: UInt64 = 0x10000
  /// From here on a process has memory of its own: its code, stack and libraries.
  static let ceiling: UInt64 = 0x4000_0000_0000
  /// The end of the addresses that a process can map.
  static let end: UInt64 = 0x7fff_ffff_f000
  /// The limits of the oracle: `oracle.h`.
  static let mostSpaces = 16, mostPins = 8, mostFiles = 4, mostBytes = 1 << 21, longestName = 31

  static let mostLockedPages = 64

  private struct Pin {
    var takesStores: Bool
    var isTransient: Bool
  }

  private struct File {
    var isOnDisk: Bool
    var byteCount: Int
  }

  private var files: [String: File] = [:]
  /// The images that hold `FrameNumberFile`, and where they may be mapped.
  private var images: Set<String> = []
  private var frameNumbers = FrameNumberRanges()
  /// The devices of a page, and what must follow the map of one: a child inherits no mapping of the kernel's device.
  private var devices: Set<String> = []
  private var following: Statement?
  /// The disk file that was written back, if no statement since can have changed it. A kernel writes back when it
  /// likes, so what is on its disk is known only then.
  private var synced: String?
  /// Whether the program pages out, and whether a disk file ends inside a page. A kernel clears the rest of that page
  /// when it writes it out, and pages out what it likes.
  private var pagesOut = false
  private var endsInsidePage = false
  /// Whether memory was freed lazily, and whether a pin for longer than a system call was taken.
  private var hasLazilyFreed = false
  private var hasPinned = false
  /// Whether a kernel may drop what a program has: a clean page of a memory file. It drops what was stored through a
  /// pin with that page, unless the pin's holder says that it stored.
  private var mayDropStores: Bool { pagesOut && hasSharedMemory && hasPinned }
  /// All spaces that were made so far, those that are gone included.
  private var spaces: Set<String> = []
  /// Whether there may be 2 MiB entries. A kernel may only estimate the map count of a page in a large folio.
  private var hasHugePages = false
  /// Whether a disk's file or secret memory is mapped. A kernel's configuration decides whether such a file can be
  /// collapsed (`READ_ONLY_THP_FOR_FS`).
  private var hasFiles = false
  /// The memory files that are mapped. If one ends inside of 2 MiB that are collapsed, a kernel lets programs access
  /// what lies beyond the end.
  private var mappedMemoryFiles: Set<String> = []
  /// Whether a mapping may have grown beyond its shared anonymous memory, which ends then as such a file does.
  private var hasGrown = false
  private var hasCollapsed = false
  private var mayHoldHugeFiles: Bool { hasCollapsed && !mappedMemoryFiles.isEmpty && !pins.isEmpty }
  private var hasSharedMemory = false
  /// Whether the library gives shared memory 2 MiB at the first touch. A kernel may be told to give none
  /// (`shmem_enabled`): then a collapse has something to do, which a holder forbids.
  private var hasSharedHugePages = false
  /// Whether memory may be stored to and not read. A reference for reading is had there only by way of an entry that is
  /// present, and `fault_around_bytes` decides which are. The kernel's side of a short pin is another process, which is
  /// refused in any case.
  private var hasWriteOnly = false
  private var pins: [String: Pin] = [:]
  /// The long-term pin for reading. A kernel that has any has one at a time.
  private var readingPin: String?
  /// The pin that lasts for one system call. The scenario must release it before it does anything else.
  private var transient: String?

  /// The first line that cannot be compared, or nil.
  static func firstIncomparable(of file: ScenarioFile) -> ScenarioLine? {
    var state = Comparability()
    return file.lines.first { line in
      line.statement.names.contains { $0.utf8.count > longestName } || !state.admits(line.statement)
    }
  }

  private mutating func admits(_ statement: Statement) -> Bool {
    if let following, statement != following { return false }
    following = nil
    if let transient {
      switch statement {
      case .pin(.peek(transient, _, _)), .pin(.poke(transient, _, _)), .pin(.release(transient, _)): break
      default: return false
      }
    }
    keepSynced(after: statement)
    switch statement {
    case .machine(.memory(let pages, _)): return pages >= Self.enoughMemory
    case .machine(.file(let name, .filled(let pages, _))): return admits(name, isOnDisk: false, pages)
    case .machine(.diskFile(let name, .filled(let pages, _))): return admits(name, isOnDisk: true, pages)
    case .machine(.image(let name, .copied(FrameNumberFile.path, _))):
      images.insert(name)
      return hasRoom
    case .machine(.device(let name, 1)):
      devices.insert(name)
      return hasRoom
    case .machine: return false
    case .space(let statement): return admits(statement)
    case .access(let statement): return admits(statement)
    case .pin(let statement): return admits(statement)
    case .file(let statement): return admits(statement)
    // A process has no mirror to ask for bytes.
    case .mirror: return false
    // What two halves answer depends on chance: `RaceComparer` asks for all that they may answer.
    case .block: return false
    case .look(.frame(_, let address)): return !hasHugePages && isForeign(address, bytes: 1)
    case .look: return false
    }
  }

  private mutating func admits(_ name: String, isOnDisk: Bool, _ pages: Int) -> Bool {
    files[name] = File(isOnDisk: isOnDisk, byteCount: pages * 4096)
    return pages * 4096 <= Self.mostBytes && hasRoom
  }

  private var hasRoom: Bool { files.count + images.count + devices.count <= Self.mostFiles }

  private func isOnDisk(_ backing: BackingWord) -> Bool {
    if case .file(let name) = backing { files[name]?.isOnDisk ?? false } else { false }
  }

  /// Forgets which file was written back, unless the statement changes no file.
  private mutating func keepSynced(after statement: Statement) {
    switch statement {
    case .file(.onDisk), .file(.cached), .access(.read), .access(.readRemotely), .access(.readFile), .pin(.peek), .look:
      break
    default: synced = nil
    }
  }

  private mutating func admits(_ statement: FileStatement) -> Bool {
    switch statement {
    case .truncate(let name, let byteCount):
      files[name]?.byteCount = byteCount
      return admits(name) && !mayHoldHugeFiles
    case .punch(let name, let page, _):
      // A kernel leaves 2 MiB whole that are held, and clears their pages in place.
      return files[name] != nil && page <= 1 << 40 && !mayHoldHugeFiles
    case .sync(let name):
      synced = name
      return files[name]?.isOnDisk == true
    case .onDisk(let name, _, let count): return synced == name && count <= Self.mostBytes
    // Reading ahead is the kernel's own choice, and so is what goes when memory is short.
    case .cached, .reclaim: return false
    }
  }

  /// Whether a file may have its new length.
  private mutating func admits(_ name: String) -> Bool {
    guard let file = files[name] else { return false }
    if file.isOnDisk, file.byteCount % 4096 != 0 { endsInsidePage = true }
    return file.byteCount <= Self.mostBytes && !(pagesOut && endsInsidePage)
  }

  /// Whether this is a mapping that the kernel makes by number, too.
  private mutating func admitsFrameNumbers(_ map: MapStatement, of image: String) -> Bool {
    if devices.contains(image) {
      following = .space(.advise(space: map.space, map.range, .dontFork))
      return map.sharing == .shared && map.range.pages == 1 && (map.offset ?? 0) == 0
        && map.range.address >= Self.lowest && isForeign(map.range)
    }
    return images.contains(image) && map.sharing == .private && [.none, .read].contains(map.permission)
      && (map.offset ?? 0) == 0 && map.range.pages <= FrameNumberFile.mostPages
      && map.range.address >= Self.lowest && isForeign(map.range)
  }

  private mutating func admits(_ statement: SpaceStatement) -> Bool {
    frameNumbers.note(statement, devices)
    switch statement {
    case .space(let name), .fork(_, let name):
      spaces.insert(name)
      return spaces.count <= Self.mostSpaces
    case .exit: return true
    case .map(let map):
      if map.huge { hasHugePages = true }
      if map.permission == .write { hasWriteOnly = true }
      if case .pfn(let image) = map.backing { return admitsFrameNumbers(map, of: image) }
      if map.backing == .secret || isOnDisk(map.backing) { hasFiles = true }
      if case .file(let name) = map.backing { mappedMemoryFiles.insert(name) }
      if map.sharing == .shared, !isOnDisk(map.backing) {
        hasSharedMemory = true
        hasSharedHugePages = hasSharedHugePages || map.huge
      }
      if mayDropStores { return false }
      switch map.backing {
      case .secret where map.sharing == .private || map.range.pages > Self.mostLockedPages: return false
      case .anonymous, .file, .secret: return map.range.address >= Self.lowest && isForeign(map.range)
      case .mixed, .pfn, .erofs: return false
      }
    // If a range is longer than the address space, these two stop at the first hole, or refuse the whole.
    case .unmap(_, let range): return isForeign(range) || range.pages > 1 << 40
    case .protect(let space, let range, let permission):
      if permission == .write { hasWriteOnly = true }
      if [.write, .readWrite].contains(permission), frameNumbers.overlap(range, of: space) { return false }
      return isForeign(range) || range.pages > 1 << 40
    case .advise(_, let range, let advice):
      if advice == .collapse {
        hasHugePages = true
        hasCollapsed = true
        if hasFiles || (hasGrown && hasSharedMemory) || (hasSharedHugePages && !pins.isEmpty) { return false }
        if mappedMemoryFiles.contains(where: { (files[$0]?.byteCount ?? 0) % (512 * 4096) != 0 }) { return false }
      }
      // The library has pages in the swap file that a kernel without swap keeps: there this advice drops them at
      // once. A store by a device is lost with the page unless the pin's holder says so, which a kernel's holder does
      // not.
      if advice == .free {
        hasLazilyFreed = true
        if pagesOut || hasPinned || hasHugePages { return false }
      }
      if advice == .pageOut {
        pagesOut = true
        if hasHugePages || endsInsidePage || mayDropStores { return false }
      }
      return isForeign(range)
    case .seal(_, let range), .unlock(_, let range): return isForeign(range)
    // A process may lock so much only (`RLIMIT_MEMLOCK`).
    case .lock(_, let range): return isForeign(range) && range.pages <= Self.mostLockedPages
    case .remap(_, let from, let to, _):
      if to.pages > from.pages {
        hasGrown = true
        if hasCollapsed, hasSharedMemory { return false }
      }
      return isForeign(from) && isForeign(to) && to.address >= Self.lowest
    }
  }

  private mutating func admits(_ statement: AccessStatement) -> Bool {
    switch statement {
    case .read(_, let address, let count), .readRemotely(_, let address, let count):
      return count <= Self.mostBytes && isForeign(address, bytes: count)
    case .write(_, let address, let bytes), .writeRemotely(_, let address, let bytes):
      return bytes.bytes.count <= Self.mostBytes && isForeign(address, bytes: bytes.bytes.count)
    case .readFile(let name, _, let count): return files[name] != nil && count <= Self.mostBytes
    case .readErofs, .writeErofs: return false
    case .writeFile(let name, let offset, let bytes):
      // It may make the file longer.
      let before = files[name]?.byteCount ?? 0
      files[name]?.byteCount = max(before, offset + bytes.bytes.count)
      return admits(name)
    }
  }

  private mutating func admits(_ statement: PinStatement) -> Bool {
    switch statement {
    case .pin(let name, _, let range, let options):
      guard options.isSubset(of: [.write, .longTerm]) else { return false }
      if options == [.longTerm] {
        if readingPin != nil { return false }
        readingPin = name
      }
      if options.contains(.longTerm) { hasPinned = true }
      if mayDropStores || (hasPinned && hasLazilyFreed) { return false }
      return holds(name, range, options, isTransient: !options.contains(.longTerm))
    case .get(let name, _, let range, let options):
      guard options.isSubset(of: [.write, .force]), options != [.write] else { return false }
      return holds(name, range, options, isTransient: options.contains(.force))
    case .release(let name, let dirty):
      // It would keep what was freed lazily. The kernel's holder does not say so, unless it lasts for a call.
      if dirty, hasLazilyFreed, transient != name { return false }
      if transient == name { transient = nil }
      if readingPin == name { readingPin = nil }
      // The oracle can use the room of this pin for another.
      pins[name] = nil
    case .poke(let name, _, _): return pins[name]?.takesStores ?? true
    case .peek: break
    }
    return true
  }

  private mutating func holds(
    _ name: String, _ range: PageRange, _ options: Set<PinOption>, isTransient: Bool
  ) -> Bool {
    if hasWriteOnly, isTransient ? !options.contains(.force) : !options.contains(.write) { return false }
    pins[name] = Pin(takesStores: options.contains(.write), isTransient: isTransient)
    if isTransient { transient = name }
    return range.address % 4096 == 0 && 1...64 ~= range.pages && pins.count <= Self.mostPins && isForeign(range)
  }

  private func isForeign(_ range: PageRange) -> Bool {
    if range.address >= Self.end { return true }
    let (bytes, overflows) = range.pages.multipliedReportingOverflow(by: 4096)
    return !overflows && isForeign(range.address, bytes: bytes)
  }

  /// Whether a range holds nothing of the oracle's process.
  private func isForeign(_ address: UInt64, bytes: Int) -> Bool {
    address >= Self.end || (address < Self.ceiling && UInt64(bytes) <= Self.ceiling - address)
  }
}
