import Glibc
import Synchronization

/// Free frames that are in no thread's cache.
///
/// The frames of RAM form blocks of 512, each as long and as aligned as a huge page.
///
/// A block has a bit for each of its frames and a count of those that are here, from which follows which it is:
///
///     empty     none is here
///     partial   some are
///     whole     all 512 are: it can be given out as one huge frame
///
/// It is nothing else: a block that was broken is whole again the moment its last frame comes back. Single frames are
/// taken from partial blocks before whole ones are broken, and from the lowest numbers on. So use gathers in few
/// blocks, and those that it leaves recombine. RAM that ends within a block has a last one that is never whole and so
/// is used up first.
///
/// Blocks that were never taken from have nothing written about them: `untouched` is the first of them. So a machine is
/// made in time and memory that do not depend on its RAM. A touched block costs a sixth of a byte for each of its
/// frames.
///
/// `reserve` frames stay here for threads that reclaim. While fewer are here, freed frames come here and not to a
/// thread's cache.
///
/// Locks: see <doc:LockOrder>, level 8. No other is taken under this one.
final class FrameDepot: @unchecked Sendable {
  static let blockSize = Page.pagesPerHuge

  private let first: PFN
  private let lock = FutexLock()
  // All below is guarded by `lock`. A set bit: the frame is here.
  private let blocks: UnsafeMutablePointer<Block>
  private let counts: UnsafeMutablePointer<UInt16>
  private let partial: BitTree
  private let whole: BitTree
  private var total: Int
  /// All of the blocks from here to `wholeCount` are whole, and neither their bits, their counts nor `whole` say so.
  private var untouched = 0
  private let wholeCount: Int
  private let watermarks: Watermarks
  /// Whether fewer frames are here than the low watermark, or than the reserve. Both are hints and change seldom.
  private let isLowNow = Atomic<Bool>(false)
  private let isShortNow = Atomic<Bool>(false)

  private typealias Block = InlineArray<8, UInt64>

  /// For the `count` frames from `first` on, which all are here but for the `skipped` first ones, less than a block:
  /// another depot has those.
  init(first: PFN, count: Int, skipped: Int = 0, watermarks: Watermarks) {
    self.watermarks = watermarks
    precondition(first.rawValue % UInt64(Self.blockSize) == 0, "RAM begins within a block")
    self.first = first
    let blockCount = (count + Self.blockSize - 1) / Self.blockSize
    wholeCount = count / Self.blockSize
    // Words of zeroes are blocks of which nothing is here. `calloc` gives pages of them for the writing.
    guard let blocks = calloc(blockCount, MemoryLayout<Block>.stride),
      let counts = calloc(blockCount, MemoryLayout<UInt16>.stride)
    else { fatalError("out of memory for \(blockCount) blocks of frames") }
    self.blocks = blocks.bindMemory(to: Block.self, capacity: blockCount)
    self.counts = counts.bindMemory(to: UInt16.self, capacity: blockCount)
    partial = BitTree(below: blockCount)
    whole = BitTree(below: blockCount)
    if skipped > 0, wholeCount > 0 { untouched = 1 }
    total = (wholeCount - untouched) * Self.blockSize
    if untouched > 0 { for index in skipped..<Self.blockSize { insert(index) } }
    for index in max(wholeCount * Self.blockSize, skipped)..<max(count, skipped) { insert(index) }
  }

  deinit {
    free(blocks)
    free(counts)
    partial.release()
    whole.release()
  }

  /// Frames that are here now.
  var count: Int {
    lock.lock()
    defer { lock.unlock() }
    return total
  }

  /// Whether fewer frames are here than the low watermark. A hint, one relaxed load.
  var isLow: Bool { isLowNow.load(ordering: .relaxed) }

  /// Whether frames of the reserve are missing. As `isLow`.
  var isShort: Bool { isShortNow.load(ordering: .relaxed) }

  /// Frames of blocks that were taken from, counted from the first frame. What lies behind them in whole blocks was
  /// never used.
  var touchedCount: Int {
    lock.lock()
    defer { lock.unlock() }
    return untouched * Self.blockSize
  }

  /// The lowest block that is whole, nil where none is.
  private func firstWhole() -> Int? {
    if let index = whole.first { return index }
    guard untouched < wholeCount else { return nil }
    let index = untouched
    untouched += 1
    blocks[index] = Block(repeating: .max)
    counts[index] = UInt16(Self.blockSize)
    whole.insert(index)
    return index
  }

