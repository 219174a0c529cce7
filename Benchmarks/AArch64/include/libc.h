// What the sources use of the C library, which does not exist for this target.
#ifndef AARCH64_LIBC_H
#define AARCH64_LIBC_H

#include <stddef.h>

int sched_yield(void);
void *calloc(size_t count, size_t size);
void free(void *block);

#endif
