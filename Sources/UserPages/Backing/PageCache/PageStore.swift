import Glibc

/// Where a ``PageCache`` keeps its pages: a file that is read into frames and written from them.
///
/// ``DirectFile`` is a real file. A database may write its own: one that compresses, checks sums, or talks to another
/// machine.
///
/// The cache calls from the thread that faulted, synced or evicted, and to read ahead from a thread of its own. Each
/// holds no lock of an address space and is in no read-side section, so a store may wait. Reads come from many threads
/// at once, beside at most one of the other calls. No two reads of a page overlap, and no read overlaps a write of the
/// same page. An error is thrown as `PageError.file`.
///
/// The calling thread holds locks of the cache. So a call must not use the cache that it serves, nor memory that maps
/// it. What would wait there is refused: it throws `busy`, and an access to a page that is not in memory is a bus
/// error.
public protocol PageStore: AnyObject, Sendable {
  /// The file's length in bytes, which need not be a multiple of 4096.
  var byteCount: Int { get }

  /// Learns a length that another program has changed. The default does nothing: for a store that no other program
  /// changes.
  func refreshByteCount() throws(PageError)

  /// Reads consecutive pages, from `page` on, into `pages`. The file has a part of each at least. What its last page
  /// lacks is filled with zeroes.
  ///
  /// An error leaves the contents unspecified. The cache may then ask for fewer of the pages.
  func read(from page: Int, into pages: borrowing LentPages) throws(PageError)

  /// Reads pages that need not be consecutive. Otherwise as `read(from:into:)`, which the default calls for each
  /// stretch that is.
  ///
  /// - Parameters:
  ///   - pages: what is read into.
  ///   - numbers: where each of them comes from, in rising order.
  /// - Returns: what went wrong with each page. Nil for a page that was read.
  func read(into pages: borrowing LentPages, at numbers: [Int]) -> [PageError?]

  /// Writes `pages`, which are consecutive from `page` on. The file has a part of each at least. Its length stays:
  /// bytes of the last page beyond it are not written.
  ///
  /// If the cache is stable, `pages` may be stored to: a checksum belongs there. A program's page then has it too, or
  /// at the next write.
  ///
  /// An error leaves it open which pages were written. The cache writes all of them again.
  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError)

  /// Writes pages that need not be consecutive. Otherwise as `write(from:_:)`, which the default calls for each stretch
  /// that is.
  ///
  /// - Parameters:
  ///   - pages: what is written.
  ///   - numbers: where each of them goes, in rising order.
  /// - Returns: what went wrong with each page. Nil for a page that was written.
  func write(_ pages: borrowing LentPages, at numbers: [Int]) -> [PageError?]

  /// Sets the length. What is added reads as zeroes, the rest of a last page that was cut included.
  func setByteCount(_ count: Int) throws(PageError)

  /// Makes whole pages read as zeroes, and gives their space back if it can.
  func punchHole(_ pages: Range<Int>) throws(PageError)

  /// Returns when all that was written before would survive a loss of power.
  func sync() throws(PageError)
}

extension PageStore {
  /// Nothing to ask: the length changes by `setByteCount` alone.
  public func refreshByteCount() throws(PageError) {}

  /// Reads each stretch of consecutive pages by itself.
  public func read(into pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    var errors = [PageError?](repeating: nil, count: numbers.count)
    for stretch in stretches(of: numbers) {
      do throws(PageError) { try read(from: numbers[stretch.lowerBound], into: pages[stretch]) } catch {
        for index in stretch { errors[index] = error }
      }
    }
    return errors
  }

  /// Writes each stretch of consecutive pages by itself.
  public func write(_ pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    var errors = [PageError?](repeating: nil, count: numbers.count)
    for stretch in stretches(of: numbers) {
      do throws(PageError) { try write(from: numbers[stretch.lowerBound], pages[stretch]) } catch {
        for index in stretch { errors[index] = error }
      }
    }
    return errors
  }
}

/// What a store reported of `count` pages. A page that it said nothing of has not been transferred.
func reported(_ errors: [PageError?], of count: Int, _ step: PageError.FileStep) -> [PageError?] {
  (0..<count).map { $0 < errors.count ? errors[$0] : .file(step, errno: EIO) }
}

/// The ranges of indices with consecutive page numbers.
func stretches(of numbers: [Int]) -> [Range<Int>] {
  var stretches: [Range<Int>] = []
  var start = 0
  for end in 1..<numbers.count + 1 where end == numbers.count || numbers[end] != numbers[end - 1] + 1 {
    stretches.append(start..<end)
    start = end
  }
  return stretches
}
