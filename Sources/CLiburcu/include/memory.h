// Address ranges and the files behind them.
#ifndef CLIBURCU_MEMORY_H
#define CLIBURCU_MEMORY_H

#include <stddef.h>

/// An anonymous memory file of `bytes` bytes, or a negated errno.
int clu_memory_file(const char *name, size_t bytes);
/// Reserves address space that cannot be touched; null when there is none.
void *clu_reserve(size_t bytes);
/// Maps `bytes` of a file (or private zeroes where `file` is negative) over a part of a reservation; 0 or a negated errno.
int clu_commit(void *at, size_t bytes, int file, size_t file_offset, int writable, int shared);
/// Makes a part of a reservation untouchable again, dropping what was mapped there.
int clu_decommit(void *at, size_t bytes);
void clu_release(void *at, size_t bytes);

#endif
