// Machines and their frames.
#ifndef USERPAGES_MACHINE_H
#define USERPAGES_MACHINE_H

#include "base.h"

UP_BEGIN

/// How a machine gets frames back when few are free.
enum {
  /// No background thread: a thread that finds no free frame reclaims by itself. If not set, one begins with the first
  /// need (kswapd).
  UP_MACHINE_NO_BACKGROUND_RECLAIM = 1,
  /// An allocation takes pages of files back, and does not swap anonymous memory or memory files out.
  /// `up_machine_reclaim` does.
  UP_MACHINE_NO_SWAP_FOR_ALLOCATIONS = 2,
  /// No reserve, and no reclaim before nothing is free. Not with watermarks in the options.
  UP_MACHINE_NO_WATERMARKS = 4
};

/// What a machine is made of. All that is 0 is left out, so `{.ram_pages = n}` is a whole description.
typedef struct up_machine_options {
  /// RAM, in pages. At least 1.
  uint64_t ram_pages;
  /// How many of these, at the end, hold only pages that can be moved (`ZONE_MOVABLE`). A long-term pin moves its page
  /// out first.
  uint64_t movable_pages;
  /// Room for anonymous pages, and those of memory files, that are paged out, in pages (`swapon(2)`).
  uint64_t swap_pages;
  /// The swap file, made if there is none and locked as long as the machine lives. Null: a temporary file without a
  /// name.
  const char *swap_path;
  /// How many frame numbers there are, of RAM, images and devices together. 0 for 2^24, or four times RAM if that is
  /// more. They cost address space, not memory.
  uint64_t span_pages;
  /// Of `UP_MACHINE_...`.
  unsigned flags;
  /// Numbers of free frames: the reserve of threads that reclaim, where background reclaim begins, and where it ends (a
  /// zone's watermarks). Each at least the one before, and fewer than RAM. All 0: what suits the machine's size.
  uint64_t min_free_pages, low_free_pages, high_free_pages;
} up_machine_options;

/// Makes a machine, in time and memory that do not depend on its size.
///
/// Afterwards `*machine` is a handle, which the caller ends by `up_machine_destroy`.
///
/// Errors: -EINVAL for a size of 0 or beyond 8 TiB, unknown flags, and watermarks out of order. -ENOMEM where the
/// process has not the address space. -EBUSY where another machine uses the swap file, or the errno where it cannot be
/// opened. Threads: any.
UP_API int up_machine_create(const up_machine_options *options, up_machine **machine);

/// Ends a machine and frees its memory, if nothing of it is in use.
///
/// Before, the program has destroyed every space, backing and mirror of the machine, ended every pin and put every
/// frame. If not, the call returns -EBUSY, nothing has changed, and the handle stays good: the program ends what it
/// forgot, and calls again.
///
/// Errors: -EBUSY, or -EINVAL for what is no machine. Threads: last. As long as another handle of the machine is left,
/// any.
UP_API int up_machine_destroy(up_machine *machine);

/// Waits for a grace period and for writes to the swap file, and frees what waited for them.
///
/// Unmapped frames wait for a grace period before they are free, in batches. Call it before frames are counted, or for
/// a backing's `release` to be called now.
///
/// Errors: -EINVAL. Threads: any.
UP_API int up_machine_flush(up_machine *machine);

/// Takes frames back from page caches, anonymous memory and memory files ahead of need, up to `pages` (`memory.reclaim`
/// of a cgroup).
///
/// Returns how many are free now that were not before. Errors: -EINVAL. Threads: any.
UP_API int64_t up_machine_reclaim(up_machine *machine, uint64_t pages);

/// Returns how many frames of RAM are free now, as `up_census.free_pages` has it. O(1).
///
/// Errors: -EINVAL. Threads: any.
UP_API int64_t up_machine_free_pages(const up_machine *machine);

/// Returns the bytes of RAM that the machine has from the kernel now: of frames that were used since it began, free or
/// not.
///
/// Errors: -EINVAL. Threads: any.
UP_API int64_t up_machine_resident_bytes(const up_machine *machine);

