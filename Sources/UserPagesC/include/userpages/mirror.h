// Mirrors: translations without a pin, which are revoked when they stop being true.
#ifndef USERPAGES_MIRROR_H
#define USERPAGES_MIRROR_H

#include "base.h"

UP_BEGIN

/// Mirrors a range of whole pages, which need not be mapped (`mmu_interval_notifier_insert`).
///
/// Any change of an entry revokes what the mirror remembers of the page first. The next access faults the page in,
/// wherever it is by then. A mirror holds no page, and shows special pages too. `access` is UP_READ, or UP_WRITE for
/// stores as well.
///
/// Afterwards `*mirror` is a handle, which may outlive the space's: accesses after `up_space_destroy` are -EFAULT.
///
/// Errors: -EINVAL for an empty or unaligned range, or -ENOMEM for address space. Threads: any.
UP_API int up_mirror_create(
    up_space *space, uint64_t address, uint64_t pages, unsigned access, up_mirror **mirror);

/// Ends a mirror (`mmu_interval_notifier_remove`). Errors: -EINVAL. Threads: last.
UP_API int up_mirror_destroy(up_mirror *mirror);

/// Loads `count` bytes through a mirror. The bytes of one page are of one translation. Stores may race with the copy.
///
/// Errors: -ENOMEM, -EINVAL, or -EFAULT where the program could not load, or outside of the range. Bytes of pages
/// before the failing one are copied. Threads: any.
UP_API int up_mirror_load(up_mirror *mirror, uint64_t address, void *bytes, size_t count);

/// Stores `count` bytes through a mirror. Pages before a failing one stay written.
///
/// Errors: -EFAULT where the program could not store, or if the mirror is for reading. Otherwise as `up_mirror_load`.
/// Threads: any.
UP_API int up_mirror_store(up_mirror *mirror, uint64_t address, const void *bytes, size_t count);

/// Loads an integer of `size` bytes: 1, 2, 4 or 8. An aligned one is loaded whole, with acquire ordering.
///
/// Errors: as `up_mirror_load`, or -EINVAL for another size. Threads: any.
UP_API int up_mirror_load_word(up_mirror *mirror, uint64_t address, unsigned size, uint64_t *value);

/// Stores the low `size` bytes of `value`: 1, 2, 4 or 8. Aligned ones are stored whole, with release ordering.
///
/// Errors: as `up_mirror_store`, or -EINVAL for another size. Threads: any.
UP_API int up_mirror_store_word(up_mirror *mirror, uint64_t address, unsigned size, uint64_t value);

/// Returns 1 if the mirror has a translation of the page of `address` that may still be read at this moment, else 0.
///
/// Errors: -EINVAL. Threads: any.
UP_API int up_mirror_holds(up_mirror *mirror, uint64_t address);

/// A number that changes before a translation is revoked, in `*sequence` (`mmu_interval_read_begin`).
///
/// Read it, load through the mirror, and keep what follows from the bytes. As long as the number is the same, none of
/// the pages was removed, replaced or write-protected. A store is no revocation.
///
/// Errors: -EINVAL. Threads: any.
UP_API int up_mirror_sequence(up_mirror *mirror, uint64_t *sequence);

UP_END

#endif
