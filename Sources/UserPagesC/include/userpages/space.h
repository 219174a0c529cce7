// Address spaces: mappings, and the program's loads and stores.
#ifndef USERPAGES_SPACE_H
#define USERPAGES_SPACE_H

#include "base.h"

UP_BEGIN

/// How a space takes its pins. All engines pin the same pages for the same calls.
enum {
  /// Two locks, as Linux 2.6.24 took them: the baseline.
  UP_ENGINE_LOCKED = 0,
  /// An atomic addition to the frame's counts and a second look at the entry (`gup_fast`).
  UP_ENGINE_REFERENCE = 1,
  /// A store into a slot of the pinning thread. The fastest.
  UP_ENGINE_SLOT = 2
};

/// What a program may do with a mapping: `UP_READ`, `UP_WRITE` (which includes loads), both, or 0 (PROT_NONE).
enum { UP_READ = 1, UP_WRITE = 2 };

/// How a range is mapped.
enum {
  /// Stores go to what is mapped, not to a private copy (MAP_SHARED).
  UP_MAP_SHARED = 1,
  /// Entries of 2 MiB may be used. Images of files use them without it.
  UP_MAP_HUGE = 2,
  /// Fails if a page of the range is mapped (MAP_FIXED_NOREPLACE).
  UP_MAP_NO_REPLACE = 4,
  /// Frames that have a descriptor are counted, bare frame numbers are not (VM_MIXEDMAP).
  UP_MAP_MIXED = 8,
  /// Frame numbers only, never counted and never pinned (VM_PFNMAP).
  UP_MAP_PFN = 16,
  /// With UP_MAP_PFN: accesses have effects, so only the program makes them (VM_IO).
  UP_MAP_IO = 32,
  /// Memory that no pin reaches, and that is never paged out (`memfd_secret(2)`). Without a backing, and with
  /// UP_MAP_SHARED.
  UP_MAP_SECRET = 64
};

/// What `up_space_advise` is told (`madvise(2)`).
enum {
  /// Drop the pages. The next touch faults anew (MADV_DONTNEED).
  UP_ADVICE_DONT_NEED = 0,
  /// Write anonymous pages, and those of memory files, to the swap file and free their frames (MADV_PAGEOUT).
  UP_ADVICE_PAGE_OUT = 1,
  /// A child does not inherit the range (MADV_DONTFORK), and the opposite.
  UP_ADVICE_DONT_FORK = 2,
  UP_ADVICE_DO_FORK = 3,
  /// Fault the pages in, for reading or for writing (MADV_POPULATE_READ, MADV_POPULATE_WRITE).
  UP_ADVICE_POPULATE_READ = 4,
  UP_ADVICE_POPULATE_WRITE = 5,
  /// Use entries of 2 MiB where possible, now (MADV_COLLAPSE).
  UP_ADVICE_COLLAPSE = 6,
  /// Private anonymous pages that are not stored to again may be dropped, and then read as zero (MADV_FREE).
  UP_ADVICE_FREE = 7,
  /// The pages are not needed soon: reclaim takes them before others (MADV_COLD).
  UP_ADVICE_COLD = 8,
  /// A child finds zeroes in the range, which is private and anonymous (MADV_WIPEONFORK), and the opposite.
  UP_ADVICE_WIPE_ON_FORK = 9,
  UP_ADVICE_KEEP_ON_FORK = 10,
  /// Drop the pages and put guard markers there (MADV_GUARD_INSTALL), and take markers away. An access or a pin of a
  /// marker is -EFAULT.
  UP_ADVICE_GUARD_INSTALL = 11,
  UP_ADVICE_GUARD_REMOVE = 12
};

/// How `up_space_remap` moves.
enum {
  /// The pages move and the old range stays mapped without them. Lengths are equal and the ranges apart
  /// (MREMAP_DONTUNMAP).
  UP_REMAP_DONT_UNMAP = 1
};

