// Where pins that need no atomic addition are kept: sixteen words for each thread, found from the thread's number.
//
// A block belongs to a number, not to a thread. If a thread ends with pins outstanding, its slots stay claimed, and the
// next thread with that number uses the others. So nothing is handed over, and a scan looks at as many blocks as there
// ever were threads at one time.
#ifndef CPLATFORM_PIN_SLOTS_H
#define CPLATFORM_PIN_SLOTS_H

#include <stdint.h>

#include "thread_index.h"

enum { cp_slots_per_thread = 16, cp_slot_threads = 1 << 16 };

// Two cache lines for each thread, so that no two threads share one. Pages of the array that were never touched cost no
// memory.
extern uint64_t cp_pin_slots[cp_slot_threads][cp_slots_per_thread] __attribute__((aligned(128)));

/// The slots of the thread with a number.
static inline __attribute__((always_inline)) uint64_t *cp_slot_block(int thread) { return cp_pin_slots[thread]; }

// The first chunk of each slot's list of frames, for range pins. Null until the slot's owner first needs one. Chunks
// stay for good.
extern void *cp_pin_lists[cp_slot_threads][cp_slots_per_thread];

/// Where the first chunk of a slot's list is kept.
static inline __attribute__((always_inline)) void **cp_pin_list(int thread, int slot) {
  return &cp_pin_lists[thread][slot];
}

#endif
