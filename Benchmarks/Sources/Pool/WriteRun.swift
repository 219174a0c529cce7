import Glibc
import Measuring
import UserPages

/// `pool --writes`: threads that store to pages of a file and sync, until the program is killed. After each sync a
/// thread says which generation of its stores is safe. What it said holds whatever ends the program.
struct WriteRun {
  let path: String
  let pages: Int
  let limit: Int
  let threads: Int
  let seconds: Double

  func run() throws(Failure) {
    // A file that is there already would hide what this run does not write.
    _ = try LockedFile(path, creation: .exclusively)
    let cache: PageCache
    let space: AddressSpace
    do throws(PageError) {
      let memory = try PhysicalMemory(ramPages: limit + 4096)
      cache = try PageCache(memory, try DirectFile(path: path), limit: limit)
      try cache.setByteCount(pages * Page.size)
      space = AddressSpace(memory, engine: .slot)
      try space.map(at: Self.area, pages: pages, protection: .readWrite, sharing: .shared, backing: .file(cache))
    } catch { throw Failure("cannot map \(path): \(error)") }
    defer { space.exit() }
    let ended = FirstFailure()
    let end = Clock.now() + UInt64(seconds * 1e9)
    let (pages, threads) = (pages, threads)
    let group = try ThreadGroup(threads) { thread in
      var generation: UInt64 = 0
      do throws(Failure) {
        while Clock.now() < end, !ended.isRaised {
          generation += 1
          try Self.store(generation, Generation.pages(generation, thread, of: threads, filePages: pages), space)
          do throws(PageError) { try cache.sync() } catch { throw Failure("cannot sync: \(error)") }
          try Standard.output("safe \(thread) \(generation)")
        }
      } catch {
        ended.note(error)
      }
    }
    group.open()
    group.join()
    try ended.check()
  }

  private static let area: VirtualAddress = 0x10_0000_0000

  private static func store(_ generation: UInt64, _ pages: [Int], _ space: AddressSpace) throws(Failure) {
    do throws(PageError) {
      for page in pages {
        for word in Generation.words { try space.store(generation, at: area + page * Page.size + word * 8) }
      }
    } catch { throw Failure("cannot store: \(error)") }
  }
}

/// Which words of which pages a generation of a thread's stores goes to. Each holds the last generation's number.
enum Generation {
  /// Words of a page, by number, in every block of the disk that it lies in.
  static let words = Array(stride(from: 0, to: 512, by: 32))
  private static let pagesEach = 24

  /// Pages of thread `thread`'s own.
  static func pages(_ generation: UInt64, _ thread: Int, of threads: Int, filePages: Int) -> [Int] {
    var random = XorShift(seed: generation << 8 | UInt64(thread))
    return (0..<pagesEach).map { _ in random.below(filePages / threads) * threads + thread }
  }

  /// Compares the file at `path` with what each thread said is safe. A page has to have the last safe generation that
  /// went to it, or the one under way. Returns what is wrong, in words.
  static func problems(path: String, pages filePages: Int, safe: [UInt64]) throws(Failure) -> [String] {
    var least = [UInt64](repeating: 0, count: filePages)
    for (thread, last) in safe.enumerated() where last > 0 {
      for generation in 1...last {
        for page in pages(generation, thread, of: safe.count, filePages: filePages) { least[page] = generation }
      }
    }
    let file = try LockedFile(path, access: O_RDONLY)
    var words = [UInt64](repeating: 0, count: 512)
    var problems: [String] = []
    for page in 0..<filePages {
      var failure: Failure?
      words.withUnsafeMutableBytes { bytes in
        do throws(Failure) { try file.read(bytes, at: page * 4096) } catch { failure = error }
      }
      if let failure { throw failure }
      let most = safe[page % safe.count] + 1
      for word in Self.words where words[word] < least[page] || words[word] > most {
        problems.append(
          "word \(word) of page \(page) has generation \(words[word]) instead of \(least[page]) to \(most)")
      }
    }
    return problems
  }
}

/// The failure that ends all threads: the first, as later ones follow from it.
private final class FirstFailure: @unchecked Sendable {
  // Sendable: `failure` is reached under the monitor.
  private let raised = StopFlag()
  private let monitor = Monitor()
  private var failure: Failure?

  var isRaised: Bool { raised.isRaised }

  func note(_ error: Failure) {
    monitor.lock()
    if failure == nil { failure = error }
    monitor.unlock()
    raised.raise()
  }

  func check() throws(Failure) {
    monitor.lock()
    defer { monitor.unlock() }
    if let failure { throw failure }
  }
}
