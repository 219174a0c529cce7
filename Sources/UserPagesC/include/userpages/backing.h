// Backings: what mappings show.
#ifndef USERPAGES_BACKING_H
#define USERPAGES_BACKING_H

#include "base.h"
#include "machine.h"

UP_BEGIN

/// A backing's answer to a fault, filled by its callback.
typedef struct up_answer {
  /// One of `UP_ANSWER_...`.
  int kind;
  /// UP_ANSWER_NUMBER: not 0 if stores through a shared mapping may go there.
  int writable;
  /// UP_ANSWER_NUMBER: the frame's number.
  uint64_t number;
  /// UP_ANSWER_FRAME: the reference that the entry is to hold. The answer takes it over.
  up_frame frame;
  /// UP_ANSWER_FRAME, of 2 MiB: which of its pages is meant.
  uint64_t page;
} up_answer;

enum {
  /// A frame with a descriptor, which mappings count: `frame`.
  UP_ANSWER_FRAME = 0,
  /// A frame number, with no reference. UP_MAP_PFN counts nothing. Any other mapping retains the frame if it has a
  /// descriptor.
  UP_ANSWER_NUMBER = 1,
  /// Of `huge_fault` alone: there are no 2 MiB, and pages will be asked for.
  UP_ANSWER_NONE = 2
};

/// The callbacks of a program's own backing (`vm_operations_struct`).
///
/// Each runs on the thread that faulted, which holds no lock of the library, so it may wait and call any function. Many
/// threads may call at once. An exception or `longjmp` out of a callback is undefined.
typedef struct up_backing_operations {
  /// How many pages there are at first. A fault beyond is -ENXIO for the program. See `up_backing_resize`.
  uint64_t page_count;
  /// Handed to each callback.
  void *context;
  /// Answers a fault on `page`. `write` is not 0 if the program is about to store through a shared mapping.
  ///
  /// Returns 0 and fills `*answer`, which is all zero before. Or returns -ENOMEM, or -EAGAIN to be asked again, at
  /// most 2048 times in a row, or any other negative number for a bus error. It may be called more often than pages are
  /// installed. A wrong answer is a bus error and a line on standard error.
  int (*fault)(void *context, uint64_t page, int write, up_answer *answer);
  /// Answers a fault on the 2 MiB that begin with `page`, a multiple of 512. The answer is UP_ANSWER_NONE, or the first
  /// of 512 frames or numbers in a row that begin at a multiple of 512. May be null. Asked for mappings with
  /// UP_MAP_HUGE, and otherwise like `fault`.
  ///
  /// It is not asked if there is `will_store`: stores are noticed page by page.
  int (*huge_fault)(void *context, uint64_t page, int write, up_answer *answer);
  /// A program is about to store to a page that a shared mapping shows read-only (`page_mkwrite`). May be null: every
  /// store is allowed.
  ///
  /// Returns 0, or -ENOMEM, or -EAGAIN to have the page faulted in again, or any other negative number for a bus error.
  /// A backing that writes pages back notes the page as dirty here, and when `fault` is called with `write`. It writes
  /// none back here: each `up_backing_write_protect` has the fault ask again.
  int (*will_store)(void *context, uint64_t page);
  /// A private mapping has copied a page that was shown by number into `bytes`, which are good during the call. May be
  /// null.
  void (*did_copy)(void *context, uint64_t page, const void *bytes);
  /// Not 0: the frame number of page 0, and page n is always the frame n further on. A private mapping with UP_MAP_PFN
  /// needs it.
  uint64_t first_number;
  /// Called once, when the last mapping and the handle have gone. May be null. It runs in a call of any thread, and
  /// after a grace period.
  void (*release)(void *context);
} up_backing_operations;

/// Makes a backing of callbacks. `operations` is copied. Afterwards `*backing` is a handle of the caller.
///
/// Errors: -EINVAL without `fault`, or for more than 2^40 pages: `release` is not called then. Threads: any.
UP_API int up_backing_create(up_machine *machine, const up_backing_operations *operations, up_backing **backing);

/// Makes a memory file of `pages` pages of zeroes, which can grow to `maximum_pages` (`memfd_create(2)`).
///
/// Its frames have descriptors, and are allocated on first use. On a machine with a swap file its pages may go there,
/// so no other backing may name its frames by number. Mapped by UP_MAP_PFN itself, it keeps its pages from then on.
/// Errors: -EINVAL if `maximum_pages` is smaller than `pages`, or -ENOMEM. Threads: any.
UP_API int up_memory_file_create(
    up_machine *machine, uint64_t pages, uint64_t maximum_pages, up_backing **backing);

/// Makes a range of RAM that belongs to a device and is mapped by number (UP_MAP_PFN, or UP_MAP_MIXED), as `/dev/mem`
/// is.
///
/// Errors: -EINVAL for 0 pages, or -ENOMEM if there are not as many frame numbers. Threads: any.
UP_API int up_device_create(up_machine *machine, uint64_t pages, up_backing **backing);

