import Measuring
import Synchronization
import UserPages

/// The database's buffer pool: anonymous memory of one address space, with its own replacement.
///
/// Lock order: the latch of a frame, then the lock of a bucket, then the log's monitor. A thread waits for a latch only while it
/// holds latches of pages with smaller numbers. A thread that transfers a page holds that page's latch and no other.
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

  /// Fixes `page` in the pool, and reads it if it is not resident. Returns its frame. The bytes are valid once the caller has the
  /// latch, because the reading thread holds it until they are.
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

  /// Fixes `page`, which no thread has used yet, as an empty page. Reads nothing.
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

  /// Latches a frame that the caller has fixed. Returns false if its page could not be read; the run fails then.
  @inline(__always)
  func latch(_ frame: Int) -> Bool {
    latches.lock(frame)
    return frames[frame].valid
  }

  @inline(__always)
  func unlatch(_ frame: Int) { latches.unlock(frame) }

  /// Notes that log record `lsn` changed the page. The caller has fixed and latched the frame.
  @inline(__always)
  func markChanged(_ frame: Int, _ lsn: UInt64) throws(PageError) {
    try space.store(lsn, at: address(of: frame) + PageHeader.lsnOffset)
    frames[frame].lsn = lsn
    frames[frame].dirty.store(true, ordering: .relaxed)
  }

  /// Fixes `page` if it is resident, and returns its frame.
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

  /// Fixes `page` in a frame. A frame that is new to the page comes latched and without its bytes.
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
    frames[frame].lsn = 0
    frames[frame].page.store(page, ordering: .relaxed)
    frames[frame].referenced.store(true, ordering: .relaxed)
    directory.insert(frame, into: bucket, frames)
    directory.unlock(bucket)
    return (frame, true)
  }

  /// Takes the clock's choice away from its page, written back if it is dirty. Returns a frame without a page, fixed by the caller
  /// alone.
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
        guard claimUnfixed(index) else { continue }
        // Between the load and the claim another thread may have installed a page here and unfixed it.
        if frames[index].page.load(ordering: .relaxed) < 0 { return index }
        unfix(index)
      } else if try evict(index, page, &meter) {
        return index
      }
    }
    throw Failure("the buffer pool of \(count) pages is too small: all are in use")
  }

  @inline(__always)
  private func claimUnfixed(_ index: Int) -> Bool {
    frames[index].fixes.compareExchange(expected: 0, desired: 1, ordering: .acquiring).exchanged
  }

  private func evict(_ index: Int, _ page: Int, _ meter: inout PinMeter) throws(Failure) -> Bool {
    let bucket = directory.bucket(of: page)
    directory.lock(bucket)
    let isClaimed = frames[index].page.load(ordering: .relaxed) == page && claimUnfixed(index)
    directory.unlock(bucket)
    guard isClaimed else { return false }
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

  /// Writes a fixed frame back. The log goes first: a page on the disk must not have a change that the log lacks.
  private func writeBack(_ index: Int, _ meter: inout PinMeter) throws(Failure) {
    latches.lock(index)
    defer { latches.unlock(index) }
    guard frames[index].dirty.load(ordering: .relaxed) else { return }
    try log.flush(upTo: frames[index].lsn, &meter)
    let page = frames[index].page.load(ordering: .relaxed)
    let start = address(of: index)
    try Transfer.write(page, from: start, space, storage, &meter) { (bytes) throws(PageError) in
      try space.store(PageHeader.checksum(bytes), at: start + PageHeader.checksumOffset)
    }
    frames[index].dirty.store(false, ordering: .relaxed)
    writeBacks.wrappingAdd(1, ordering: .relaxed)
  }

  /// Writes every dirty page back.
  func flush(_ meter: inout PinMeter) throws(Failure) {
    for index in 0..<count where frames[index].dirty.load(ordering: .relaxed) {
      frames[index].fixes.wrappingAdd(1, ordering: .relaxed)
      defer { unfix(index) }
      try writeBack(index, &meter)
    }
  }
}
