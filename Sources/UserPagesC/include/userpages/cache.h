// The page cache: a real file of any size in a limited number of frames.
#ifndef USERPAGES_CACHE_H
#define USERPAGES_CACHE_H

#include "base.h"

UP_BEGIN

/// How a file is cached. All that is 0 is left out.
typedef struct up_cache_options {
  /// The most frames that the cache holds. At least 1.
  uint64_t limit;
  /// How far the file can grow, in pages; 0 for 2^26. It costs address space, not memory.
  uint64_t maximum_pages;
  /// Not 0: what is written of a page is one moment's contents. A store to a page that is being written waits until the page is copied or
  /// written (Linux's stable pages).
  int is_stable;
} up_cache_options;

/// Opens the file at `path`, and makes an empty one if there is none, behind a cache of its own (`open(2)` with O_DIRECT).
///
/// The disk transfers straight into and out of frames. The file is locked (`flock(2)`) until the cache ends. Afterwards `*backing` is a handle,
/// which maps by `up_space_map` with UP_MAP_SHARED, or privately.
///
/// Errors: -EBUSY if the file has another user; the errno where it cannot be opened; -EINVAL for a limit of 0; -ENOMEM. Threads: any.
UP_API int up_cache_open(
    up_machine *machine, const char *path, const up_cache_options *options, up_backing **backing);

/// Returns when every store that came before the call is in the file and would survive a loss of power (`fsync(2)`).
///
/// A write or a sync that failed since the last call is reported once. Its pages stay dirty, so the next call tries again.
///
/// Errors: that error's number; -EINVAL if `backing` is no cache. Threads: any.
UP_API int up_cache_sync(up_backing *backing);

/// Writes the dirty pages of a range, and returns when the writes are over (`sync_file_range(2)`). `up_cache_sync` makes them safe and
/// reports their errors.
///
/// Errors: -EINVAL if `backing` is no cache. Threads: any.
UP_API int up_cache_flush(up_backing *backing, uint64_t first_page, uint64_t pages);

/// Evicts up to `pages` pages that nothing holds, the least recently used first. Dirty ones are written before. Pinned pages stay.
///
/// Returns how many went. Errors: -EINVAL if `backing` is no cache. Threads: any.
UP_API int64_t up_cache_evict(up_backing *backing, uint64_t pages);

/// What a cache holds, and what it did.
typedef struct up_cache_counters {
  /// The most frames that the cache holds, and how many it holds now.
  uint64_t limit;
  uint64_t resident_pages;
  /// Pages that hold stores which the file does not have yet; those that are being written do not count.
  uint64_t dirty_pages;
  /// Pages that were read again after an eviction: the sign of a limit that is too low (`workingset_refault`).
  uint64_t refaults;
  /// Pages that were written from a copy, because a pin held them.
  uint64_t copied_pages;
} up_cache_counters;

/// Reads the counters. Errors: -EINVAL if `backing` is no cache. Threads: any.
UP_API int up_cache_count(up_backing *backing, up_cache_counters *counters);

UP_END

#endif
