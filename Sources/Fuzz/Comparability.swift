import Scenario

/// The part of the scenario language that real memory has.
///
/// Images and devices are no kernel's anonymous or file memory; the looks at entries and counters are the library's own. A
/// reference or a pin for reading and a pin that is not long-term exist in a kernel only as long as a system call, so what
/// is done through one must follow at once.
struct Comparability {
  /// A scenario with less RAM is about running out of it, which the kernel does not.
  static let enoughMemory = 512
  /// Addresses below are where Linux lets nobody map.
  static let lowest: UInt64 = 0x10000
  /// From here on a process has memory of its own, for its code, stack and libraries.
  static let ceiling: UInt64 = 0x4000_0000_0000
  /// From here on nobody has memory.
  static let end: UInt64 = 0x7fff_ffff_f000
  /// What the program that drives real memory has room for: `oracle.h`.
  static let mostSpaces = 16, mostPins = 8, mostFiles = 4, mostBytes = 1 << 21

  private struct Pin {
    var takesStores: Bool
    var isTransient: Bool
  }

  private var filePages: [String: Int] = [:]
  /// All that were made so far, also those that are gone.
  private var spaces: Set<String> = []
  /// Whether there may be 2 MiB entries. How often a page of a large folio is mapped, a kernel may only estimate.
  private var hasHugePages = false
  /// Whether something else than private anonymous memory is mapped. What of that can be collapsed is left to a kernel's
  /// configuration (`shmem_enabled`, `READ_ONLY_THP_FOR_FS`).
  private var hasFiles = false
  private var hasSharedMemory = false
  private var pins: [String: Pin] = [:]
  /// The transient pin that must be released before anything else happens.
  private var transient: String?

  /// The first line that cannot be compared; nil where all can be.
  static func firstIncomparable(of file: ScenarioFile) -> ScenarioLine? {
    var state = Comparability()
    return file.lines.first { !state.admits($0.statement) }
  }

  private mutating func admits(_ statement: Statement) -> Bool {
    if let transient {
      switch statement {
      case .pin(.peek(transient, _, _)), .pin(.poke(transient, _, _)), .pin(.release(transient, _)): break
      default: return false
      }
    }
    switch statement {
    case .machine(.memory(let pages)): return pages >= Self.enoughMemory
    case .machine(.file(let name, .filled(let pages, _))):
      filePages[name] = pages
      return pages * 4096 <= Self.mostBytes && filePages.count <= Self.mostFiles
    case .machine: return false
    case .space(let statement): return admits(statement)
    case .access(let statement): return admits(statement)
    case .pin(let statement): return admits(statement)
    case .look(.frame(_, let address)): return !hasHugePages && isForeign(address, bytes: 1)
    case .look: return false
    }
  }

  private mutating func admits(_ statement: SpaceStatement) -> Bool {
    switch statement {
    case .space(let name), .fork(_, let name):
      spaces.insert(name)
      return spaces.count <= Self.mostSpaces
    case .exit: return true
    case .map(let map):
      if map.huge { hasHugePages = true }
      if map.backing != .anonymous || map.sharing == .shared { hasFiles = true }
      if map.sharing == .shared { hasSharedMemory = true }
      switch map.backing {
      case .anonymous, .file: return map.range.address >= Self.lowest && isForeign(map.range)
      case .mixed, .pfn, .erofs: return false
      }
    // These two stop at the first hole, or refuse the whole, where a range is longer than the address space.
    case .unmap(_, let range), .protect(_, let range, _): return isForeign(range) || range.pages > 1 << 40
    case .advise(_, let range, let advice):
      if advice == .collapse {
        hasHugePages = true
        if hasFiles { return false }
      }
      // What is paged out of 2 MiB breaks them up, and a kernel since 6.12 puts the page of zeroes in the place of those of
      // its pages that are zero: who got one before a store, has it not.
      //
      // A kernel without swap drops what is clean of shared memory, and with it what was stored through a pin that was
      // released without `dirty`.
      if advice == .pageOut, hasHugePages || hasSharedMemory { return false }
      return isForeign(range)
    case .remap(_, let from, let to): return isForeign(from) && isForeign(to) && to.address >= Self.lowest
    }
  }

  private func admits(_ statement: AccessStatement) -> Bool {
    switch statement {
    case .read(_, let address, let count): return count <= Self.mostBytes && isForeign(address, bytes: count)
    case .write(_, let address, let bytes):
      return bytes.bytes.count <= Self.mostBytes && isForeign(address, bytes: bytes.bytes.count)
    case .readFile(_, _, let count): return count <= Self.mostBytes
    case .readErofs, .writeErofs: return false
    case .writeFile(let name, let offset, let bytes):
      // A file grows when it is written to behind its end; a scenario's does not.
      return filePages[name].map { offset + bytes.bytes.count <= $0 * 4096 } ?? false
    }
  }

  private mutating func admits(_ statement: PinStatement) -> Bool {
    switch statement {
    case .pin(let name, _, let range, let options):
      guard options.isSubset(of: [.write, .longTerm]), options != [.longTerm] else { return false }
      return holds(name, range, options, isTransient: !options.contains(.longTerm))
    case .get(let name, _, let range, let options):
      guard options.isSubset(of: [.write, .force]), options != [.write] else { return false }
      return holds(name, range, options, isTransient: options.contains(.force))
    case .release(let name, _):
      if transient == name { transient = nil }
    case .poke(let name, _, _): return pins[name]?.takesStores ?? true
    case .peek: break
    }
    return true
  }

  private mutating func holds(
    _ name: String, _ range: PageRange, _ options: Set<PinOption>, isTransient: Bool
  ) -> Bool {
    pins[name] = Pin(takesStores: options.contains(.write), isTransient: isTransient)
    if isTransient { transient = name }
    return range.address % 4096 == 0 && 1...64 ~= range.pages && pins.count <= Self.mostPins && isForeign(range)
  }

  private func isForeign(_ range: PageRange) -> Bool {
    if range.address >= Self.end { return true }
    let (bytes, overflows) = range.pages.multipliedReportingOverflow(by: 4096)
    return !overflows && isForeign(range.address, bytes: bytes)
  }

  /// Whether a range holds nothing of the process that stands for a space.
  private func isForeign(_ address: UInt64, bytes: Int) -> Bool {
    address >= Self.end || (address < Self.ceiling && UInt64(bytes) <= Self.ceiling - address)
  }
}