/// The device's own view of a page: 4096 bytes, good as long as the handle. Null if `backing` is no device, or has no
/// such page.
///
/// Threads: any.
UP_API void *up_device_bytes(up_backing *backing, uint64_t page);

/// The frame number of a device's first page, in `*number`. The others follow. For callbacks that answer with numbers.
///
/// Errors: -EINVAL if `backing` is no device. Threads: any.
UP_API int up_device_first_number(up_backing *backing, uint64_t *number);

/// Opens a file as an image in memory without descriptors: execute in place, by UP_MAP_MIXED. Pages show the file where
/// it lies.
///
/// The first image of a process installs a handler for SIGBUS, which passes on every signal that is not for an image.
///
/// Errors: the errno of the system call that failed, -EINVAL for an empty file, or -ENOMEM. Threads: any.
UP_API int up_image_open(up_machine *machine, const char *path, up_backing **backing);

/// Makes an image of `count` bytes, which are copied. The rest of its last page reads as zeroes.
///
/// Errors: -EINVAL for 0 bytes, or -ENOMEM. Threads: any.
UP_API int up_image_create(up_machine *machine, const void *bytes, size_t count, up_backing **backing);

/// Moves a page of an image into the page cache, where it is a frame with a descriptor, or back to where it lies.
/// Mappings see the same bytes.
///
/// Nothing happens if it is there already. Errors: -ENOMEM, or -EINVAL for a page that is not there, or another
/// backing. -EBUSY if a pin holds the page, or a mapping with UP_MAP_PFN shows it. -EROFS if the page is dirty and the
/// image's file cannot be written. Threads: any.
UP_API int up_image_move(up_backing *backing, uint64_t page, int to_cache);

/// Returns 1 if a page of an image is in the page cache at this moment, else 0. Errors: -EINVAL. Threads: any.
UP_API int up_image_is_cached(up_backing *backing, uint64_t page);

/// One pass of a policy: moves pages into the page cache that were accessed in `hot_after` passes in a row. Moves
/// cached ones back that were not in `cold_after`. For a caller's own clock.
///
/// Returns how many pages moved. Pages that cannot move stay for the next pass. Errors: -EINVAL, also for a number that
/// is not positive. Threads: any.
UP_API int64_t up_image_run_policy(up_backing *backing, unsigned hot_after, unsigned cold_after);

/// Ends a handle. Mappings keep what the backing shows until they are unmapped.
///
/// A page cache writes its dirty pages back when the last mapping and the last `up_cache_handle` have gone too. Errors
/// of these writes are lost: `up_cache_sync` before. When the call that ends the last of the three returns, the file is
/// written and closed. So it waits for a reclaim that has the cache at hand. In a callback it does not wait.
///
/// Errors: -EINVAL. Threads: last, under no lock that a callback takes.
UP_API int up_backing_destroy(up_backing *backing);

/// Returns how many pages a backing has at this moment. Errors: -EINVAL. Threads: any.
UP_API int64_t up_backing_page_count(up_backing *backing);

/// The length in bytes of a memory file or a cached file, in `*length`. Errors: -EINVAL for another backing.
/// Threads: any.
UP_API int up_file_length(up_backing *backing, uint64_t *length);

/// Reads up to `count` bytes at `offset` of a memory file, a cached file or an image (`pread(2)`). Mappings see the
/// same pages.
///
/// Returns how many bytes: fewer at the file's end. Errors: -EINVAL for another backing, -ENOMEM, or what the store or
/// the swap file said. Threads: any.
UP_API int64_t up_file_read(up_backing *backing, uint64_t offset, void *bytes, size_t count);

/// Writes `count` bytes at `offset`, and makes the file longer where they end beyond it (`pwrite(2)`).
///
/// Returns `count`. Errors: -EFBIG beyond what the file was made for. Otherwise as `up_file_read`. Pages before the
/// failing one stay written. Threads: any.
UP_API int64_t up_file_write(up_backing *backing, uint64_t offset, const void *bytes, size_t count);

/// Sets the length in bytes (`ftruncate(2)`). Beyond a new end, entries and private copies are gone when the call
/// returns. Pins keep their pages.
///
/// Errors: -EFBIG, -EINVAL for another backing, -ENOMEM, or what the store said. Threads: any.
UP_API int up_file_resize(up_backing *backing, uint64_t length);

/// Makes whole pages read as zeroes, in the file and in every mapping (FALLOC_FL_PUNCH_HOLE). Private copies stay.
///
/// Pages beyond the end are left out. Errors: -EINVAL for a range beyond 2^63 or another backing, or what the store
/// said. Threads: any.
UP_API int up_file_punch_hole(up_backing *backing, uint64_t first_page, uint64_t pages);

UP_END

#endif
