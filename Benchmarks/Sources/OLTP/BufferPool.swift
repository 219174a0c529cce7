import Measuring
import Synchronization
import UserPages

/// The database's buffer pool: anonymous memory of one address space, with its own replacement.
///
/// Order of locks: the latch of a frame, then the lock of a bucket, then the log's. A latch is waited for while holding
/// latches of pages with smaller numbers only; whoever transfers a page holds that page's latch and no other.
final class BufferPool: @unchecked Sendable {
  // Sendable: frames are reached under the rules that `PoolFrame` states.
  let space: AddressSpace
  let storage: Storage
  let log: LogWriter
  let geometry: Geometry
  let count: Int
  let frames: UnsafeMutablePointer<PoolFrame>
  private let latches: Latches
  private let directory: PoolDirectory
  private let hand = Atomic<Int>(0)
  let misses = Atomic<Int>(0)
  let writeBacks = Atomic<Int>(0)

  init(
    _ space: AddressSpace, _ storage: Storage, _ log: LogWriter, _ geometry: Geometry, pages: Int
  ) throws(Failure) {
    self.space = space
    self.storage = storage
    self.log = log
    self.geometry = geometry
    count = pages
    frames = .allocate(capacity: pages)
    for index in 0..<pages { (frames + index).initialize(to: PoolFrame()) }
    latches = Latches(count: pages)
    directory = PoolDirectory(frames: pages)
    do {
      try space.map(at: Areas.pool, pages: pages, protection: .readWrite)
      try space.advise(at: Areas.pool, pages: pages, .populateWrite)
    } catch { throw Failure("cannot map a buffer pool of \(pages) pages", error) }
  }

  deinit {
    frames.deinitialize(count: count)
    frames.deallocate()
    latches.deallocate()
    directory.deallocate()
  }

  @inline(__always)
  func address(of frame: Int) -> VirtualAddress { Areas.pool + frame * Page.size }

  /// Holds `page` in the pool, reading it if it is not there. Its bytes are good once its latch is held.
  func fix(_ page: Int, _ meter: inout PinMeter) throws(Failure) -> Int {
    let bucket = directory.bucket(of: page)
    if let frame = lookUp(page, in: bucket) { return frame }
    let (frame, isNew) = try install(page, in: bucket, &meter)
    guard isNew else { return frame }
    defer { latches.unlock(frame) }
    misses.wrappingAdd(1, ordering: .relaxed)
    try Transfer.read(page, geometry.kind(of: page), to: address(of: frame), space, storage, &meter)
    frames[frame].valid = true
    return frame
  }

  /// Holds `page`, which nobody used yet, empty and unread.
  func fixNew(_ page: Int, _ meter: inout PinMeter) throws(Failure) -> Int {
    let (frame, isNew) = try install(page, in: directory.bucket(of: page), &meter)
    precondition(isNew, "a new page cannot be in the pool")
    defer { latches.unlock(frame) }
    do { try space.store(Self.blank.span.bytes, at: address(of: frame)) } catch {
      throw Failure("cannot clear a frame", error)
    }
    try storeHeader(frame, page)
    frames[frame].valid = true
    return frame
  }

  private static let blank = [UInt8](repeating: 0, count: Page.size)

  private func storeHeader(_ frame: Int, _ page: Int) throws(Failure) {
    do {
      let start = address(of: frame)
      try space.store(geometry.kind(of: page).rawValue, at: start + PageHeader.kindOffset)
      try space.store(UInt64(page), at: start + PageHeader.numberOffset)
    } catch { throw Failure("cannot format a page", error) }
  }

  @inline(__always)
  func unfix(_ frame: Int) {
    frames[frame].fixes.wrappingSubtract(1, ordering: .releasing)
  }

  /// Takes the latch of a frame that the caller holds. False: its page could not be read, the run is failing.
  @inline(__always)
  func latch(_ frame: Int) -> Bool {
    latches.lock(frame)
    return frames[frame].valid
  }

  @inline(__always)
  func unlatch(_ frame: Int) { latches.unlock(frame) }

  /// The caller, who holds fix and latch, changed the page with the record `sequence` of the log.
  @inline(__always)
  func markChanged(_ frame: Int, _ sequence: UInt64) throws(PageError) {
    try space.store(sequence, at: address(of: frame) + PageHeader.sequenceOffset)
    frames[frame].sequence = sequence
    frames[frame].dirty.store(true, ordering: .relaxed)
  }

