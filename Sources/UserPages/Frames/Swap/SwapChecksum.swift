/// What tells that a page came back as it went: a page in a wrong place, half a write, a slot that was used again too early.
///
/// For the protocol's mistakes, not the disk's: a word at a time, so that debug builds stay quick, where the image format's
/// CRC-32C goes byte by byte.
enum SwapChecksum {
  /// Of a page's bytes, aligned to words, which nobody writes to.
  static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    let words = bytes.assumingMemoryBound(to: UInt64.self)
    var sum: UInt64 = 0xcbf2_9ce4_8422_2325
    for index in 0..<words.count { sum = (sum ^ words[index]) &* 0x100_0000_01b3 }
    return sum
  }
}
