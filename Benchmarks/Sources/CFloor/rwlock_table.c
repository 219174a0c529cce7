// What a programmer writes without RCU: the same page table, read under a lock that readers share.
#include "descriptors.h"
#include "loops.h"

static inline __attribute__((always_inline)) struct descriptor *pin_page(struct space *space, uint64_t page) {
  struct descriptor *frame = NULL;
  pthread_rwlock_rdlock(&space->lock);
  entry_t *ptep = table_entry(space->root, AREA_START + (page << PAGE_SHIFT));
  if (ptep) {
    uint64_t entry = atomic_load(ptep);
    if (may_pin(entry)) {
      frame = &space->frames[entry_frame(entry)];
      if (!retain(frame)) {
        put(frame);
        frame = NULL;
      }
    }
  }
  pthread_rwlock_unlock(&space->lock);
  return frame;
}

static inline __attribute__((always_inline)) void release_page(struct space *space, struct descriptor *frame) {
  (void)space;
  put(frame);
}

DEFINE_LOOP(struct space, struct descriptor)

/// The lock once for the whole range.
static uint64_t range_loop(void *context, struct floor_work *work, uint64_t iterations) {
  struct space *space = context;
  struct descriptor *held[floor_range];
  uint64_t failures = 0;
  for (uint64_t i = 0; i < iterations; i++) {
    uint64_t page = work->first + random_below(&work->state, work->span - floor_range + 1);
    int taken = 0;
    pthread_rwlock_rdlock(&space->lock);
    for (int index = 0; index < floor_range; index++) {
      entry_t *ptep = table_entry(space->root, AREA_START + ((page + index) << PAGE_SHIFT));
      uint64_t entry = ptep ? atomic_load(ptep) : 0;
      if (!may_pin(entry))
        break;
      struct descriptor *frame = held[taken++] = &space->frames[entry_frame(entry)];
      if (!retain(frame))
        break;
    }
    pthread_rwlock_unlock(&space->lock);
    failures += floor_range - taken;
    while (taken > 0)
      put(held[--taken]);
  }
  return failures;
}

const struct floor_subject floor_rwlock_table = {
    .name = "rwlock-table",
    .create = space_create,
    .loop = loop,
    .range_loop = range_loop,
    .leaks = space_leaks,
    .destroy = space_destroy,
};