/// What was wrong with a backing's answer.
enum {
  /// The frame belongs to another machine.
  UP_WRONG_MACHINE = 0,
  /// The frame has no page with the index that was given.
  UP_WRONG_PAGE_OF_FRAME = 1,
  /// A mapping by number counts no references, so it cannot show a frame that lives by them.
  UP_WRONG_FRAME_IN_PFN_MAPPING = 2,
  /// No memory has the frame number.
  UP_WRONG_NUMBER = 3,
  /// The number, or the `up_frame`, is that of a free frame, or of a program's private memory.
  UP_WRONG_FRAME_NOT_SHARED = 4,
  /// A private mapping by number shows page n as the first frame plus n. The number is another one.
  UP_WRONG_ORDER = 5,
  /// The backing asked to be asked again too often in a row.
  UP_WRONG_ENDLESS_RETRY = 6
};

/// A wrong answer of a backing, which a fault refused. The program got a bus error, and nothing else came of it.
typedef struct up_diagnostic {
  /// The page that the backing was asked for.
  uint64_t page;
  /// One of `UP_WRONG_...`.
  int reason;
  /// One line without its end, good during the call.
  const char *text;
  /// The `context` of the backing's `up_backing_operations`, good during the call. Null if it was not made by
  /// `up_backing_create`.
  const void *backing_context;
} up_diagnostic;

/// Calls `handler` for each wrong answer of a backing, instead of printing a line on standard error. Null prints again.
///
/// The handler runs on the faulting thread before its fault fails, and under no lock. A call of the old handler may
/// still be under way when this returns. `up_machine_destroy` ends the last one.
///
/// Errors: -EINVAL. Threads: any.
UP_API int up_machine_on_diagnostic(
    up_machine *machine, void (*handler)(void *context, const up_diagnostic *diagnostic), void *context);

/// What a machine has in use.
typedef struct up_census {
  /// Frames of RAM that are free, without those that wait for a grace period.
  uint64_t free_pages;
  /// Frames of RAM that are not free.
  uint64_t used_pages;
  /// Nodes of page tables, a page each, beside RAM.
  uint64_t table_nodes;
  /// Entries of page tables that map a frame with a descriptor.
  uint64_t mapped_pages;
  /// Pins, and gets that a slot holds.
  uint64_t pins;
  /// References on frames: of entries, page caches, pins by reference, and `up_frame` values.
  uint64_t references;
  /// Pages in the swap file.
  uint64_t swapped_pages;
} up_census;

/// Counts what is in use. Exact if nothing else runs and `up_machine_flush` came before.
///
/// O(frames that were ever in use). Errors: -EINVAL. Threads: any.
UP_API int up_machine_census(const up_machine *machine, up_census *census);

/// One reference on a frame of RAM, for a backing that owns frames. A plain value: it may be copied to another place,
/// but the reference is one, and ends once: by `up_frame_put`, or as a fault's answer.
typedef struct up_frame {
  /// The frame's 4096 bytes, good as long as the reference.
  void *bytes;
  /// The frame's number.
  uint64_t number;
  /// The library's own.
  void *machine;
  /// How many pages it has: 1, or 512 for a frame of 2 MiB. Their bytes and numbers follow one another.
  uint64_t pages;
} up_frame;

/// Allocates a frame of zeroes that no entry maps, with one reference (`alloc_page` with `__GFP_ZERO`).
///
/// Errors: -ENOMEM, or -EINVAL. Threads: any. It may reclaim, so a lock that a callback of a backing takes must not be
/// held.
UP_API int up_frame_allocate(up_machine *machine, up_frame *frame);

/// Allocates 2 MiB of zeroes, 512 frames in a row that begin at a multiple of 512 and live and die together.
///
/// It never reclaims. Errors: -EINVAL, or -ENOMEM if no 2 MiB are free in one piece: `up_frame_allocate` may still find
/// single frames. Threads: any.
UP_API int up_frame_allocate_huge(up_machine *machine, up_frame *frame);

/// Makes `*another` one more reference on the same frame (`folio_get`). `another` may not be `frame`.
///
/// Errors: -EINVAL, or -ENOMEM where the frame has as many references as it may have. Threads: any.
UP_API int up_frame_retain(const up_frame *frame, up_frame *another);

/// Ends a reference (`folio_put`). With the last one the frame is free. Afterwards `frame->bytes` is null.
///
/// Errors: -EINVAL if it has ended before. Threads: any, one at a time for each value.
UP_API int up_frame_put(up_frame *frame);

UP_END

#endif
