// For a program's own backing: its pages that move, are written back or change in number, and entries ahead of faults.
#ifndef USERPAGES_ENTRIES_H
#define USERPAGES_ENTRIES_H

#include "base.h"

UP_BEGIN

/// Empties the entries that show some pages of a backing of callbacks, so that the next access asks it again
/// (`unmap_mapping_pages`).
///
/// When it returns, no load, store or new pin by an old entry is under way, and no older answer is installed any more.
/// Private copies stay.
///
/// To move a page:
///
/// 1. let `fault` answer -EAGAIN for it
/// 2. call this
/// 3. look for pins (`up_machine_frame`): a holder may still store
/// 4. copy, and answer with the new place
///
/// In the other order an answer with the old place could come after the call.
///
/// Errors: -EBUSY if a mapping with UP_MAP_PFN shows the backing: nothing is sure then. -EINVAL for a range outside of
/// it, or another backing. Threads: any, under no lock that a callback takes.
UP_API int up_backing_invalidate(up_backing *backing, uint64_t first_page, uint64_t pages);

/// Makes the entries that show some pages read-only and clean, so that the next store asks `will_store`
/// (`folio_mkclean`).
///
/// When it returns, every store by an old entry has landed. A pin for writing may store later: keep pinned pages dirty.
/// To write pages back:
///
/// 1. clear their dirty marks
/// 2. call this
/// 3. write them
///
/// Errors: -EINVAL for a range outside of the backing, for one without `will_store`, or another backing. Threads: as
/// `up_backing_invalidate`.
UP_API int up_backing_write_protect(up_backing *backing, uint64_t first_page, uint64_t pages);

/// Tells which of some pages were accessed through a mapping since the last call, for a backing that chooses what to
/// drop.
///
/// Afterwards `accessed[i]` is 1 or 0 for the page `first_page + i`. Returns how many are 1.
///
/// Errors: -EINVAL as `up_backing_invalidate`. Threads: as there.
UP_API int64_t up_backing_take_accessed(
    up_backing *backing, uint64_t first_page, uint64_t pages, unsigned char *accessed);

/// Sets how many pages a backing of callbacks has. Beyond a new end entries and private copies are gone when it
/// returns, and a fault there is -ENXIO.
///
/// Errors: -EINVAL for more than 2^40, or another backing. Threads: as `up_backing_invalidate`, one at a time.
UP_API int up_backing_resize(up_backing *backing, uint64_t pages);

/// Maps a frame that has a descriptor at `address`, ahead of a fault, and retains it for the entry (`vm_insert_page`).
///
/// For what a backing shows around the faulting page, or all at once. The address is a multiple of 4096.
///
/// Errors: -EFAULT if there is no mapping, -EBUSY if something is mapped there, or -ENOMEM. -EINVAL if the mapping is
/// anonymous or by number, or the frame has no descriptor, no user, or is private memory. Threads: any.
UP_API int up_space_insert_page(up_space *space, uint64_t address, uint64_t number);

/// Maps a frame number, without a reference (`vmf_insert_pfn`). `writable` is not 0 if stores through a shared mapping
/// may go there.
///
/// Errors: -EFAULT, -EBUSY and -ENOMEM as `up_space_insert_page`. -EINVAL if the mapping is neither by number nor
/// mixed, no memory has the number, or the frame is free. -EINVAL also if a mixed mapping would have to count the
/// frame, or a private one would not be linear any more. -EINVAL if `writable` is asked of memory that takes no stores:
/// an image, the zero page. Threads: any.
UP_API int up_space_insert_number(up_space *space, uint64_t address, uint64_t number, int writable);

/// Maps a frame number in a mixed mapping, and retains the frame if it has a descriptor (`vmf_insert_mixed`).
///
/// Errors: -EFAULT, -EBUSY and -ENOMEM as `up_space_insert_page`. -EINVAL if the mapping is not mixed, no memory has
/// the number, or the frame has no user or is private memory. -EINVAL for `writable` as `up_space_insert_number`.
/// Threads: any.
UP_API int up_space_insert_mixed(up_space *space, uint64_t address, uint64_t number, int writable);

/// Maps 2 MiB by number (`vmf_insert_pfn_pmd`): `number` is the first of 512, and both it and the address are aligned
/// to 2 MiB.
///
/// Errors: as `up_space_insert_number`. -EINVAL also without UP_MAP_HUGE, and if the mapping does not cover the 2 MiB.
/// Threads: any.
UP_API int up_space_insert_huge_number(up_space *space, uint64_t address, uint64_t number, int writable);

UP_END

#endif
