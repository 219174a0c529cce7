import CBenchmark
import Glibc
import Measuring

/// What is measured: pages of a file in a limited number of frames.
///
/// Each subject has its own loop, so that no dynamic call is inside what is timed.
protocol PoolSubject: AnyObject, Sendable {
  var name: String { get }

  /// Whether the subject has this kind of work.
  func can(_ work: PoolWork) -> Bool

  /// Gets each drawn page, looks whether it has its own number, stores a word if the draw says so, and lets the page
  /// go. Returns how many accesses failed.
  func access(_ draws: UnsafeBufferPointer<UInt32>) -> Int

  /// Pages read from the file so far.
  var misses: Int { get }

  /// Pages that the processor copied so far, on their way between the file and the program.
  var copies: Int { get }

  /// What is wrong after the measurement, in words; nil if nothing.
  func check() -> String?
}

extension PoolSubject {
  var copies: Int { 0 }
  func check() -> String? { nil }
}

/// The file that all subjects use in turn. It has no name, so nothing is left of it when the program ends, in whatever
/// way.
final class PoolFile: Sendable {
  let pages: Int
  private let descriptor: Int32

  /// Opens the same file again.
  var path: String { "/proc/self/fd/\(descriptor)" }

  /// Makes a file in `directory`. Each of its pages has its number where `Draw` says.
  init(directory: String, pages: Int, progress: (Int) -> Void) throws(Failure) {
    self.pages = pages
    var template = Array("\(directory)/pool.XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw Failure("create a file in", directory, errno: errno) }
    unlink(template)
    let chunk = 256
    var words = [UInt64](repeating: 0, count: chunk * 512)
    for start in stride(from: 0, to: pages, by: chunk) {
      // A chunk is a multiple of 64 pages: the numbers fall on the same words again.
      let count = min(chunk, pages - start)
      for index in 0..<count {
        let draw = Draw(page: start + index, isStore: false)
        words[index * 512 + draw.numberOffset / 8] = UInt64(draw.page)
      }
      let written = words.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, count * 4096, start * 4096) }
      if written != count * 4096 {
        throw Failure("write a file in", directory, errno: written < 0 ? errno : ENOSPC)
      }
      progress(start * 100 / pages)
    }
    if fdatasync(descriptor) != 0 { throw Failure("write a file in", directory, errno: errno) }
    dropCache()
  }

  deinit { close(descriptor) }

  /// Asks the kernel to forget what its page cache has of the file.
  func dropCache() {
    fdatasync(descriptor)
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }

  func reopen(_ flags: Int32) throws(Failure) -> Int32 {
    let again = open(path, flags | O_CLOEXEC)
    if again < 0 { throw Failure("open", path, errno: errno) }
    return again
  }
}
