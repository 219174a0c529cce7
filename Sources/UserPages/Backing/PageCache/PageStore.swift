/// Where a ``PageCache`` keeps its pages: a file that is read into frames and written from them.
///
/// ``DirectFile`` is a real file. A database may write its own: one that compresses, checks sums, or talks to another machine.
///
/// The cache calls from the thread that faulted, synced or evicted, which holds no lock of an address space and is in no read-side
/// section, so a store may wait. Reads come from many threads at once, beside at most one of the other calls. No two reads of a
/// page overlap, and no read overlaps a write of the same page. An error is thrown as `PageError.file`.
public protocol PageStore: AnyObject, Sendable {
  /// The file's length in bytes, which need not be a multiple of 4096.
  var byteCount: Int { get }

  /// Reads consecutive pages, from `page` on, into `pages`. The file has a part of each at least; what its last page lacks is
  /// filled with zeroes.
  ///
  /// An error leaves the contents unspecified. The cache may then ask for fewer of the pages.
  func read(from page: Int, into pages: borrowing LentPages) throws(PageError)

  /// Writes `pages`, which are consecutive from `page` on. The file has a part of each at least. Its length stays: bytes of the last
  /// page beyond it are not written.
  ///
  /// An error leaves it open which pages were written. The cache writes all of them again.
  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError)

  /// Sets the length. What is added reads as zeroes, the rest of a last page that was cut included.
  func setByteCount(_ count: Int) throws(PageError)

  /// Makes whole pages read as zeroes, and gives their space back if it can.
  func punchHole(_ pages: Range<Int>) throws(PageError)

  /// Returns when all that was written before would survive a loss of power.
  func sync() throws(PageError)
}
