// Address ranges and the files behind them.
#ifndef CPLATFORM_MEMORY_H
#define CPLATFORM_MEMORY_H

#include <stddef.h>

/// An anonymous memory file of `bytes` bytes, or a negated errno.
int cp_memory_file(const char *name, size_t bytes);
/// Reserves address space that cannot be accessed. Null if the process has not that much.
void *cp_reserve(size_t bytes);
/// Maps `bytes` of a file, or private zeroes if `file` is negative, over a part of a reservation. Returns 0, or a
/// negated errno.
int cp_commit(void *at, size_t bytes, int file, size_t file_offset, int writable, int shared);
/// A forked child finds zeroes in a part of a reservation that was committed privately (`MADV_WIPEONFORK`). Returns 0,
/// or a negated errno.
int cp_wipe_in_children(void *at, size_t bytes);
/// Makes a part of a reservation inaccessible again and drops what was mapped there. Returns 0, or a negated errno.
int cp_decommit(void *at, size_t bytes);
/// Gives a reservation, or a part of one, back.
void cp_release(void *at, size_t bytes);

#endif
