import CSQLite
import UserPages

/// The locks on the file. The default VFS has them, and the pool learns of them here (`Coherence`).
extension Connection {
  /// Raises the lock.
  mutating func lock(_ wanted: Int32) -> Int32 {
    if let locks = pool.locks {
      guard locks.lock(owner, from: level, to: wanted) else { return SQLITE_BUSY }
      if wanted > max(level, SQLITE_LOCK_SHARED) { handle.skipWriteErrors() }
      level = max(level, wanted)
      return SQLITE_OK
    }
    let result = inner.lock(wanted)
    if result != SQLITE_OK, wanted == SQLITE_LOCK_EXCLUSIVE, level == SQLITE_LOCK_SHARED {
      // SQLite has found a journal to play back, and another process does so. Until then the file was no transaction's.
      pool.coherence.forgetVersion()
    }
    guard result == SQLITE_OK, wanted > level else { return result }
    if level == SQLITE_LOCK_NONE {
      do throws(PageError) { sharedByteCount = try pool.coherence.enterShared(inner) } catch {
        _ = inner.unlock(SQLITE_LOCK_NONE)
        return ResultCode.of(error, ResultCode.lock)
      }
      pool.periods.enter()
    } else if wanted == SQLITE_LOCK_EXCLUSIVE {
      do throws(PageError) { try pool.coherence.enterExclusive(walIndex) } catch {
        _ = inner.unlock(SQLITE_LOCK_SHARED)
        level = SQLITE_LOCK_SHARED
        return ResultCode.of(error, ResultCode.lock)
      }
    }
    if wanted > SQLITE_LOCK_SHARED {
      handle.skipWriteErrors()
      sharedByteCount = nil
    }
    level = wanted
    return result
  }

  /// Lowers the lock. Before, the file gets all that was written under it.
  mutating func unlock(_ wanted: Int32) -> Int32 {
    if let locks = pool.locks {
      // PENDING too, which the connection may have without knowing.
      let flushed = level >= SQLITE_LOCK_RESERVED ? flush() : SQLITE_OK
      locks.unlock(owner, from: level, to: wanted)
      level = min(level, wanted)
      return flushed == SQLITE_OK ? SQLITE_OK : ResultCode.unlock
    }
    guard wanted < level else { return inner.unlock(wanted) }
    var flushed = SQLITE_OK
    if level >= SQLITE_LOCK_RESERVED {
      flushed = flush()
      // SQLite has the journal still if it did not hear of this before. The pool must not write these pages later,
      // under no lock.
      if flushed != SQLITE_OK { pool.coherence.discard() }
      pool.coherence.noteOwnWrites()
    }
    if wanted == SQLITE_LOCK_NONE { leaveShared() }
    sharedByteCount = nil
    level = wanted
    let result = inner.unlock(wanted)
    return flushed == SQLITE_OK ? result : ResultCode.unlock
  }

  /// Counts the connection out. It is about to unlock SHARED.
  func leaveShared() {
    pool.periods.leave()
    pool.coherence.leaveShared()
  }
}

extension Connection {
  /// Whether a connection has RESERVED or more.
  func checkReservedLock(_ isReserved: UnsafeMutablePointer<Int32>?) -> Int32 {
    guard let locks = pool.locks else { return inner.checkReservedLock(isReserved) }
    isReserved?.pointee = locks.isReserved ? 1 : 0
    return SQLITE_OK
  }
}

/// The shared memory of a WAL, and its locks.
extension Connection {
  mutating func mapSharedMemory(
    _ region: Int32, _ size: Int32, _ extends: Int32, _ start: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) -> Int32 {
    if isExclusive { return pool.sharedMemory.map(owner, region, size, extends: extends != 0, start) }
    let result = inner.mapSharedMemory(region, size, extends, start)
    guard region == 0 else { return result }
    // A read-only mapping is as good. Without one nothing tells of other processes' checkpoints.
    if let first = start.pointee {
      if walIndex == nil { pool.coherence.addWALConnection() }
      walIndex = WALIndex(start: first)
      lacksIndex = false
    } else if result != SQLITE_OK {
      leaveWAL()
      lacksIndex = true
    }
    return result
  }

  func lockSharedMemory(_ offset: Int32, _ count: Int32, _ flags: Int32) -> Int32 {
    let locks = offset..<offset + count
    if flags & SQLITE_SHM_UNLOCK == 0, locks.contains(WALIndex.checkpointLock) { handle.skipWriteErrors() }
    if isExclusive { return pool.sharedMemory.lock(owner, offset, count, flags) }
    if flags & SQLITE_SHM_SHARED != 0, let readLock {
      if WALIndex.readMarks.contains(offset) {
        return flags & SQLITE_SHM_UNLOCK != 0 ? pool.readLocks.endRead(readLock, of: offset) : readLock.lock(offset)
      }
      // The default VFS has a connection's shared locks in one word. Where SQLite is built with
      // `SQLITE_ENABLE_SETLK_TIMEOUT`, each lock has a mutex of its own, so no other thread may change that word now.
      readLock.giveBack(WALIndex.readMarks)
    }
    guard let walIndex, flags & SQLITE_SHM_EXCLUSIVE != 0 else { return inner.lockSharedMemory(offset, count, flags) }
    // A recovery has both locks, and checkpoints nothing.
    let isRecovery = locks.contains(WALIndex.recoveryLock)
    let isCheckpoint = locks.contains(WALIndex.checkpointLock) && !isRecovery
    let isWrite = locks.contains(WALIndex.writeLock)
    if flags & SQLITE_SHM_UNLOCK != 0 {
      if isRecovery { pool.coherence.endRecovery() }
      if isWrite { pool.coherence.endWrite(walIndex) }
      if isCheckpoint { pool.coherence.endCheckpoint(walIndex) }
      return inner.lockSharedMemory(offset, count, flags)
    }
    if locks.overlaps(WALIndex.readMarks) { pool.readLocks.giveBack(locks) }
    let result = inner.lockSharedMemory(offset, count, flags)
    guard result == SQLITE_OK else { return result }
    do throws(PageError) {
      if isRecovery { try pool.coherence.beginRecovery() }
      if isWrite { pool.coherence.beginWrite(walIndex) }
      if isCheckpoint { try pool.coherence.beginCheckpoint(walIndex) }
      return result
    } catch {
      _ = inner.lockSharedMemory(offset, count, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE)
      return ResultCode.of(error, ResultCode.lock)
    }
  }

  func sharedMemoryBarrier() {
    if isExclusive { pool.sharedMemory.barrier() } else { inner.sharedMemoryBarrier() }
  }

  mutating func unmapSharedMemory(_ deletes: Int32) -> Int32 {
    if isExclusive {
      pool.sharedMemory.unmap(owner)
      return SQLITE_OK
    }
    if let readLock { pool.readLocks.giveBack(readLock) }
    leaveWAL()
    lacksIndex = false
    return inner.unmapSharedMemory(deletes)
  }

  /// Gives the index up, if there is one.
  mutating func leaveWAL() {
    guard walIndex != nil else { return }
    walIndex = nil
    pool.coherence.removeWALConnection()
  }
}
