// What the hot path calls in C. The library's own headers, but for liburcu's: its sections are declared alone, so that
// the listing shows where they begin and end.
#ifndef AARCH64_CPLATFORM_H
#define AARCH64_CPLATFORM_H

void cp_read_lock(void);
int cp_try_read_lock(void);
void cp_read_unlock(void);
int cp_read_ongoing(void);

#include "fork_guard.h"
#include "futex.h"
#include "memory.h"
#include "memory_failure.h"
#include "pin_slots.h"
#include "racy_copy.h"
#include "thread_index.h"

#endif
