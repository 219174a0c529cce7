/// The number of a page's place in the swap file, from 0.
struct SwapSlot: Hashable, Comparable, Sendable, CustomStringConvertible {
  let rawValue: UInt32

  init(_ number: Int) { rawValue = UInt32(number) }

  var index: Int { Int(rawValue) }

  static func < (left: SwapSlot, right: SwapSlot) -> Bool { left.rawValue < right.rawValue }

  var description: String { "swap slot \(rawValue)" }
}

/// What is known of a slot. `SwapArea` has the table of its states. Guarded by the area's monitor.
struct SwapSlotState {
  enum Writing {
    case idle, queued, underWay
  }

  /// Page-table entries that lead here, or the one place in the index of a memory file (Linux's `swap_map`).
  var users: Int32 = 0
  /// Faults that read from here, page-outs that are not over: the slot is not used for another page meanwhile.
  var holds: Int32 = 0
  /// The frame that has the contents (Linux's swap cache): one reference of it is the slot's. No program stores to it:
  /// it is mapped nowhere, or read-only by the spaces that share it.
  var frame: PFN?
  var writing = Writing.idle
  /// Whether the file has the contents.
  var isWritten = false
  /// The checksum of what was written.
  var checksum: UInt64 = 0

  var isFree: Bool { users == 0 && holds == 0 && writing == .idle }
}

/// A page's checksum: it tells that a page came back from the swap file as it went.
///
/// Four lanes of FNV-1a over 64-bit words, because one lane would wait for its multiplication at every word. Each step
/// of a lane is invertible. So a change within one word, and any swap of two different words in a lane, changes the
/// sum.
enum SwapChecksum {
  /// The checksum of `bytes`: one page, aligned to words, which no other thread writes to. O(page).
  static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let words = bytes.assumingMemoryBound(to: UInt64.self).baseAddress!
    let prime: UInt64 = 0x100_0000_01b3
    var (a, b, c, d): (UInt64, UInt64, UInt64, UInt64) = (
      0xcbf2_9ce4_8422_2325, 0x9ae1_6a3b_2f90_404f, 0xc2b2_ae3d_27d4_eb4f, 0x27d4_eb2f_1656_67c5
    )
    var index = 0
    while index < Page.size / 8 {
      a = (a ^ words[index]) &* prime
      b = (b ^ words[index + 1]) &* prime
      c = (c ^ words[index + 2]) &* prime
      d = (d ^ words[index + 3]) &* prime
      index += 4
    }
    return (((a &* prime ^ b) &* prime ^ c) &* prime) ^ d
  }
}
