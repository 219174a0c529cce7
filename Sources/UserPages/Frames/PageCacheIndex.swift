import Synchronization

/// Which frame holds each page of a file, if one does: the index of a page cache (Linux's `i_pages`).
///
/// One atomic word a page. A look-up takes no lock. An entry is changed by one compare-and-swap. The cache has one
/// reference on each frame that is in the index. The index itself counts nothing.
///
/// The place of a page in the swap file has its slot instead (Linux's value entries). Only `SwapArea` puts slots there
/// and takes them out, under its monitor.
///
/// A collapse withholds the places that it is about to fill anew. The word of such a place remembers what was there,
/// and answers no look-up. It has neither a frame nor a slot, and is not empty. Only the collapse changes it.
///
/// A file may be of any length, and most of it a hole. So memory is taken where a page has been (`SparseWords`), and a
/// walk over the file skips what never had one. Each level of marks has a word for 512 of the level below, as a page
/// table does.
final class PageCacheIndex: Sendable {
  private static let fanOut = 512
  /// Set in the word of a page that is in the swap file.
  private static let swappedBit: UInt64 = 1 << 63
  /// Set in the word of a place that a collapse withholds.
  private static let withheldBit: UInt64 = 1 << 62

  let count: Int
  /// A frame number plus one, a swap slot with `swappedBit`, or 0 for empty. A withheld place has the first or the last
  /// of these, with `withheldBit`.
  private let words: SparseWords
  /// The lowest level first. A mark is 1 once a word below it was stored to, and stays.
  private let marks: [SparseWords]

  /// - Throws: `outOfMemory` if the process lacks the address space.
  init(count: Int, _ failures: AllocationFailures = AllocationFailures()) throws(PageError) {
    // The index of a small file is on the heap.
    if count > Self.fanOut { try failures.check() }
    guard let words = SparseWords(count: count) else { throw .outOfMemory }
    var marks: [SparseWords] = []
    var width = count
    while width > Self.fanOut {
      width = (width + Self.fanOut - 1) / Self.fanOut
      try failures.check()
      guard let level = SparseWords(count: width) else { throw .outOfMemory }
      marks.append(level)
    }
    self.count = count
    self.words = words
    self.marks = marks
  }

  /// The frame of a page. Nil if the page has none, also if it is in the swap file.
  subscript(index: Int) -> PFN? {
    // ORDERING [slot-publish]: acquire, pairs with `install`'s release: a thread that finds a frame finds its contents.
    let word = words[index]
    return word == 0 || word & (Self.swappedBit | Self.withheldBit) != 0 ? nil : PFN(word - 1)
  }

  /// The slot of a page that is in the swap file.
  func slot(at index: Int) -> SwapSlot? {
    let word = words[index]
    return word & Self.swappedBit == 0 ? nil : SwapSlot(Int(word & ~Self.swappedBit))
  }

  /// Whether a page has neither a frame nor a slot, and no collapse withholds its place.
  func isEmpty(_ index: Int) -> Bool { words[index] == 0 }

  /// Enters the frame of a page that has none. Returns false if the page has one.
  ///
  /// ORDERING [slot-publish]: release (and more): the frame was filled before.
  func install(_ pfn: PFN, at index: Int) -> Bool {
    mark(index)
    return words.replace(0, with: pfn.rawValue + 1, at: index)
  }

  /// Marks first: a walk that begins when the frame is there finds it.
  private func mark(_ index: Int) {
    var place = index
    for level in marks {
      place /= Self.fanOut
      if level[place] == 0 { _ = level.replace(0, with: 1, at: place) }
    }
  }

  /// Takes out the frame of a page. Returns false if the page has another one, or none.
  func remove(_ pfn: PFN, at index: Int) -> Bool { words.replace(pfn.rawValue + 1, with: 0, at: index) }

  // MARK: Pages in the swap file

  /// Puts a slot in the place of a page's frame. Returns false if the page has another one, or none.
  func replace(_ pfn: PFN, with slot: SwapSlot, at index: Int) -> Bool {
    words.replace(pfn.rawValue + 1, with: UInt64(slot.rawValue) | Self.swappedBit, at: index)
  }

  /// Puts a frame in the place of a page's slot, or nothing. Returns false if the page has another slot, or none.
  ///
  /// ORDERING [slot-publish]: as `install`.
  func replace(_ slot: SwapSlot, with pfn: PFN?, at index: Int) -> Bool {
    words.replace(UInt64(slot.rawValue) | Self.swappedBit, with: pfn.map { $0.rawValue + 1 } ?? 0, at: index)
  }

  // MARK: Places that a collapse withholds

  /// Whether a collapse withholds the place of a page.
  func isWithheld(_ index: Int) -> Bool { words[index] & Self.withheldBit != 0 }

  /// Withholds a place that is empty or has a frame. The frame, if there is one, is the caller's to put back or to
  /// replace.
  ///
  /// The caller keeps other threads from filling an empty place, and from emptying a place with a frame. A page that
  /// comes in from the swap file meanwhile is no obstacle.
  func withhold(_ index: Int) {
    mark(index)
    while true {
      let word = words[index]
      precondition(word & (Self.swappedBit | Self.withheldBit) == 0, "a place was withheld that has no frame to copy")
      if words.replace(word, with: word | Self.withheldBit, at: index) { return }
    }
  }

  /// The frame that a withheld place had. Nil if it was empty.
  func withheldFrame(at index: Int) -> PFN? {
    let word = words[index]
    precondition(word & Self.withheldBit != 0, "a place is not withheld")
    return word == Self.withheldBit ? nil : PFN((word & ~Self.withheldBit) - 1)
  }

  /// Gives a withheld place the frame that it had, or leaves it empty as it was.
  func restore(_ index: Int) { release(index, with: withheldFrame(at: index)) }

  /// Gives a withheld place a frame, or leaves it empty.
  ///
  /// ORDERING [slot-publish]: as `install`.
  func release(_ index: Int, with pfn: PFN?) {
    let isReleased = words.replace(words[index], with: pfn.map { $0.rawValue + 1 } ?? 0, at: index)
    precondition(isReleased, "a place that a collapse withholds was changed")
  }

  // MARK: All pages

  /// Calls `body` for every page of a range that has a frame or a slot, in order, until it returns false. A page that
  /// gets or loses one meanwhile may be met or not.
  ///
  /// - Complexity: O(pages that ever had a frame, each with its 511 neighbours). Not of the file's length.
  func forEach(in range: Range<Int>, _ body: (_ page: Int) -> Bool) {
    _ = visit(0..<(marks.last ?? words).count, level: marks.count, range.clamped(to: 0..<count), body)
  }

  /// Visits the words `places` of a level, 0 for the pages themselves, as far as they lead to pages of `range`. Returns
  /// false if `body` did.
  private func visit(_ places: Range<Int>, level: Int, _ range: Range<Int>, _ body: (Int) -> Bool) -> Bool {
    var pages = 1
    for _ in 0..<level { pages *= Self.fanOut }
    if range.isEmpty { return true }
    for place in places.clamped(to: range.lowerBound / pages..<(range.upperBound - 1) / pages + 1) {
      if level == 0 {
        if !isEmpty(place), !body(place) { return false }
      } else if marks[level - 1][place] != 0 {
        let below = level == 1 ? count : marks[level - 2].count
        let places = place * Self.fanOut..<min((place + 1) * Self.fanOut, below)
        guard visit(places, level: level - 1, range, body) else { return false }
      }
    }
    return true
  }
}
