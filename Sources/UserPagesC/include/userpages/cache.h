// The page cache: a real file of any size in a limited number of frames.
#ifndef USERPAGES_CACHE_H
#define USERPAGES_CACHE_H

#include "base.h"
#include "pin.h"

UP_BEGIN

/// Whether what is written of a page is one moment's contents, which a checksum or a log needs.
enum {
  /// A page may change while it is written. It is dirty then, and is written again.
  UP_STABILITY_NONE = 0,
  /// A store waits until its page is written (Linux's stable pages).
  UP_STABILITY_WAITS = 1,
  /// Pages are copied, and the copies are written. A store waits until its page is copied.
  UP_STABILITY_COPIES = 2,
  /// Copies where stores meet pages that are written, and waits elsewhere.
  UP_STABILITY_ADAPTS = 3
};

/// How a file is cached. All that is 0 is left out.
typedef struct up_cache_options {
  /// The most frames that the cache holds. At least 1.
  uint64_t limit;
  /// How far the file can grow, in pages. 0 for 2^26. It costs address space, not memory.
  uint64_t maximum_pages;
  /// One of `UP_STABILITY_...`.
  int stability;
  /// Not 0: mappings may not store to pages. `up_file_write` alone changes them, and a write-back waits for no store.
  int refuses_stores;
  /// Not 0: the disk is asked by `preadv(2)` and `pwritev(2)`, and not by io_uring where that is there.
  int uses_calls;
  /// Handed to each hook.
  void *context;
  /// Called before the first store to a page that is clean, and before each further mapping of it may store
  /// (`page_mkwrite`). May be null.
  ///
  /// It may wait, and write pages back. A page that `up_file_write` is about to add lies beyond the end. It returns 0,
  /// or -ENOMEM for the store, or any other negative number for a bus error.
  int (*will_store)(void *context, uint64_t page);
  /// Called before pages are written. No store can change them then but a pin's, so it can write a log up to the last
  /// change of any of them. May be null. It returns 0, or a negated errno value: the pages then stay dirty, and
  /// `up_cache_sync` reports the error.
  ///
  /// It gets -EBUSY where it syncs, flushes or resizes the same cache. One call at a time.
  int (*will_write_back)(void *context, const uint64_t *pages, size_t count);
  /// Called once, when the cache has ended. May be null. It runs in a call of any thread, and not if the cache could
  /// not be made.
  void (*release)(void *context);
} up_cache_options;

/// Opens the file at `path`, and makes an empty one if there is none, behind a cache of its own (`open(2)` with
/// O_DIRECT).
///
/// The disk transfers straight into and out of frames. The file is locked (`flock(2)`) until the cache ends. The end
/// closes it, so the kernel drops the process's locks on it by fcntl(F_SETLK). Afterwards `*backing` is a handle, which
/// maps by `up_space_map` with UP_MAP_SHARED, or privately.
///
/// Errors: -ENOMEM, or -EINVAL for a limit of 0 and unknown values. -EBUSY if the file has another user, or the errno
/// where it cannot be opened. Threads: any.
UP_API int up_cache_open(
    up_machine *machine, const char *path, const up_cache_options *options, up_backing **backing);

/// As `up_cache_open`, for a regular file that is open for reading and writing. After a success `descriptor` is the
/// cache's. After an error it is the caller's. The caller has locked it, if it is to be, by `flock(2)` or F_OFD_SETLK.
/// A lock by fcntl(F_SETLK) or `lockf(3)` does not last. When a process closes any descriptor of a file, the kernel
/// drops these locks, and each such call closes one.
///
/// Errors: as `up_cache_open`, or -EBADF. Threads: any.
UP_API int up_cache_open_descriptor(
    up_machine *machine, int descriptor, const up_cache_options *options, up_backing **backing);

struct iovec;

/// A program's own store behind a page cache: one that compresses, checks sums, or talks to another machine.
///
/// Each callback returns 0 or a negated errno value. It runs on the thread that faulted, synced or evicted, or on one
/// that reads ahead. Reads come from several threads at once, beside at most one of the other calls. No two calls touch
/// one page at the same time, unless both write nothing.
///
/// Locks of the cache are held: a callback must not use the cache that it serves, nor memory that maps it. What would
/// wait there is -EBUSY.
typedef struct up_store_operations {
  /// Handed to each callback.
  void *context;
  /// The length in bytes at first.
  uint64_t length;
  /// Reads `count` pages in a row, from `page` on, into as many vectors of 4096 bytes. What the file's last page lacks
  /// is filled with zeroes.
  int (*read)(void *context, uint64_t page, const struct iovec *pages, size_t count);
  /// Writes `count` pages in a row, from `page` on. The length stays: bytes beyond it are not written.
  int (*write)(void *context, uint64_t page, const struct iovec *pages, size_t count);
  /// Sets the length. What is added reads as zeroes, the rest of a last page that was cut included.
  int (*resize)(void *context, uint64_t length);
  /// Makes whole pages read as zeroes.
  int (*punch_hole)(void *context, uint64_t first_page, uint64_t pages);
  /// Returns when all that was written before would survive a loss of power.
  int (*sync)(void *context);
  /// Called once, when the cache has ended. May be null. It runs in a call of any thread.
  void (*release)(void *context);
} up_store_operations;