/// Makes an empty space on `machine`, which pins by `engine`, one of `UP_ENGINE_...`.
///
/// Afterwards `*space` is a handle, which the caller ends by `up_space_destroy`. Errors: -EINVAL. Threads: any.
UP_API int up_space_create(up_machine *machine, int engine, up_space **space);

/// Makes a child that shares all memory by copy-on-write (`fork(2)`).
///
/// Pinned anonymous pages are copied into the child at once and stay the parent's own. The child has the parent's
/// engine, no mirrors, and no range that was advised UP_ADVICE_DONT_FORK. Afterwards `*child` is a handle of the
/// caller.
///
/// Errors: -EINVAL, or -ENOMEM: the parent is as before. Threads: any.
UP_API int up_space_fork(up_space *space, up_space **child);

/// Unmaps everything (`exit_mmap`). Afterwards the space is empty and can be used again.
///
/// When it returns, accesses of other threads by old entries are over, and backings that nothing else maps are
/// released.
///
/// Errors: -EINVAL. Threads: any.
UP_API int up_space_exit(up_space *space);

/// Unmaps everything and ends the handle. Pins and mirrors may outlive the space. It may be the end of a cache:
/// `up_backing_destroy`.
///
/// Errors: -EINVAL. Threads: last, under no lock that a callback takes.
UP_API int up_space_destroy(up_space *space);

/// Maps `pages` pages at exactly `address` (`mmap(2)` with MAP_FIXED, or with MAP_FIXED_NOREPLACE).
///
/// Nothing is allocated but the mapping: pages come by faults. What was mapped there is gone, unless UP_MAP_NO_REPLACE
/// is set.
///
/// - `address`: in bytes, a multiple of 4096. The space ends at 2^47 - 4096.
/// - `protection`: of UP_READ and UP_WRITE.
/// - `flags`: of `UP_MAP_...`.
/// - `backing`: what the range shows. Null for anonymous memory. The mapping keeps it, also after `up_backing_destroy`.
/// - `first_page`: the backing's page at `address`. 0 without a backing.
///
/// Errors: -EEXIST with UP_MAP_NO_REPLACE, or -EPERM if a part is sealed. -EINVAL for an empty or unaligned range, and
/// for flags that exclude each other or need a backing. -ENOMEM for a range outside of the space. Threads: any.
UP_API int up_space_map(
    up_space *space, uint64_t address, uint64_t pages, unsigned protection, unsigned flags, up_backing *backing,
    uint64_t first_page);

/// Unmaps a range (`munmap(2)`). Parts that are not mapped stay so. Pins keep their frames.
///
/// When it returns, no load or store by an old entry can still take effect. Errors: -EPERM if a part is sealed, or
/// -EINVAL. Threads: any.
UP_API int up_space_unmap(up_space *space, uint64_t address, uint64_t pages);

/// Changes what a program may do with a range (`mprotect(2)`).
///
/// When it returns, no access that the new protection forbids can still take effect. Pins stay as they are.
///
/// Errors: -EINVAL, -EPERM if a part is sealed, or -ENOMEM if a page is not mapped: the pages before it have been
/// changed. Threads: any.
UP_API int up_space_protect(up_space *space, uint64_t address, uint64_t pages, unsigned protection);

/// Moves or resizes a mapping (`mremap(2)`): in place if the addresses are equal, else to exactly `new_address`,
/// replacing what was there.
///
/// Pages move with it, pinned ones too. If `pages` is 0, a shared mapping is shown a second time. `flags` is 0 or
/// UP_REMAP_DONT_UNMAP.
///
/// Errors: -ENOMEM, or -EINVAL for unaligned or overlapping ranges, and unknown flags. -EFAULT if the old range is not
/// mapped as it must be, or -EPERM if a part is sealed. Threads: any.
UP_API int up_space_remap(
    up_space *space, uint64_t address, uint64_t pages, uint64_t new_address, uint64_t new_pages, unsigned flags);