  /// The frame of `page` if it is in the pool, held.
  @inline(__always)
  func lookUp(_ page: Int, in bucket: Int) -> Int? {
    directory.lock(bucket)
    defer { directory.unlock(bucket) }
    guard let frame = directory.find(page, in: bucket, frames) else { return nil }
    frames[frame].fixes.wrappingAdd(1, ordering: .relaxed)
    if !frames[frame].referenced.load(ordering: .relaxed) { frames[frame].referenced.store(true, ordering: .relaxed) }
    return frame
  }

  func fixIfResident(_ page: Int) -> Int? {
    lookUp(page, in: directory.bucket(of: page))
  }

  /// Gives `page` a frame, held; new frames come latched and without content.
  private func install(
    _ page: Int, in bucket: Int, _ meter: inout PinMeter
  ) throws(Failure) -> (frame: Int, isNew: Bool) {
    let frame = try claim(&meter)
    latches.lock(frame)
    directory.lock(bucket)
    if let other = directory.find(page, in: bucket, frames) {
      frames[other].fixes.wrappingAdd(1, ordering: .relaxed)
      directory.unlock(bucket)
      latches.unlock(frame)
      unfix(frame)
      return (other, false)
    }
    frames[frame].valid = false
    frames[frame].sequence = 0
    frames[frame].page.store(page, ordering: .relaxed)
    frames[frame].referenced.store(true, ordering: .relaxed)
    directory.insert(frame, into: bucket, frames)
    directory.unlock(bucket)
    return (frame, true)
  }

  /// A frame that shows no page, held by the caller alone: the clock's choice, written back if need be.
  private func claim(_ meter: inout PinMeter) throws(Failure) -> Int {
    for _ in 0..<count * 16 {
      let index = hand.wrappingAdd(1, ordering: .relaxed).oldValue % count
      guard frames[index].fixes.load(ordering: .relaxed) == 0 else { continue }
      if frames[index].referenced.load(ordering: .relaxed) {
        frames[index].referenced.store(false, ordering: .relaxed)
        continue
      }
      let page = frames[index].page.load(ordering: .relaxed)
      if page < 0 {
        guard takeUnused(index) else { continue }
        // It may have been given a page, and let go again, since it was looked at.
        if frames[index].page.load(ordering: .relaxed) < 0 { return index }
        unfix(index)
      } else if try evict(index, page, &meter) {
        return index
      }
    }
    throw Failure("the buffer pool of \(count) pages is too small: all are in use")
  }

  @inline(__always)
  private func takeUnused(_ index: Int) -> Bool {
    frames[index].fixes.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
  }

  private func evict(_ index: Int, _ page: Int, _ meter: inout PinMeter) throws(Failure) -> Bool {
    let bucket = directory.bucket(of: page)
    directory.lock(bucket)
    let isTaken = frames[index].page.load(ordering: .relaxed) == page && takeUnused(index)
    directory.unlock(bucket)
    guard isTaken else { return false }
    if frames[index].dirty.load(ordering: .relaxed) { try writeBack(index, &meter) }
    directory.lock(bucket)
    defer { directory.unlock(bucket) }
    let isOurs = frames[index].fixes.load(ordering: .acquiring) == 1
    if isOurs && !frames[index].dirty.load(ordering: .relaxed) {
      directory.remove(index, from: bucket, frames)
      frames[index].page.store(-1, ordering: .relaxed)
      return true
    }
    unfix(index)
    return false
  }

  /// Writes a held frame back, its log first.
  private func writeBack(_ index: Int, _ meter: inout PinMeter) throws(Failure) {
    latches.lock(index)
    defer { latches.unlock(index) }
    guard frames[index].dirty.load(ordering: .relaxed) else { return }
    try log.flush(upTo: frames[index].sequence, &meter)
    let page = frames[index].page.load(ordering: .relaxed)
    let start = address(of: index)
    try Transfer.write(page, from: start, space, storage, &meter) { (bytes) throws(PageError) in
      try space.store(PageHeader.checksum(bytes), at: start + PageHeader.checksumOffset)
    }
    frames[index].dirty.store(false, ordering: .relaxed)
    writeBacks.wrappingAdd(1, ordering: .relaxed)
  }

  /// Writes every changed page back.
  func flush(_ meter: inout PinMeter) throws(Failure) {
    for index in 0..<count where frames[index].dirty.load(ordering: .relaxed) {
      frames[index].fixes.wrappingAdd(1, ordering: .relaxed)
      defer { unfix(index) }
      try writeBack(index, &meter)
    }
  }
}