/// Makes a page cache over a program's own store. `operations` and `options` are copied. `uses_calls` has no meaning
/// here.
///
/// Errors: -EINVAL without one of the callbacks, for a limit of 0 and for unknown values, or -ENOMEM. No `release` is
/// called then. Threads: any.
UP_API int up_cache_create(
    up_machine *machine, const up_store_operations *operations, const up_cache_options *options, up_backing **backing);

/// Pins a page of the file without a mapping: a hit takes no lock. The pin is for reading. `up_file_write` changes the
/// page in place.
///
/// The evictor leaves the page alone. After a truncation or `up_cache_invalidate` the pin keeps the old frame. It ends
/// by `up_unpin`.
///
/// Errors: -ENXIO beyond the end, -ENOMEM if no frame can be freed, -EINVAL if `backing` is no cache, or what the store
/// said. Threads: any.
UP_API int up_cache_pin(up_backing *backing, uint64_t page, up_pin *pin);

/// Returns 1 if a page is in memory at this moment, else 0. Errors: -EINVAL if `backing` is no cache. Threads: any.
UP_API int up_cache_is_resident(up_backing *backing, uint64_t page);

/// Forgets every page, dirty ones too, and asks a real file for its length again: another program has changed it
/// (`invalidate_inode_pages2`).
///
/// When it returns, no look-up finds what was read or written before. Pins keep their frames, and private copies stay.
///
/// Errors: -EINVAL if `backing` is no cache, -EFBIG for a length beyond the most pages of the cache, or -EBUSY inside a
/// hook. Or what `fstat` said of the file: its pages are forgotten then as well. Threads: any.
UP_API int up_cache_invalidate(up_backing *backing);

/// Returns when every store that came before the call is in the file and would survive a loss of power (`fsync(2)`).
///
/// A write or a sync that failed since the last call is reported once. Its pages stay dirty, so the next call tries
/// again. Users that are each to get every error have an `up_cache_handle` each.
///
/// Errors: that error's number, or -EINVAL if `backing` is no cache. Threads: any.
UP_API int up_cache_sync(up_backing *backing);

/// Opens a cache once more, for a user that gets each error once, whatever others got (`struct file`, `errseq_t`).
///
/// An error that no user has seen yet is the new one's too. Afterwards `*handle` is a handle of the caller. It keeps
/// the cache: the cache's last writes come when its backing, its mappings and its handles have gone.
///
/// Errors: -EINVAL if `backing` is no cache. Threads: any.
UP_API int up_cache_handle_create(up_backing *backing, up_cache_handle **handle);

/// As `up_cache_sync`, and reports the errors since this handle's last report, or since it was made.
///
/// Errors that no call looked for in between count as one, and the last one is reported. Errors: as `up_cache_sync`, or
/// -EINVAL. Threads: any.
UP_API int up_cache_handle_sync(up_cache_handle *handle);

/// Reports the error since this handle's last report, and waits for nothing (`filemap_check_wb_err`): after
/// `up_cache_flush`.
///
/// Errors: that error's number, or -EINVAL. Threads: any.
UP_API int up_cache_handle_check(up_cache_handle *handle);

/// Ends a handle of a cache. It writes nothing back, unless it was the last to keep the cache: `up_backing_destroy`.
///
/// Errors: -EINVAL. Threads: last, under no lock that a callback takes.
UP_API int up_cache_handle_destroy(up_cache_handle *handle);

/// Writes the dirty pages of a range, and returns when the writes are over (`sync_file_range(2)`). `up_cache_sync`
/// makes them safe and reports their errors. `up_cache_handle_check` reports them at once.
///
/// Errors: -EINVAL if `backing` is no cache. Threads: any.
UP_API int up_cache_flush(up_backing *backing, uint64_t first_page, uint64_t pages);

/// Evicts up to `pages` pages that nothing holds, the least recently used first. Dirty ones are written before. Pinned
/// pages stay.
///
/// Returns how many went. Errors: -EINVAL if `backing` is no cache. Threads: any.
UP_API int64_t up_cache_evict(up_backing *backing, uint64_t pages);

/// What a cache holds, and what it did.
typedef struct up_cache_counters {
  /// The most frames that the cache holds, and how many it holds now.
  uint64_t limit;
  uint64_t resident_pages;
  /// Pages that hold stores which the file does not have yet. Those that are being written do not count.
  uint64_t dirty_pages;
  /// Pages that were read again after an eviction: the sign of a limit that is too low (`workingset_refault`).
  uint64_t refaults;
  /// Pages that were written from a copy, because a pin held them, or for stability.
  uint64_t copied_pages;
  /// Look-ups that did not find their page, and read it.
  uint64_t misses;
  /// Pages that the evictor took away.
  uint64_t evicted_pages;
  /// Pages that were read before a thread asked for them, those that one then asked for, those that left the cache
  /// unused.
  uint64_t read_ahead_pages, read_ahead_hits, read_ahead_wasted;
} up_cache_counters;

/// Reads the counters. Errors: -EINVAL if `backing` is no cache. Threads: any.
UP_API int up_cache_count(up_backing *backing, up_cache_counters *counters);

UP_END

#endif
