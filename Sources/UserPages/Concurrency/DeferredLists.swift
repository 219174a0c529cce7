import Synchronization

/// Lists of deferred words, one for each shard: the owner adds at the end, and drains take from the front. Adding takes
/// no lock.
///
///     the shard's owner                        a drain
///     writes a word behind the end
///     end <- end + 1 (release)  ------------>  reads end (acquire)
///                                              a whole grace period
///                                              under the shard's drain lock: frees the words up to that end
///                                              front <- that end (release)  --->  a thread that looks for what is left
///
/// ORDERING [word-then-end]: release and acquire. A drain that sees an end sees the words before it, and what their
/// owner did before it added them. A thread that sees a front sees that what lies before it is free.
///
/// Words lie in linked chunks of a page. The owner links a chunk before it counts a word in it. A drain gives a chunk
/// back when it goes on to the next one, which the owner has gone on to before. So neither holds a chunk that the other
/// has freed.
///
/// What the owner, the drains and all threads use lies apart, in memory of its own: see `LockArray`.
struct DeferredLists: @unchecked Sendable {
  private static let wordsInChunk = 511

  /// A link, then words. Plain memory: [word-then-end] orders all accesses.
  private typealias Chunk = UnsafeMutablePointer<DeferredWord>

  /// For the owner alone.
  private struct Adding {
    var last: Chunk?
    var used = 0
    private let padding: InlineArray<14, UInt64> = .init(repeating: 0)
  }

  /// For the holder of the drain lock alone.
  private struct Taking {
    var first: Chunk?
    var used = 0
    private let padding: InlineArray<14, UInt64> = .init(repeating: 0)
  }

  /// For all threads. The owner writes the first two, drains write the others, each on a line of its own.
  private struct Positions: ~Copyable {
    let end = Atomic<Int>(0)
    let firstChunk = Atomic<UInt>(0)
    private let padding: InlineArray<14, UInt64> = .init(repeating: 0)
    let front = Atomic<Int>(0)
    let freedWeight = Atomic<Int>(0)
    private let morePadding: InlineArray<14, UInt64> = .init(repeating: 0)
  }

  private let count: Int
  // Freed by the owner of the value.
  private let adding: UnsafeMutablePointer<Adding>
  private let taking: UnsafeMutablePointer<Taking>
  private let positions: UnsafeMutablePointer<Positions>

  init(count: Int) {
    self.count = count
    // Few threads use a machine, so few of the lists are ever touched.
    adding = ZeroedMemory.allocate(count)
    taking = ZeroedMemory.allocate(count)
    positions = ZeroedMemory.allocate(count)
  }

  /// Frees the memory. No thread may use the lists any more, and all of them are empty.
  func release() {
    for index in 0..<count {
      precondition(isEmpty(index), "a queue of deferred frees was dropped with words in it")
      // The chunk that the owner adds to. Drains have freed those before it, unless they had no reason yet to go on to
      // it.
      var chunk = taking[index].first ?? Chunk(bitPattern: positions[index].firstChunk.load(ordering: .acquiring))
      while let one = chunk {
        chunk = one == adding[index].last ? nil : Self.next(after: one)
        one.deallocate()
      }
    }
    ZeroedMemory.release(adding, count: count)
    ZeroedMemory.release(taking, count: count)
    ZeroedMemory.release(positions, count: count)
  }

  // MARK: Any thread

  /// How many words the list has ever had. Those of the calling thread's past are counted.
  @inline(__always) func end(of index: Int) -> Int { positions[index].end.load(ordering: .acquiring) }

  /// How many words, from the first on, are free.
  @inline(__always) func front(of index: Int) -> Int { positions[index].front.load(ordering: .acquiring) }

  /// What `take` was told that the free words weighed.
  @inline(__always) func freedWeight(of index: Int) -> Int { positions[index].freedWeight.load(ordering: .relaxed) }

  @inline(__always) func isEmpty(_ index: Int) -> Bool { front(of: index) == end(of: index) }

  // MARK: The owner

  /// Adds a word.
  @inline(__always)
  func append(_ word: DeferredWord, to index: Int) {
    let own = adding + index
    if _slowPath(own.pointee.last == nil || own.pointee.used == Self.wordsInChunk) { addChunk(to: index) }
    own.pointee.used += 1
    own.pointee.last.unsafelyUnwrapped[own.pointee.used] = word
    let end = positions + index
    // ORDERING [word-then-end].
    end.pointee.end.store(end.pointee.end.load(ordering: .relaxed) &+ 1, ordering: .releasing)
  }

  @inline(never)
  private func addChunk(to index: Int) {
    let chunk = Chunk.allocate(capacity: 1 + Self.wordsInChunk)
    let word = UInt(bitPattern: chunk)
    if let last = adding[index].last {
      last.initialize(to: DeferredWord(rawValue: UInt64(word)))
    } else {
      positions[index].firstChunk.store(word, ordering: .releasing)
    }
    adding[index].last = chunk
    adding[index].used = 0
  }

  private static func next(after chunk: Chunk) -> Chunk? { Chunk(bitPattern: UInt(chunk.pointee.rawValue)) }

  // MARK: The holder of the drain lock

  /// Lends `body` the words up to `end` that have not been taken, in pieces, and takes them. `body` may write to them,
  /// and returns what they weigh.
  func take(upTo end: Int, from index: Int, _ body: (UnsafeMutableBufferPointer<DeferredWord>) -> Int) {
    let front = front(of: index)
    var left = end - front
    guard left > 0 else { return }
    var weight = 0
    forEachPiece(of: index, left) { piece in
      weight += body(piece)
      left -= piece.count
    }
    positions[index].freedWeight.store(freedWeight(of: index) + weight, ordering: .relaxed)
    // ORDERING [word-then-end].
    positions[index].front.store(end, ordering: .releasing)
  }

  private func forEachPiece(of index: Int, _ count: Int, _ body: (UnsafeMutableBufferPointer<DeferredWord>) -> Void) {
    var left = count
    var (first, used) = (taking[index].first, taking[index].used)
    while left > 0 {
      if first == nil {
        first = Chunk(bitPattern: positions[index].firstChunk.load(ordering: .acquiring))
      } else if used == Self.wordsInChunk, let full = first {
        first = Self.next(after: full)
        used = 0
        full.deallocate()
      }
      guard let chunk = first else { preconditionFailure("a deferred word has no place") }
      let piece = UnsafeMutableBufferPointer(start: chunk + 1 + used, count: min(left, Self.wordsInChunk - used))
      body(piece)
      used += piece.count
      left -= piece.count
    }
    taking[index].first = first
    taking[index].used = used
  }

  /// A copy of the words that have not been taken.
  func copy(of index: Int) -> [DeferredWord] {
    var words: [DeferredWord] = []
    var left = end(of: index) - front(of: index)
    var (next, used) = (taking[index].first, taking[index].used)
    if next == nil { next = Chunk(bitPattern: positions[index].firstChunk.load(ordering: .acquiring)) }
    while left > 0, let chunk = next {
      let count = min(left, Self.wordsInChunk - used)
      words += UnsafeMutableBufferPointer(start: chunk + 1 + used, count: count)
      left -= count
      used = 0
      if left > 0 { next = Self.next(after: chunk) }
    }
    return words
  }
}
