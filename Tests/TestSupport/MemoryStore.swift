import Foundation
import UserPages

/// A page store in memory, with a disk's two lives: what was written, and what a loss of power would leave.
///
/// It fails where it is told to. So tests bring EIO, short reads and a full disk to every call that a cache makes.
public final class MemoryStore: PageStore {
  /// What the cache asked for.
  public enum Call: Equatable, Sendable {
    case read(page: Int, count: Int)
    case write(page: Int, count: Int)
    case setByteCount(Int)
    case punchHole
    case sync
  }

  private struct State {
    var contents: [UInt8]
    var durable: [UInt8]
    var calls: [Call] = []
    var groups: [[Int]] = []
    var fails: (@Sendable (Call, Int) -> PageError?)?
    var hook: (@Sendable (Call) -> Void)?
    var look: (@Sendable (borrowing LentPages) -> Void)?
    var lengthHook: (@Sendable () -> Void)?
  }

  private let state: Locked<State>

  /// A file with these contents, all of them durable.
  public init(_ contents: [UInt8]) {
    state = Locked(State(contents: contents, durable: contents))
  }

  /// A file of `pages` pages, each filled with the byte that `fill` gives for it.
  public convenience init(pages: Int, fill: (Int) -> UInt8 = { _ in 0 }) {
    self.init((0..<pages).flatMap { [UInt8](repeating: fill($0), count: Page.size) })
  }

  /// Makes calls fail: `fails` gets each call and its number, counted from 0, and returns what is to be thrown.
  public func fail(_ fails: (@Sendable (Call, Int) -> PageError?)?) {
    state.withLock {
      $0.fails = fails
      $0.calls = []
    }
  }

  /// Calls `hook` before each call is carried out, on the calling thread.
  public func onCall(_ hook: (@Sendable (Call) -> Void)?) { state.withLock { $0.hook = hook } }

  /// Calls `look` with the pages that a call is about to write.
  public func onWrite(_ look: (@Sendable (borrowing LentPages) -> Void)?) { state.withLock { $0.look = look } }

  /// Calls `hook` before the length is told, on the calling thread.
  public func onByteCount(_ hook: (@Sendable () -> Void)?) { state.withLock { $0.lengthHook = hook } }

  /// The calls since the last `fail`.
  public var calls: [Call] { state.withLock { $0.calls } }

  /// The writes among them. Pages ahead of a sequential reader may be read at any time.
  public var writes: [Call] { calls.filter { if case .write = $0 { true } else { false } } }

  /// The pages of each call that read several stretches, or one, together.
  public var groups: [[Int]] { state.withLock { $0.groups } }

  /// The file as it is now.
  public var contents: [UInt8] { state.withLock { $0.contents } }

  /// The file as a loss of power would leave it: as it was at the last sync.
  public var durable: [UInt8] { state.withLock { $0.durable } }

  /// Changes the file as another program does: no call of the store says so.
  public func change(at offset: Int, to bytes: [UInt8]) {
    state.withLock { $0.contents.replaceSubrange(offset..<offset + bytes.count, with: bytes) }
  }

  /// Loses power.
  public func losePower() { state.withLock { $0.contents = $0.durable } }

  /// The word at `offset` of a file as `contents` or `durable` gives it.
  public static func word(_ contents: [UInt8], at offset: Int) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(contents[offset + $1]) << UInt64(8 * $1) }
  }

  /// The bytes of a word, as `word(_:at:)` reads it.
  public static func bytes(of word: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
  }

  public var byteCount: Int {
    state.withLock { $0.lengthHook }?()
    return state.withLock { $0.contents.count }
  }

  public func read(from page: Int, into pages: borrowing LentPages) throws(PageError) {
    try read(Array(page..<page + pages.count)[...], into: pages, from: 0)
  }

  /// Reads consecutive pages into those of `pages` from `first` on.
  private func read(_ numbers: ArraySlice<Int>, into pages: borrowing LentPages, from first: Int) throws(PageError) {
    guard let page = numbers.first else { return }
    try begin(.read(page: page, count: numbers.count))
    for (index, number) in numbers.enumerated() {
      let bytes = state.withLock { state in
        let start = min(number * Page.size, state.contents.count)
        return Array(state.contents[start..<min(start + Page.size, state.contents.count)])
      }
      let filled = bytes + [UInt8](repeating: 0, count: Page.size - bytes.count)
      pages[first + index].copy(from: filled.span.bytes)
    }
  }

  public func read(into pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    state.withLock { $0.groups.append(numbers) }
    var errors: [PageError?] = []
    var next = 0
    while next < numbers.count {
      let start = next
      repeat { next += 1 } while next < numbers.count && numbers[next] == numbers[next - 1] + 1
      var failure: PageError?
      do throws(PageError) { try read(numbers[start..<next], into: pages, from: start) } catch { failure = error }
      errors += [PageError?](repeating: failure, count: next - start)
    }
    return errors
  }

  public func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) {
    state.withLock { $0.look }?(pages)
    // A failed write has written a part, so that a test notices where the cache relies on all or nothing.
    var failure: PageError?
    do throws(PageError) { try begin(.write(page: page, count: pages.count)) } catch { failure = error }
    for index in 0..<pages.count where failure == nil || index < pages.count / 2 {
      let bytes = pages[index].copy(count: Page.size)
      state.withLock { state in
        let start = (page + index) * Page.size
        let end = min(start + Page.size, state.contents.count)
        if start < end { state.contents.replaceSubrange(start..<end, with: bytes[..<(end - start)]) }
      }
    }
    if let failure { throw failure }
  }

  public func setByteCount(_ count: Int) throws(PageError) {
    try begin(.setByteCount(count))
    // Durable at once, as with a journal.
    state.withLock { state in
      Self.resize(&state.contents, count)
      Self.resize(&state.durable, count)
    }
  }

  private static func resize(_ contents: inout [UInt8], _ count: Int) {
    contents.removeLast(max(contents.count - count, 0))
    contents += [UInt8](repeating: 0, count: count - contents.count)
  }

  public func punchHole(_ pages: Range<Int>) throws(PageError) {
    try begin(.punchHole)
    state.withLock { state in
      let hole = pages.lowerBound * Page.size..<min(pages.upperBound * Page.size, state.contents.count)
      state.contents.replaceSubrange(hole, with: repeatElement(0, count: hole.count))
      state.durable.replaceSubrange(hole, with: repeatElement(0, count: hole.count))
    }
  }

  public func sync() throws(PageError) {
    do throws(PageError) { try begin(.sync) } catch {
      // The worst that a disk may do: what it had not made durable is gone.
      losePower()
      throw error
    }
    state.withLock { $0.durable = $0.contents }
  }

  private func begin(_ call: Call) throws(PageError) {
    let (hook, failure) = state.withLock { state in
      state.calls.append(call)
      return (state.hook, state.fails?(call, state.calls.count - 1))
    }
    hook?(call)
    if let failure { throw failure }
  }
}
