import CSQLite
import UserPages

/// Reads, writes, the file's length and syncs.
extension Connection {
  /// Copies bytes out of the pool.
  ///
  /// What it cannot answer, the default VFS does. So an error of the disk, or a file that another program has cut, is
  /// the error that SQLite knows.
  func read(_ bytes: UnsafeMutableRawPointer, _ count: Int, _ offset: Int) -> Int32 {
    guard mayUsePool() else { return inner.read(bytes, Int32(count), Int64(offset)) }
    ConnectionCounters.add(1, to: counters.reads)
    do throws(PageError) {
      var span = MutableRawSpan(_unsafeStart: bytes, byteCount: count)
      if try pool.cache.read(at: offset, into: &span) == count { return SQLITE_OK }
    } catch {
      // The pool's pages of the range may be newer than the file's. Only those count, unless the connection writes.
      if level < SQLITE_LOCK_RESERVED { handle.skipWriteErrors() }
      let flushed = flush(Self.pages(offset, count))
      if flushed != SQLITE_OK { return error.isLackOfMemory ? flushed : ResultCode.of(error, ResultCode.read) }
    }
    return inner.read(bytes, Int32(count), Int64(offset))
  }

  /// Copies bytes into the pool.
  func write(_ bytes: UnsafeRawPointer, _ count: Int, _ offset: Int) -> Int32 {
    // Without locks (`nolock=1`) no connection reads from the pool.
    guard level >= SQLITE_LOCK_SHARED else { return inner.write(bytes, Int32(count), Int64(offset)) }
    do throws(PageError) {
      try pool.cache.write(RawSpan(_unsafeStart: bytes, byteCount: count), at: offset)
      if writesThrough { try writeBack(Self.pages(offset, count)) }
      return SQLITE_OK
    } catch {
      let code = resultCode(of: error, ResultCode.write)
      discardUnwritten()
      return code
    }
  }

  /// Forgets what a failed write of a checkpoint left dirty. SQLite has heard of the error, and the WAL has the pages.
  ///
  /// Without it a commit is lost:
  /// 1. This process's checkpoint fails to write page p.
  /// 2. Another process commits p anew, checkpoints it and begins the WAL anew.
  /// 3. A flush, an eviction or the pool's end writes the older p.
  private func discardUnwritten() { if writesThrough { pool.coherence.discard() } }

  /// The code of an error of a write. If no page could go because none could be written, that is the error.
  private func resultCode(of error: PageError, _ purpose: Int32) -> Int32 {
    guard error == .outOfMemory else { return ResultCode.of(error, purpose) }
    do throws(PageError) { try handle.check() } catch { return ResultCode.of(error, purpose) }
    return ResultCode.of(.outOfMemory, purpose)
  }

  /// Cuts the pool's pages and then the file, and returns when the file has all that was written.
  ///
  /// It is a checkpoint's last call with an error that SQLite heeds: it ignores that of `SQLITE_FCNTL_CKPT_DONE`. With
  /// `synchronous=OFF` it calls no `xSync`. After a success it deletes the WAL, or begins it anew.
  func truncate(_ size: Int64) -> Int32 {
    guard level >= SQLITE_LOCK_SHARED else { return inner.truncate(size) }
    let size = chunkSize > 0 ? (size + chunkSize - 1) / chunkSize * chunkSize : size
    do throws(PageError) {
      try pool.cache.setByteCount(Int(size))
      try writeBack()
      return SQLITE_OK
    } catch {
      discardUnwritten()
      return ResultCode.of(error, ResultCode.truncate)
    }
  }

  /// The file's length.
  ///
  /// SQLite asks in each transaction. In rollback mode the look that came with SHARED has found it. A file without a
  /// page is left to the default VFS: SQLite deletes journals by its answer.
  func size(_ size: UnsafeMutablePointer<Int64>?) -> Int32 {
    guard let sharedByteCount, sharedByteCount >= Page.size else { return inner.size(size) }
    size?.pointee = Int64(sharedByteCount)
    return SQLITE_OK
  }

  /// Returns when the disk has all that was written.
  func sync() -> Int32 {
    do throws(PageError) {
      try handle.sync()
      return SQLITE_OK
    } catch {
      // What the disk did not make durable is dirty again.
      retryCheckpointSync()
      return ResultCode.of(error, ResultCode.sync)
    }
  }

  /// Writes what a failed sync of a checkpoint left dirty once more, and forgets what then is still dirty.
  ///
  /// SQLite has the WAL for the pages of this checkpoint, and none for those of an earlier part: that was over without
  /// a sync, and no checkpoint copies it again. The connection has the checkpoint lock still, so no other process has
  /// written these pages since. The error stands: a page that was evicted is not written again.
  private func retryCheckpointSync() {
    guard writesThrough else { return }
    do throws(PageError) { try handle.sync() } catch { pool.coherence.discard() }
  }

  /// Returns when the file has all that was written.
  func flush(_ pages: Range<Int> = 0..<Int.max) -> Int32 {
    do throws(PageError) {
      try writeBack(pages)
      return SQLITE_OK
    } catch {
      return ResultCode.of(error, ResultCode.write)
    }
  }

  /// Writes what is dirty, and returns when the file has it.
  ///
  /// - Throws: the error of a write since the connection's last report, also of one by an eviction.
  private func writeBack(_ pages: Range<Int> = 0..<Int.max) throws(PageError) {
    try pool.cache.flush(pages)
    try handle.check()
  }

  /// The pool takes over the length that the default VFS gave the file (`SQLITE_FCNTL_SIZE_HINT`).
  func growToFile() -> Int32 {
    var size: Int64 = 0
    let result = inner.size(&size)
    guard result == SQLITE_OK, level >= SQLITE_LOCK_SHARED, Int(size) > pool.cache.byteCount else { return result }
    do throws(PageError) {
      try pool.cache.setByteCount(Int(size))
      return SQLITE_OK
    } catch {
      return ResultCode.of(error, ResultCode.truncate)
    }
  }

  private static func pages(_ offset: Int, _ count: Int) -> Range<Int> {
    offset / Page.size..<(offset + count + Page.size - 1) / Page.size
  }
}
