import Glibc

/// A set of small numbers. Its lowest member is found in a few loads.
///
/// Level 0 has a bit for each number. A bit of each level above says that the word of 64 below it is not zero. Six bits
/// of the number a level: at most `levelLimit` words are read or written by anything here. One bit and a 63rd for each
/// number.
///
/// A trivial value without a lock of its own: `FrameDepot` guards it.
struct BitTree: @unchecked Sendable {
  private static let levelLimit = 6

  // Freed by the owner. The levels one after another, the widest first.
  private let words: UnsafeMutablePointer<UInt64>
  private let starts: InlineArray<6, Int>
  private let levels: Int

  /// An empty set of numbers below `bound`.
  init(below bound: Int) {
    var starts = InlineArray<6, Int>(repeating: 0)
    var levels = 0
    var total = 0
    var width = max(bound, 1)
    repeat {
      width = (width + 63) / 64
      starts[levels] = total
      total += width
      levels += 1
    } while width > 1
    precondition(levels <= Self.levelLimit)
    // From `calloc`: what is never a member's word takes no memory.
    guard let zeroes = calloc(total, MemoryLayout<UInt64>.stride) else { fatalError("out of memory for \(bound) bits") }
    words = zeroes.bindMemory(to: UInt64.self, capacity: total)
    self.starts = starts
    self.levels = levels
  }

  /// Frees the memory.
  func release() { free(words) }

  /// The lowest member.
  var first: Int? {
    var number = 0
    for level in stride(from: levels - 1, through: 0, by: -1) {
      let word = words[starts[level] + number]
      if word == 0 { return nil }
      number = number << 6 | word.trailingZeroBitCount
    }
    return number
  }

  func insert(_ number: Int) {
    var number = number
    for level in 0..<levels {
      let word = words + (starts[level] + number >> 6)
      let old = word.pointee
      word.pointee = old | 1 << UInt64(number & 63)
      if old != 0 { return }
      number >>= 6
    }
  }

  func remove(_ number: Int) {
    var number = number
    for level in 0..<levels {
      let word = words + (starts[level] + number >> 6)
      word.pointee &= ~(1 << UInt64(number & 63))
      if word.pointee != 0 { return }
      number >>= 6
    }
  }
}