  /// Takes `wanted` frames, or what there is, to the beginning of `frames`, the lowest number last. Returns how many.
  /// The reserve stays, unless `fromReserve`.
  ///
  /// Near the low watermark it gives few at a time: frames in threads' caches are no longer seen here.
  func take(_ wanted: Int, to frames: UnsafeMutablePointer<UInt32>, fromReserve: Bool = false) -> Int {
    lock.lock()
    defer { lock.unlock() }
    let available = max(total - (fromReserve ? 0 : watermarks.min), 0)
    let wanted = watermarks.low == 0 ? wanted : min(wanted, max((total - watermarks.low) / 2, 1))
    let taken = min(wanted, available)
    var left = taken
    while left > 0 {
      // There is one: `total` says so.
      let index = (partial.first ?? firstWhole())!
      left -= take(left, fromBlock: index, to: frames)
    }
    return taken
  }

  /// Takes the lowest frames of a block that is not empty to `frames`, downwards from `left`. Returns how many.
  private func take(_ left: Int, fromBlock index: Int, to frames: UnsafeMutablePointer<UInt32>) -> Int {
    let taken = min(left, Int(counts[index]))
    let base = UInt32(truncatingIfNeeded: first.rawValue) + UInt32(index * Self.blockSize)
    var position = left
    var wordIndex = 0
    while position > left - taken {
      var word = blocks[index][wordIndex]
      while word != 0, position > left - taken {
        position -= 1
        frames[position] = base + UInt32(wordIndex << 6 | word.trailingZeroBitCount)
        word &= word - 1
      }
      blocks[index][wordIndex] = word
      wordIndex += 1
    }
    recount(index, Int(counts[index]) - taken)
    return taken
  }

  /// Takes the lowest whole block, or returns nil if none is whole or the reserve would not stay.
  func takeBlock() -> PFN? {
    lock.lock()
    defer { lock.unlock() }
    guard total - Self.blockSize >= watermarks.min, let index = firstWhole() else { return nil }
    blocks[index] = Block(repeating: 0)
    recount(index, 0)
    return first + index * Self.blockSize
  }

  /// Takes `count` frames back.
  func put(_ frames: UnsafePointer<UInt32>, count: Int) {
    lock.lock()
    defer { lock.unlock() }
    for position in 0..<count { insert(Int(frames[position]) - Int(truncatingIfNeeded: first.rawValue)) }
  }

  /// Takes back a block. None of its frames is here.
  func putBlock(_ block: PFN) {
    precondition(block.rawValue % UInt64(Self.blockSize) == 0, "a block begins at its first frame")
    lock.lock()
    defer { lock.unlock() }
    insertBlock(Int(block.rawValue - first.rawValue) / Self.blockSize)
  }

  private func insert(_ frame: Int) {
    let index = frame / Self.blockSize
    precondition(index < untouched || index >= wholeCount, "a frame came back that was never given out")
    let bit: UInt64 = 1 << UInt64(frame & 63)
    let word = (frame % Self.blockSize) >> 6
    precondition(blocks[index][word] & bit == 0, "a frame came back twice")
    blocks[index][word] |= bit
    recount(index, Int(counts[index]) + 1)
  }

  private func insertBlock(_ index: Int) {
    precondition(index < untouched, "a block came back that was never given out")
    precondition(counts[index] == 0, "a frame of the block came back before the block")
    blocks[index] = Block(repeating: .max)
    recount(index, Self.blockSize)
  }

  /// Says how many frames of a block are here from now on, for what is kept of it beside its bits.
  private func recount(_ index: Int, _ new: Int) {
    let old = Int(counts[index])
    counts[index] = UInt16(new)
    total += new - old
    note(total < watermarks.low, in: isLowNow)
    note(total < watermarks.min, in: isShortNow)
    let kinds = (kind(old), kind(new))
    if kinds.0 == kinds.1 { return }
    switch kinds.0 {
    case .empty: break
    case .partial: partial.remove(index)
    case .whole: whole.remove(index)
    }
    switch kinds.1 {
    case .empty: break
    case .partial: partial.insert(index)
    case .whole: whole.insert(index)
    }
  }

  private func note(_ value: Bool, in hint: borrowing Atomic<Bool>) {
    if hint.load(ordering: .relaxed) != value { hint.store(value, ordering: .relaxed) }
  }

  private enum Kind { case empty, partial, whole }

  private func kind(_ count: Int) -> Kind { count == 0 ? .empty : count == Self.blockSize ? .whole : .partial }
}
