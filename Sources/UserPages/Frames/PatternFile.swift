import CPlatform
import Glibc
import Synchronization

/// The memory file behind an image of pages that are each filled with one byte, when the page is first used.
///
/// A page that was never asked for takes no memory, and one of zeroes never does. The image's frames map the file, for
/// reading alone. A fault, a copy or an insertion by number calls `fill` before it lets anything see the frame.
///
///     a filling thread                                 another
///     finds the page's bit clear
///     calls `byte`, under no lock                      does, too
///     lock {
///       finds the bit clear: writes the page
///       ORDERING [fill-publish]: sets the bit, release
///     }                                                lock { finds the bit set, writes nothing }
///
/// The bit is looked at again under the lock. Between the two looks the page may have been filled, moved into the page
/// cache, stored to and written back. Its first contents would then overwrite the newer ones.
final class PatternFile: @unchecked Sendable {
  let descriptor: Int32
  private let byte: @Sendable (Int) -> UInt8
  private let lock = FutexLock()
  // A bit for each page: it is filled. Changed under `lock`, read by any thread. From `calloc`, freed with the object.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  /// Takes over `descriptor`, a memory file of `pages` pages of zeroes. Page n is to hold the byte `byte(n)`.
  ///
  /// - Throws: `outOfMemory` if the process lacks memory for the bits. The descriptor is closed.
  init(descriptor: Int32, pages: Int, byte: @escaping @Sendable (Int) -> UInt8) throws(PageError) {
    self.descriptor = descriptor
    self.byte = byte
    let count = (pages + 63) / 64
    guard let zeroes = calloc(count, MemoryLayout<Atomic<UInt64>>.stride) else {
      close(descriptor)
      throw .outOfMemory
    }
    words = zeroes.bindMemory(to: Atomic<UInt64>.self, capacity: count)
  }

  deinit {
    close(descriptor)
    free(words)
  }

  private func isFilled(_ page: Int) -> Bool {
    // ORDERING [fill-publish]: acquire: a thread that finds the bit set finds the contents.
    words[page / 64].load(ordering: .acquiring) & 1 << UInt64(page % 64) != 0
  }

  /// Fills those of `pages` that are not filled.
  ///
  /// - Throws: `file` with the errno if there is no memory for one of them.
  func fill(_ pages: Range<Int>) throws(PageError) {
    if pages.allSatisfy(isFilled) { return }
    let contents = pages.map { isFilled($0) ? 0 : byte($0) }
    let failure: PageError? = withUnsafeTemporaryAllocation(byteCount: Page.size, alignment: Page.size) { buffer in
      lock.lock()
      defer { lock.unlock() }
      for (page, content) in zip(pages, contents) where !isFilled(page) {
        if content != 0 {
          _ = buffer.initializeMemory(as: UInt8.self, repeating: content)
          let count = pwrite(descriptor, buffer.baseAddress, Page.size, off_t(page * Page.size))
          guard count == Page.size else { return .file(.write, errno: count < 0 ? errno : ENOSPC) }
        }
        words[page / 64].bitwiseOr(1 << UInt64(page % 64), ordering: .releasing)
      }
      return nil
    }
    if let failure { throw failure }
  }
}
