// Frame descriptors with a count of references and one of pins in one word, as the library has them.
#ifndef CFLOOR_DESCRIPTORS_H
#define CFLOOR_DESCRIPTORS_H

#include "table.h"

#define ONE_REFERENCE (1ull << 32)
#define ONE_PIN 1ull

struct descriptor {
  _Atomic uint64_t counts;
  _Atomic uint64_t state;
};

/// A page table, the descriptors of the frames that it maps, and counters.
struct space {
  entry_t *root;
  struct descriptor *frames;
  size_t pages;
  struct counters *counters;
  pthread_rwlock_t lock;
};

void *space_create(size_t pages);
void space_destroy(void *space);
/// References beyond one for each mapping.
uint64_t space_leaks(void *space);
void free_frame(struct descriptor *frame);

/// Returns false if the frame has too many references: the caller then puts it.
static inline __attribute__((always_inline)) bool retain(struct descriptor *frame) {
  uint64_t counts = ONE_REFERENCE + ONE_PIN;
  return __builtin_expect((int64_t)(atomic_fetch_add(&frame->counts, counts) + counts) >= 0, 1);
}

static inline __attribute__((always_inline)) void put(struct descriptor *frame) {
  uint64_t counts = ONE_REFERENCE + ONE_PIN;
  uint64_t old = atomic_fetch_sub_explicit(&frame->counts, counts, memory_order_acq_rel);
  if (__builtin_expect(old - counts == 0, 0))
    free_frame(frame);
}

static inline __attribute__((always_inline)) bool may_pin(uint64_t entry) {
  return (entry & ENTRY_MASK) == ENTRY_PRESENT;
}

#endif