/// Gives advice, one of `UP_ADVICE_...`, about a range (`madvise(2)`). It is taken for the parts that are mapped.
///
/// Errors: -ENOMEM if a part is not mapped, or no frame or swap slot is free. -EFAULT if a page cannot be populated.
/// -EAGAIN if a page to be collapsed is pinned. -EPERM if sealed pages would be dropped. -EINVAL, also for advice that
/// does not fit a mapping. Threads: any.
UP_API int up_space_advise(up_space *space, uint64_t address, uint64_t pages, int advice);

/// Faults pages in and keeps them in memory (`mlock(2)`). Copy-on-write and moves may still change their frames. A
/// child does not inherit it.
///
/// Errors: -EINVAL, -EAGAIN if no frame is free, or -ENOMEM if a page is not mapped, or cannot be faulted in. Pages
/// before an unmapped one are locked. Threads: any.
UP_API int up_space_lock(up_space *space, uint64_t address, uint64_t pages);

/// Takes the lock back (`munlock(2)`). Errors: -EINVAL, or -ENOMEM if a page is not mapped: the pages before it are
/// unlocked. Threads: any.
UP_API int up_space_unlock(up_space *space, uint64_t address, uint64_t pages);

/// Seals a range for good: it cannot be unmapped, replaced, moved, resized or given another protection (`mseal(2)`). A
/// child inherits it.
///
/// `up_space_exit` and `up_space_destroy` do not ask for it. Errors: -EINVAL, or -ENOMEM if a page is not mapped:
/// nothing is sealed. Threads: any.
UP_API int up_space_seal(up_space *space, uint64_t address, uint64_t pages);

/// Loads `count` bytes from `address` into `bytes`, as the space's program does. Faults in what is needed.
///
/// Bytes that other threads store meanwhile may be torn. After an error the bytes of the pages before are copied.
///
/// Errors: -EFAULT, -ENXIO, -ENOMEM, or -EINVAL. Threads: any.
UP_API int up_space_load(up_space *space, uint64_t address, void *bytes, size_t count);

/// Stores `count` bytes at `address`, breaking copy-on-write. After an error the pages before stay written.
///
/// Errors: -EFAULT, -ENXIO, -ENOMEM, or -EINVAL. Threads: any.
UP_API int up_space_store(up_space *space, uint64_t address, const void *bytes, size_t count);

/// Loads an integer of `size` bytes: 1, 2, 4 or 8. An aligned one is loaded whole, with acquire ordering.
///
/// Errors: as `up_space_load`, or -EINVAL for another size. Threads: any.
UP_API int up_space_load_word(up_space *space, uint64_t address, unsigned size, uint64_t *value);

/// Stores the low `size` bytes of `value`: 1, 2, 4 or 8. Aligned ones are stored whole, with release ordering.
///
/// Errors: as `up_space_store`, or -EINVAL for another size. Threads: any.
UP_API int up_space_store_word(up_space *space, uint64_t address, unsigned size, uint64_t value);

/// Reads bytes as another process does (`process_vm_readv(2)`): under the mapping's protection, and not by what the
/// entries allow.
///
/// Returns how many: fewer than `count` if a page after the first cannot be read. Errors: -EINVAL, or -EFAULT if the
/// first cannot. Threads: any.
UP_API int64_t up_space_read_remotely(up_space *space, uint64_t address, void *bytes, size_t count);

/// Writes bytes as another process does (`process_vm_writev(2)`). Otherwise as `up_space_read_remotely`.
///
/// Errors: -EFAULT, or -EINVAL. Threads: any.
UP_API int64_t up_space_write_remotely(up_space *space, uint64_t address, const void *bytes, size_t count);

/// What happened in a space since it was made.
typedef struct up_space_counters {
  /// Pages that the lockless fast path pinned.
  uint64_t fast_pins;
  /// Pages that the slow path pinned.
  uint64_t slow_pins;
  /// Faults that were resolved.
  uint64_t faults;
  /// Copies that copy-on-write made.
  uint64_t copies;
} up_space_counters;

/// Reads the counters. Exact if nothing else runs. Errors: -EINVAL. Threads: any.
UP_API int up_space_count(const up_space *space, up_space_counters *counters);

UP_END

#endif
